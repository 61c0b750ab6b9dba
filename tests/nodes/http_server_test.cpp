// RFC 9110 and 9112 as bytes on a socket: what is answered, what is refused,
// and what happens to the connection afterwards.

#include "nodes/http/server.hpp"

#include <system_error>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/http_fixture.hpp"
#include "tests/support/raw_client.hpp"

using namespace std::literals;

namespace troupe::test {

namespace {

/// Sends a malformed request: expects that status and type, `effect: none`, a
/// closed connection, and a server that goes on.
void expect_refused(std::string_view bytes, unsigned status,
                    std::string_view type = "bad_request",
                    http::options limits = free_port()) {
  SCOPED_TRACE(bytes.substr(0, 200));
  running_server server{echo, limits};
  raw_client client{server.port()};
  client.send(bytes);
  auto answer = client.read();
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.error_type(), type);
  EXPECT_EQ(answer.effect(), "none");
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(server->stats().requests, 0u) << "the handler was called";
  EXPECT_EQ(ask(server.port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status,
            200u);
}

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string{path} + " HTTP/1.1\r\nHost: x\r\n"
         + std::string{fields} + "\r\n";
}

std::string post(std::string_view body, std::string_view fields = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: "
         + std::to_string(body.size()) + "\r\n" + std::string{fields} + "\r\n"
         + std::string{body};
}

std::string chunked(std::string_view chunks) {
  return "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         + std::string{chunks};
}

} // namespace

// -- connections --------------------------------------------------------------

TEST(http_server, keeps_a_connection_of_http_1_1_open) {
  running_server server;
  raw_client client{server.port()};
  for (auto path : {"/a", "/b", "/c"}) {
    client.send(get(path));
    auto answer = client.read();
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.body, "GET "s + path + "  ");
    EXPECT_EQ(answer.field("Connection"), "");
    EXPECT_EQ(answer.field("Date").size(), 29u);
  }
  EXPECT_EQ(server->stats().accepted, 1u);
  EXPECT_EQ(server->stats().requests, 3u);
}

TEST(http_server, closes_when_the_client_asks_for_it) {
  running_server server;
  raw_client client{server.port()};
  client.send(get("/a", "Connection: close\r\n"));
  auto answer = client.read();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, closes_when_the_handler_asks_for_it) {
  running_server server{[](http::exchange& x) {
    http::response answer;
    answer.close = true;
    x.respond(std::move(answer));
  }};
  raw_client client{server.port()};
  client.send(get("/a"));
  EXPECT_EQ(client.read().field("Connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, closes_a_connection_of_http_1_0) {
  running_server server;
  raw_client client{server.port()};
  client.send("GET /a HTTP/1.0\r\n\r\n");
  auto answer = client.read();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_EQ(answer.field("Content-Length"), "8");
  EXPECT_EQ(answer.field("Transfer-Encoding"), "");
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, keeps_a_connection_of_http_1_0_if_asked_and_says_so) {
  running_server server;
  raw_client client{server.port()};
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto answer = client.read();
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.field("Connection"), "keep-alive");
  }
}

TEST(http_server, answers_head_with_the_length_but_without_the_body) {
  running_server server;
  raw_client client{server.port()};
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  auto answer = client.read(false);
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.field("Content-Length"), "9");
  client.send(get("/b"));
  EXPECT_EQ(client.read().body, "GET /b  ");
}

TEST(http_server, sends_no_length_and_no_body_with_204) {
  running_server server{[](http::exchange& x) {
    http::response answer{204};
    answer.body = "never sent";
    x.respond(std::move(answer));
  }};
  raw_client client{server.port()};
  client.send(get("/a") + get("/b"));
  for (int i = 0; i < 2; ++i) {
    auto answer = client.read();
    EXPECT_EQ(answer.status, 204u);
    EXPECT_EQ(answer.field("Content-Length"), "");
  }
}

TEST(http_server, answers_a_client_that_closed_its_sending_side) {
  running_server server;
  raw_client client{server.port()};
  client.send(get("/a") + get("/b"));
  client.half_close();
  EXPECT_EQ(client.read().body, "GET /a  ");
  EXPECT_EQ(client.read().body, "GET /b  ");
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, refuses_a_request_that_ends_too_early) {
  for (auto part : {"GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n",
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
                    "POST / HTTP/1.1\r\nHost: x\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    SCOPED_TRACE(part);
    running_server server;
    raw_client client{server.port()};
    client.send(part);
    client.half_close();
    auto answer = client.read();
    EXPECT_EQ(answer.status, 400u);
    EXPECT_EQ(answer.error_type(), "bad_request");
    EXPECT_TRUE(client.at_end());
    EXPECT_EQ(server->stats().requests, 0u);
  }
}

TEST(http_server, answers_500_when_the_handler_throws) {
  running_server server{
    [](http::exchange&) { throw std::runtime_error("oops"); }};
  auto answer = ask(server.port(), get("/a"));
  EXPECT_EQ(answer.status, 500u);
  EXPECT_EQ(answer.error_type(), "internal_error");
  EXPECT_EQ(answer.effect(), "unknown");
}

TEST(http_server, lets_no_value_of_a_field_forge_another_field) {
  running_server server{[](http::exchange& x) {
    http::response answer;
    answer.add("A", "b\r\nForged: yes\r\n\r\nbody");
    x.respond(std::move(answer));
  }};
  auto answer = ask(server.port(), get("/a"));
  EXPECT_EQ(answer.field("Forged"), "");
  EXPECT_EQ(answer.field("A"), "b  Forged: yes    body");
}

// -- targets, methods and fields ----------------------------------------------

TEST(http_server, splits_the_target_in_each_of_its_forms) {
  struct row {
    std::string line, expected;
  };
  for (const auto& [line, expected] :
       std::initializer_list<row>{{"GET /", "GET /  "},
                                  {"GET /a/b%2Fc?x=1?y", "GET /a/b%2Fc x=1?y "},
                                  {"GET /?", "GET /  "},
                                  {"GET http://h:80/a?b", "GET /a b "},
                                  {"GET HTTP://h", "GET /  "},
                                  {"GET http://h?b", "GET / b "},
                                  {"OPTIONS *", "OPTIONS *  "},
                                  {"CONNECT h:80", "CONNECT   "}}) {
    SCOPED_TRACE(line);
    running_server server;
    auto answer = ask(server.port(), line + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.body, expected);
  }
}

TEST(http_server, refuses_targets_of_no_form) {
  for (auto target : {"*", "a", "h:80", "ftp://h/", "http:///a", "?x"})
    expect_refused("GET "s + target + " HTTP/1.1\r\nHost: h\r\n\r\n", 400);
}

TEST(http_server, hands_any_method_that_is_a_token_to_the_handler) {
  running_server server;
  EXPECT_EQ(ask(server.port(), "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n").body,
            "BREW /pot  ");
}

TEST(http_server, refuses_methods_that_are_no_token) {
  for (auto method : {"G(T", "GE\tT", "", "G@T", "{}"})
    expect_refused(std::string{method} + " / HTTP/1.1\r\nHost: x\r\n\r\n", 400);
}

TEST(http_server, finds_fields_by_a_name_of_any_case) {
  running_server server{[](http::exchange& x) {
    const auto& request = x.request();
    http::response answer;
    answer.body = std::string{request.field("x-KEY").value_or("none")} + "|"
                  + std::string{request.field("absent").value_or("none")} + "|"
                  + std::to_string(request.count("X-Key")) + "|"
                  + std::to_string(request.field_count());
    x.respond(std::move(answer));
  }};
  EXPECT_EQ(
    ask(server.port(), get("/", "X-Key:  v w \t\r\nX-KEY:2\r\nEmpty:\r\n"))
      .body,
    "v w|none|2|4");
}

TEST(http_server, ignores_empty_lines_before_a_request) {
  running_server server;
  EXPECT_EQ(ask(server.port(), "\r\n\r\n" + get("/a")).status, 200u);
}

TEST(http_server, ignores_an_offer_to_upgrade) {
  running_server server;
  raw_client client{server.port()};
  client.send(get("/a", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(client.read().status, 200u);
  client.send(get("/b"));
  EXPECT_EQ(client.read().body, "GET /b  ");
}

// -- bodies -------------------------------------------------------------------

TEST(http_server, reads_a_body_that_comes_byte_by_byte) {
  running_server server;
  raw_client client{server.port()};
  for (char c : post("hello"))
    client.send({&c, 1});
  EXPECT_EQ(client.read().body, "POST /p  hello");
}

TEST(http_server, reads_a_body_of_exactly_the_limit_and_no_more) {
  auto limits = free_port();
  limits.body_bytes_max = 200'000;
  {
    running_server server{echo, limits};
    std::string body(limits.body_bytes_max, 'b');
    auto answer = ask(server.port(), post(body));
    EXPECT_EQ(answer.status, 200u);
    EXPECT_TRUE(answer.body == "POST /p  " + body);
  }
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200001\r\n\r\n",
                 413, "payload_too_large", limits);
}

TEST(http_server, returns_large_bodies_whole_again_and_again) {
  running_server server;
  raw_client client{server.port()};
  std::string body(6'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i)
    body[i] = static_cast<char>(i * 31 >> 3);
  for (int i = 0; i < 3; ++i) {
    std::thread sender{[&] { client.send(post(body)); }};
    auto answer = client.read();
    sender.join();
    EXPECT_EQ(answer.status, 200u);
    EXPECT_TRUE(answer.body == "POST /p  " + body);
  }
}

TEST(http_server, lets_a_client_read_413_while_it_still_sends) {
  auto limits = free_port();
  limits.body_bytes_max = 1000;
  running_server server{echo, limits};
  raw_client client{server.port()};
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(3'000'000, 'x'));
  EXPECT_EQ(client.read().status, 413u);
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, decodes_a_chunked_body) {
  running_server server;
  raw_client client{server.port()};
  client.send(
    chunked("5\r\nhello\r\n1;name=\"v;\"\r\n \r\n00a\r\n0123456789\r\n"
            "0;last\r\nTrailer: t\r\nAnother: a\r\n\r\n")
    + get("/b"));
  EXPECT_EQ(client.read().body, "POST /c  hello 0123456789");
  EXPECT_EQ(client.read().body, "GET /b  ");
}

TEST(http_server, decodes_a_chunked_body_that_comes_byte_by_byte) {
  running_server server;
  raw_client client{server.port()};
  for (char c : chunked("5\r\nhello\r\n2;x\r\nab\r\n0\r\nTrailer: t\r\n\r\n"))
    client.send({&c, 1});
  EXPECT_EQ(client.read().body, "POST /c  helloab");
}

TEST(http_server, decodes_a_large_chunked_body) {
  running_server server;
  std::string chunks, body;
  for (int i = 0; i < 300; ++i) {
    std::string part(static_cast<size_t>(i) * 37 % 9000 + 1,
                     static_cast<char>('a' + i % 26));
    char size[16];
    std::snprintf(size, sizeof(size), "%zx", part.size());
    chunks.append(size).append("\r\n").append(part).append("\r\n");
    body += part;
  }
  auto answer = ask(server.port(), chunked(chunks + "0\r\n\r\n"));
  EXPECT_TRUE(answer.body == "POST /c  " + body);
}

TEST(http_server, refuses_malformed_chunks) {
  for (auto chunks :
       {"x\r\n", "\r\n", "-1\r\na\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n", "5\r\nhelloX0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n",
        "10000000000000000\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n", "0\r\nNo colon\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n", "0\r\nA : b\r\n\r\n",
        "0\r\nContent-Length: 3\r\n\r\n",
        "0\r\nTransfer-Encoding: chunked\r\n\r\n"})
    expect_refused(chunked(chunks), 400);
}

TEST(http_server, limits_chunked_bodies_like_all_others) {
  auto limits = free_port();
  limits.body_bytes_max = 8;
  expect_refused(chunked("5\r\nhello\r\n4\r\nmore\r\n0\r\n\r\n"), 413,
                 "payload_too_large", limits);
  expect_refused(chunked("ffffffffffffffff\r\n"), 413, "payload_too_large",
                 limits);
}

TEST(http_server, limits_the_trailers_and_the_framing_of_chunked_bodies) {
  std::string trailers = "0\r\n";
  for (int i = 0; i < 101; ++i)
    trailers += "T: t\r\n";
  expect_refused(chunked(trailers + "\r\n"), 431, "headers_too_large");
  expect_refused(chunked("0\r\nT: " + std::string(33'000, 't')), 431,
                 "headers_too_large");
  expect_refused(chunked("1;" + std::string(33'000, 'e')), 431,
                 "headers_too_large");
  std::string framing;
  for (int i = 0; i < 100; ++i)
    framing += "1;" + std::string(1000, 'e') + "\r\nx\r\n";
  expect_refused(chunked(framing), 400);
}

TEST(http_server, bounds_the_bodies_that_are_not_answered_together) {
  awaited<http::exchange*> pending;
  auto limits = free_port();
  limits.bodies_bytes_max = 1000;
  running_server server{[&](http::exchange& x) {
                          if (x.request().path() == "/later")
                            pending.set(&x);
                          else
                            echo(x);
                        },
                        limits};
  raw_client one{server.port()};
  one.send("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n"
           + std::string(600, 'a'));
  auto* x = pending.get();
  for (const auto& request :
       {post(std::string(401, 'b')),
        chunked("191\r\n" + std::string(401, 'b') + "\r\n")}) {
    auto answer = ask(server.port(), request);
    EXPECT_EQ(answer.status, 429u);
    EXPECT_EQ(answer.error_type(), "too_many_requests");
    EXPECT_EQ(answer.field("Retry-After"), "1");
  }
  EXPECT_EQ(ask(server.port(), post(std::string(400, 'b'))).status, 200u);
  server->thread(0).post([=] { echo(*x); });
  EXPECT_EQ(one.read().status, 200u);
  EXPECT_EQ(ask(server.port(), post(std::string(1000, 'b'))).status, 200u);
}

TEST(http_server, bounds_the_answers_that_nobody_reads) {
  auto limits = free_port();
  limits.bodies_bytes_max = 12'000'000;
  running_server server{[](http::exchange& x) {
                          http::response answer;
                          if (x.request().path() == "/large")
                            answer.body.assign(16'000'000, 'a');
                          x.respond(std::move(answer));
                        },
                        limits};
  raw_client slow{server.port()};
  slow.send(get("/large"));
  while (server.settled_stats().requests == 0)
    std::this_thread::yield();
  auto answer = ask(server.port(), post("b"));
  EXPECT_EQ(answer.status, 429u);
  EXPECT_EQ(answer.error_type(), "too_many_requests");
  EXPECT_EQ(ask(server.port(), get("/")).status, 200u);
  EXPECT_EQ(slow.read().body.size(), 16'000'000u);
  EXPECT_EQ(ask(server.port(), post("b")).status, 200u);
  slow.send(get("/large"));
  while (server.settled_stats().requests < 4)
    std::this_thread::yield();
  slow.reset();
  while (server.settled_stats().connections != 0)
    std::this_thread::yield();
  EXPECT_EQ(ask(server.port(), post("b")).status, 200u);
}

TEST(http_server, forgets_the_bodies_of_clients_that_went_away) {
  awaited<http::exchange*> pending;
  auto limits = free_port();
  limits.bodies_bytes_max = 1000;
  running_server server{[&](http::exchange& x) {
                          if (x.request().path() == "/later")
                            pending.set(&x);
                          else
                            echo(x);
                        },
                        limits, [](http::exchange& x) { x.respond({}); }};
  raw_client reading{server.port()}, waiting{server.port()};
  reading.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n");
  waiting.send("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
               + std::string(500, 'a'));
  pending.get();
  EXPECT_EQ(ask(server.port(), post("b")).status, 429u);
  reading.reset();
  waiting.reset();
  while (server.settled_stats().connections != 0)
    std::this_thread::yield();
  EXPECT_EQ(ask(server.port(), post(std::string(1000, 'b'))).status, 200u);
}

// -- framing that may be read in two ways -------------------------------------

TEST(http_server, refuses_a_length_beside_a_coding) {
  for (auto fields : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                      "Transfer-Encoding: chunked\r\n"
                      "Transfer-Encoding: chunked\r\n"})
    expect_refused("POST / HTTP/1.1\r\nHost: x\r\n"s + fields + "\r\n0\r\n\r\n",
                   400);
}

TEST(http_server, refuses_lengths_that_differ_or_are_none) {
  for (auto fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n", "Content-Length: -5\r\n",
        "Content-Length: +5\r\n", "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n", "Content-Length:\r\n",
        "Content-Length: 5,\r\n", "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 5a\r\n"})
    expect_refused("POST / HTTP/1.1\r\nHost: x\r\n"s + fields + "\r\nhello",
                   400);
}

TEST(http_server, takes_a_length_that_is_said_twice_alike) {
  running_server server;
  EXPECT_EQ(ask(server.port(), post("hello", "Content-Length: 5\r\n")).body,
            "POST /p  hello");
}

TEST(http_server, refuses_codings_that_it_does_not_know) {
  for (auto coding :
       {"gzip", "gzip, chunked", "identity", "chunked, gzip", "chunkedx", ""})
    expect_refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "s + coding
                     + "\r\n\r\n0\r\n\r\n",
                   501, "not_implemented");
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 501, "not_implemented");
}

TEST(http_server, refuses_a_coding_in_http_1_0) {
  expect_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "0\r\n\r\n",
                 400);
}

TEST(http_server, wants_exactly_one_host) {
  expect_refused("GET / HTTP/1.1\r\n\r\n", 400);
  expect_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
  expect_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400);
  expect_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
  expect_refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
  running_server server;
  EXPECT_EQ(
    ask(server.port(), "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").status,
    200u);
  EXPECT_EQ(ask(server.port(), "GET / HTTP/1.1\r\nHost:\r\n\r\n").status, 200u);
}

TEST(http_server, refuses_malformed_field_lines) {
  for (auto field :
       {"A: b\r\n folded: c\r\n", "A: b\r\n\tc\r\n", "A:\r\n b\r\n",
        "A:\r\n \r\n", "A : b\r\n", "A\t: b\r\n", " A: b\r\n", ": b\r\n",
        "A\r\n", "A b: c\r\n", "A: b\nB: c\r\n", "A: b\rB: c\r\n",
        "A: b\x01\r\n", "A(: b\r\n", "A: b\x7f\r\n"})
    expect_refused(get("/", field), 400);
  expect_refused(get("/", "A: b\0c\r\n"sv), 400);
  expect_refused(get("/", "A\0: b\r\n"sv), 400);
}

TEST(http_server, refuses_malformed_request_lines) {
  for (auto line : {"GET / HTTP/1.1\nHost: x\n\n", "GET /\r\n\r\n",
                    "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n",
                    "GET / HTTP/11\r\n\r\n", "GET / http/1.1\r\n\r\n",
                    "GET / HTTP/1.1x\r\n\r\n", "GET / FTTP/1.1\r\n\r\n",
                    "GET /a b HTTP/1.1\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
                    "\n\nGET / HTTP/1.1\r\n\r\n"})
    expect_refused(line, 400);
  expect_refused("GET /\0 HTTP/1.1\r\n\r\n"sv, 400);
  expect_refused("G\0T / HTTP/1.1\r\n\r\n"sv, 400);
}

TEST(http_server, refuses_other_versions) {
  for (auto version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.1"})
    expect_refused("GET / "s + version + "\r\nHost: x\r\n\r\n", 505);
  expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

// -- limits of heads ----------------------------------------------------------

TEST(http_server, limits_the_bytes_of_a_head) {
  auto limits = free_port();
  limits.head_bytes_max = 1000;
  auto fill = [](size_t size) {
    auto fixed = get("/", "A: \r\n").size();
    return get("/", "A: " + std::string(size - fixed, 'a') + "\r\n");
  };
  {
    running_server server{echo, limits};
    EXPECT_EQ(ask(server.port(), fill(1000)).status, 200u);
  }
  expect_refused(fill(1001), 431, "headers_too_large", limits);
  expect_refused(fill(1001).substr(0, 1000), 431, "headers_too_large", limits);
}

TEST(http_server, limits_the_number_of_fields) {
  std::string fields;
  for (int i = 0; i < 99; ++i)
    fields += "A: a\r\n";
  running_server server;
  EXPECT_EQ(ask(server.port(), get("/", fields)).status, 200u);
  expect_refused(get("/", fields + "A: a\r\n"), 431, "headers_too_large");
}

TEST(http_server, limits_the_target) {
  auto limits = free_port();
  limits.target_bytes_max = 100;
  {
    running_server server{echo, limits};
    EXPECT_EQ(ask(server.port(), get("/" + std::string(99, 'a'))).status, 200u);
  }
  expect_refused(get("/" + std::string(100, 'a')), 414, "bad_request", limits);
  expect_refused("GET /" + std::string(33'000, 'a'), 414);
}

// -- expectations -------------------------------------------------------------

TEST(http_server, asks_for_the_body_that_a_client_holds_back) {
  running_server server;
  raw_client client{server.port()};
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
              "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100u);
  client.send("hello");
  EXPECT_EQ(client.read().body, "POST /p  hello");
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
              "Expect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100u);
  client.send("2\r\nab\r\n0\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST /p  ab");
}

TEST(http_server, does_not_ask_for_a_body_that_came_or_is_none) {
  running_server server;
  raw_client client{server.port()};
  client.send(post("hello", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read().status, 200u);
  client.send(post("", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read().status, 200u);
  client.send("POST /p HTTP/1.0\r\nContent-Length: 5\r\n"
              "Expect: 100-continue\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(client.read().status, 200u);
}

TEST(http_server, refuses_a_large_body_before_it_is_sent) {
  expect_refused("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 6291457\r\n"
                 "Expect: 100-continue\r\n\r\n",
                 413, "payload_too_large");
}

TEST(http_server, refuses_expectations_that_it_does_not_know) {
  expect_refused("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                 "Expect: a-miracle\r\n\r\n",
                 417);
}

// -- pipelining ---------------------------------------------------------------

TEST(http_server, answers_pipelined_requests_in_their_order) {
  running_server server;
  raw_client client{server.port()};
  std::string all;
  for (int i = 0; i < 500; ++i)
    all += i % 2 == 0 ? get("/" + std::to_string(i))
                      : post("body " + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 500; ++i) {
    auto number = std::to_string(i);
    EXPECT_EQ(client.read().body,
              i % 2 == 0 ? "GET /" + number + "  " : "POST /p  body " + number);
  }
}

TEST(http_server, answers_good_requests_before_a_bad_one_then_closes) {
  running_server server;
  raw_client client{server.port()};
  client.send(get("/1") + get("/2") + post("3") + "BAD\r\n\r\n" + get("/4"));
  EXPECT_EQ(client.read().body, "GET /1  ");
  EXPECT_EQ(client.read().body, "GET /2  ");
  EXPECT_EQ(client.read().body, "POST /p  3");
  auto answer = client.read();
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(answer.error_type(), "bad_request");
  // More comes while the server lingers: it must not reset the connection.
  client.send(std::string(100'000, 'x'));
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(server->stats().requests, 3u);
}

TEST(http_server, does_nothing_more_after_a_request_that_closes) {
  running_server server;
  raw_client client{server.port()};
  client.send(get("/1", "Connection: close\r\n") + get("/2"));
  EXPECT_EQ(client.read().body, "GET /1  ");
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(server->stats().requests, 1u);
}

TEST(http_server, pauses_reading_for_a_client_that_does_not_read) {
  auto limits = free_port();
  limits.unsent_bytes_max = 10'000;
  limits.read_ahead_bytes_max = 10'000;
  running_server server{[](http::exchange& x) {
                          http::response answer;
                          answer.body.assign(100'000, 'a');
                          x.respond(std::move(answer));
                        },
                        limits};
  raw_client client{server.port(), 4096};
  constexpr int count = 300;
  std::thread sender{[&] {
    std::string all;
    for (int i = 0; i < count; ++i)
      all += post(std::string(1000, 'b'));
    client.send(all);
  }};
  for (int i = 0; i < count; ++i)
    EXPECT_EQ(client.read().body.size(), 100'000u);
  sender.join();
}

TEST(http_server, sends_many_large_answers_of_pipelined_requests_in_parts) {
  running_server server{[](http::exchange& x) {
    http::response answer;
    auto size = 3000 + std::stoul(std::string{x.request().path().substr(1)});
    answer.body.assign(size * 4 % 9000, static_cast<char>('a' + size % 26));
    x.respond(std::move(answer));
  }};
  raw_client client{server.port(), 4096};
  std::string all;
  for (int i = 0; i < 400; ++i)
    all += get("/" + std::to_string(i));
  client.send(all);
  for (size_t i = 3000; i < 3400; ++i)
    EXPECT_EQ(client.read().body,
              std::string(i * 4 % 9000, static_cast<char>('a' + i % 26)));
}

// -- answers that come later --------------------------------------------------

TEST(http_server, answers_later_from_the_io_thread) {
  awaited<http::exchange*> pending;
  running_server server{[&](http::exchange& x) {
    if (x.request().path() == "/later")
      pending.set(&x);
    else
      echo(x);
  }};
  raw_client client{server.port()};
  client.send(get("/1") + get("/later", "A: b\r\n") + get("/2"));
  EXPECT_EQ(client.read().body, "GET /1  ");
  auto* x = pending.get();
  server->thread(0).post([=] {
    EXPECT_EQ(x->request().field("a"), "b");
    echo(*x);
  });
  EXPECT_EQ(client.read().body, "GET /later  ");
  EXPECT_EQ(client.read().body, "GET /2  ");
}

TEST(http_server, tells_when_a_client_went_away_before_its_answer) {
  awaited<http::exchange*> pending;
  awaited<bool> gone;
  running_server server{[&](http::exchange& x) { pending.set(&x); },
                        free_port(),
                        [&](http::exchange& x) {
                          gone.set(x.is_gone());
                          x.respond(http::response{504});
                        }};
  raw_client client{server.port()};
  client.send(get("/1"));
  pending.get();
  client.reset();
  EXPECT_TRUE(gone.get());
}

TEST(http_server, still_answers_a_client_that_only_stopped_sending) {
  awaited<http::exchange*> pending;
  awaited<bool> gone;
  running_server server{[&](http::exchange& x) { pending.set(&x); },
                        free_port(),
                        [&](http::exchange& x) { gone.set(x.is_gone()); }};
  raw_client client{server.port()};
  client.send(get("/1"));
  auto* x = pending.get();
  client.half_close();
  EXPECT_FALSE(gone.get());
  server->thread(0).post([=] { echo(*x); });
  EXPECT_EQ(client.read().body, "GET /1  ");
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, keeps_an_exchange_whose_client_is_gone_until_it_is_answered) {
  awaited<http::exchange*> pending;
  awaited<bool> gone;
  awaited<bool> answered;
  running_server server{[&](http::exchange& x) {
                          if (x.request().path() == "/1")
                            pending.set(&x);
                          else
                            echo(x);
                        },
                        free_port(),
                        [&](http::exchange& x) { gone.set(x.is_gone()); }};
  raw_client client{server.port()};
  client.send(get("/1"));
  auto* x = pending.get();
  client.reset();
  EXPECT_TRUE(gone.get());
  server->thread(0).post([&, x] {
    EXPECT_EQ(x->request().path(), "/1");
    echo(*x);
    answered.set(true);
  });
  EXPECT_TRUE(answered.get());
  EXPECT_EQ(ask(server.port(), get("/2")).status, 200u);
}

TEST(http_server, reads_only_so_far_ahead_of_an_answer) {
  awaited<http::exchange*> pending;
  auto limits = free_port();
  limits.read_ahead_bytes_max = 10'000;
  limits.body_bytes_max = 64 * 1024 * 1024;
  auto first = true;
  running_server server{[&](http::exchange& x) {
                          if (std::exchange(first, false))
                            pending.set(&x);
                          else
                            echo(x);
                        },
                        limits};
  raw_client client{server.port()};
  std::string large(20'000'000, 'a');
  std::thread sender{[&] { client.send(get("/1") + post(large)); }};
  auto* x = pending.get();
  awaited<uint64_t> read;
  // A turn of the loop reads 64 KiB; many turns would read far more.
  std::function<void(int)> turn = [&](int left) {
    if (left == 0)
      read.set(server->stats().bytes_in);
    else
      server->thread(0).post([&, left] { turn(left - 1); });
  };
  turn(1000);
  EXPECT_LT(read.get(), 200'000u);
  server->thread(0).post([=] { echo(*x); });
  EXPECT_EQ(client.read().body, "GET /1  ");
  EXPECT_EQ(client.read().body.size(), large.size() + 9);
  sender.join();
}

// -- time ---------------------------------------------------------------------

TEST(http_server, answers_408_to_a_head_that_takes_too_long) {
  auto limits = free_port();
  limits.head_time = 20ms;
  expect_refused("GET / HTTP/1.1\r\nHost:", 408, "request_timeout", limits);
}

TEST(http_server, answers_408_to_a_body_that_stands_still) {
  auto limits = free_port();
  limits.body_progress_time = 20ms;
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
                 408, "request_timeout", limits);
  expect_refused(chunked("9\r\nab"), 408, "request_timeout", limits);
  expect_refused(chunked("2\r\nab\r\n"), 408, "request_timeout", limits);
}

TEST(http_server, closes_idle_connections_without_a_word) {
  auto limits = free_port();
  limits.idle_time = 20ms;
  running_server server{echo, limits};
  raw_client silent{server.port()};
  EXPECT_TRUE(silent.at_end());
  raw_client client{server.port()};
  client.send(get("/a"));
  EXPECT_EQ(client.read().status, 200u);
  EXPECT_TRUE(client.at_end());
}

TEST(http_server, cuts_off_a_client_that_does_not_take_its_answer) {
  auto limits = free_port();
  limits.write_progress_time = 20ms;
  running_server server{[](http::exchange& x) {
                          http::response answer;
                          answer.body.assign(64'000'000, 'a');
                          x.respond(std::move(answer));
                        },
                        limits};
  raw_client client{server.port(), 4096};
  client.send(get("/a"));
  EXPECT_TRUE(client.is_cut_off());
  EXPECT_LT(server->stats().bytes_out, 64'000'000u);
}

TEST(http_server, gives_an_answer_all_the_time_that_the_handler_needs) {
  awaited<http::exchange*> pending;
  auto limits = free_port();
  limits.head_time = limits.body_progress_time = limits.idle_time = 5ms;
  running_server server{[&](http::exchange& x) { pending.set(&x); }, limits};
  raw_client client{server.port()};
  client.send(get("/1"));
  auto* x = pending.get();
  server->thread(0).post(
    [&, x] { server->thread(0).after(50ms, [x] { echo(*x); }); });
  EXPECT_EQ(client.read().body, "GET /1  ");
}

// -- the server ---------------------------------------------------------------

TEST(http_server, turns_away_a_connection_too_many) {
  auto limits = free_port();
  limits.connections_max = 2;
  running_server server{echo, limits};
  raw_client one{server.port()}, two{server.port()};
  one.send(get("/1"));
  two.send(get("/2"));
  EXPECT_EQ(one.read().status, 200u);
  EXPECT_EQ(two.read().status, 200u);
  {
    raw_client three{server.port()};
    three.send(get("/3"));
    auto answer = three.read();
    EXPECT_EQ(answer.status, 429u);
    EXPECT_EQ(answer.error_type(), "too_many_requests");
    EXPECT_EQ(answer.field("Retry-After"), "1");
    EXPECT_TRUE(three.at_end());
  }
  one.send(get("/1", "Connection: close\r\n"));
  EXPECT_EQ(one.read().status, 200u);
  EXPECT_TRUE(one.at_end());
  one.half_close();
  EXPECT_EQ(server->stats().turned_away, 1u);
}

TEST(http_server, waits_for_a_descriptor_when_the_process_has_none_left) {
  running_server server;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  auto next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  auto tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1; // the client's own, no more
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  raw_client client{server.port()};
  client.send(get("/a"));
  auto accepted = server.settled_stats().accepted;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(accepted, 0u);
  EXPECT_EQ(client.read().status, 200u);
}

TEST(http_server, says_which_address_is_taken) {
  running_server server;
  auto same = free_port();
  same.port = server.port();
  http::server second{
    same, [](auto&) { return std::make_unique<scripted_handler>(); }};
  try {
    second.start();
    FAIL() << "two servers listen on one port";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code().value(), EADDRINUSE);
    EXPECT_NE(
      std::string{e.what()}.find("127.0.0.1:" + std::to_string(server.port())),
      std::string::npos);
  }
}

TEST(http_server, listens_only_on_numeric_addresses) {
  auto options = free_port();
  options.address = "localhost";
  http::server server{
    options, [](auto&) { return std::make_unique<scripted_handler>(); }};
  EXPECT_THROW(server.start(), std::invalid_argument);
}

TEST(http_server, passes_on_what_a_factory_of_handlers_throws) {
  auto options = free_port();
  options.threads = 2;
  http::server server{options, [](auto&) -> std::unique_ptr<http::handler> {
                        throw std::runtime_error("no handler");
                      }};
  EXPECT_THROW(server.start(), std::runtime_error);
}

TEST(http_server, spreads_connections_over_its_threads) {
  auto options = free_port();
  options.threads = 2;
  running_server server{[](http::exchange& x) {
                          http::response answer;
                          auto id = std::this_thread::get_id();
                          answer.body =
                            std::to_string(std::hash<std::thread::id>{}(id));
                          x.respond(std::move(answer));
                        },
                        options};
  raw_client one{server.port()}, two{server.port()};
  one.send(get("/"));
  two.send(get("/"));
  EXPECT_NE(one.read().body, two.read().body);
}

TEST(http_server, drains_by_answering_what_is_owed_and_closing_the_idle) {
  awaited<http::exchange*> pending;
  running_server server{[&](http::exchange& x) {
    if (x.request().path() == "/later")
      pending.set(&x);
    else
      echo(x);
  }};
  raw_client idle{server.port()}, busy{server.port()};
  idle.send(get("/1"));
  EXPECT_EQ(idle.read().status, 200u);
  busy.send(get("/later"));
  auto* x = pending.get();
  server->stop_accepting();
  EXPECT_FALSE(server->drain(0ms));
  EXPECT_TRUE(idle.at_end());
  idle.half_close();
  server->thread(0).post([=] { echo(*x); });
  auto answer = busy.read();
  EXPECT_EQ(answer.body, "GET /later  ");
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(busy.at_end());
  busy.half_close();
  EXPECT_TRUE(server->drain(20s));
  EXPECT_THROW(raw_client{server.port()}, std::runtime_error);
}

TEST(http_server, drains_without_waiting_for_clients_that_are_silent_for_long) {
  auto limits = free_port();
  limits.linger_time = 500ms;
  running_server server{echo, limits};
  raw_client idle{server.port()};
  idle.send(get("/"));
  EXPECT_EQ(idle.read().status, 200u);
  auto end = std::chrono::steady_clock::now() + 600ms;
  while (std::chrono::steady_clock::now() < end)
    server.settled_stats();
  server->drain(0ms);
  EXPECT_EQ(server.settled_stats().connections, 0u);
  EXPECT_TRUE(idle.at_end());
}

TEST(http_server, aborts_what_is_not_answered_when_it_stops) {
  awaited<http::exchange*> pending;
  auto aborted = 0;
  {
    running_server server{[&](http::exchange& x) { pending.set(&x); },
                          free_port(), [&](http::exchange&) { ++aborted; }};
    raw_client client{server.port()};
    client.send(get("/1"));
    pending.get();
    server->stop();
    EXPECT_EQ(client.read().status, 0u);
  }
  EXPECT_EQ(aborted, 1);
}

// A client that had closed its sending side was not aborted when the server
// stopped: the answer of its call came to a gateway that was gone.
TEST(http_server, aborts_what_is_not_answered_also_after_a_half_close) {
  awaited<bool> half_closed;
  std::vector<bool> gone;
  running_server server{[](http::exchange&) {}, free_port(),
                        [&](http::exchange& x) {
                          gone.push_back(x.is_gone());
                          if (x.is_gone())
                            x.respond(http::response{504});
                          else
                            half_closed.set(true);
                        }};
  raw_client client{server.port()};
  client.send(get("/1"));
  client.half_close();
  half_closed.get();
  server->stop();
  EXPECT_EQ(gone, (std::vector<bool>{false, true}));
}

TEST(http_server, counts_what_it_does) {
  running_server server;
  raw_client client{server.port()};
  auto request = post("hello");
  client.send(request);
  auto answer = client.read();
  auto stats = server.settled_stats();
  EXPECT_EQ(stats.connections, 1u);
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.requests, 1u);
  EXPECT_EQ(stats.bytes_in, request.size());
  EXPECT_EQ(stats.bytes_out, answer.head.size() + 2 + answer.body.size());
}

} // namespace troupe::test
