// What is posted to servers of others, and what becomes of it; the servers are
// sockets of the test.

#include "nodes/events/http_poster.hpp"

#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/canned_node.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

using answer = expected<unsigned>;

/// What nothing here takes.
constexpr auto patience = 20s;

std::future<answer> post(http_poster& by, http_post what) {
  auto promise = std::make_shared<std::promise<answer>>();
  by.post(std::move(what),
          [promise](answer x) { promise->set_value(std::move(x)); });
  return promise->get_future();
}

answer get(std::future<answer> from) {
  if (from.wait_for(patience) != std::future_status::ready) {
    ADD_FAILURE() << "no answer";
    return error{errc::internal_error, "no answer"};
  }
  return from.get();
}

answer ask(const std::string& url,
           std::chrono::milliseconds timeout = patience) {
  http_poster poster{{.timeout = timeout}};
  return get(post(poster, {.url = url, .headers = {}, .body = "x"}));
}

answer ask_for(const std::string& raw_answer,
               std::chrono::milliseconds timeout = patience) {
  canned_node server{[&](auto&) { return raw_answer; }};
  return ask(server.url() + "/", timeout);
}

std::string plain(int status, const std::string& body = "") {
  return http_answer(status, "text/plain", body);
}

TEST(http_poster, sends_headers_and_body_as_they_are) {
  canned_node server{[](auto&) { return plain(202); }};
  http_poster poster{{}};
  std::string body(300'000, 'b');
  body[7] = '\0';
  auto status = get(post(
    poster,
    {.url = server.url() + "/a/b%20c?d=e",
     .headers = {{"ce-id", "1"}, {"ce-empty", ""}, {"Content-Type", "x/y"}},
     .body = body}));
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(*status, 202u);
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  auto& x = requests[0];
  EXPECT_EQ(x.line(), "POST /a/b%20c?d=e");
  EXPECT_EQ(x.field("ce-id"), "1");
  EXPECT_EQ(x.field("Content-Type"), "x/y");
  EXPECT_EQ(x.body, body);
  EXPECT_THAT(x.head, HasSubstr("ce-empty:"));
  EXPECT_THAT(x.head, Not(HasSubstr("Expect")));
}

TEST(http_poster, sends_an_empty_body) {
  canned_node server{[](auto&) { return plain(204); }};
  http_poster poster{{}};
  auto status =
    get(post(poster, {.url = server.url() + "/", .headers = {}, .body = ""}));
  EXPECT_TRUE(status);
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].field("Content-Length"), "0");
  EXPECT_EQ(requests[0].field("Content-Type"), "");
}

TEST(http_poster, makes_itself_known) {
  temporary_folder folder;
  auto file = (folder.path() / "secret").string();
  std::ofstream{file} << "s3cret\nmore\n";
  canned_node server{[](auto&) { return plain(204); }};
  http_poster poster{{}};
  http_post what{.url = server.url() + "/", .headers = {}, .body = "x"};
  what.login.token_file = file;
  EXPECT_TRUE(get(post(poster, what)));
  what.login = {.user = "me", .password_file = file};
  EXPECT_TRUE(get(post(poster, what)));
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].field("Authorization"), "Bearer s3cret");
  EXPECT_EQ(requests[1].field("Authorization"), "Basic bWU6czNjcmV0");
  what.login.password_file = file + "2";
  auto got = get(post(poster, what));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().type(), "receiver_unreachable");
  EXPECT_THAT(got.error().message(), Not(HasSubstr("s3cret")));
}

TEST(http_poster, says_what_an_answer_means) {
  struct row {
    int status;
    std::string type;
    effect what;
  };
  for (auto& x : std::vector<row>{{408, "receiver_busy", effect::none},
                                  {425, "receiver_busy", effect::none},
                                  {429, "receiver_busy", effect::none},
                                  {503, "receiver_busy", effect::none},
                                  {500, "receiver_failed", effect::unknown},
                                  {502, "receiver_failed", effect::unknown},
                                  {504, "receiver_failed", effect::unknown},
                                  {300, "bad_request", effect::none},
                                  {400, "bad_request", effect::none},
                                  {404, "bad_request", effect::none},
                                  {410, "bad_request", effect::none}}) {
    auto got = ask_for(plain(x.status, "because"));
    ASSERT_FALSE(got) << x.status;
    EXPECT_EQ(got.error().type(), x.type) << x.status;
    EXPECT_EQ(got.error().what_happened(), x.what) << x.status;
    EXPECT_THAT(
      got.error().message(),
      HasSubstr("answered " + std::to_string(x.status) + ": because"));
  }
}

TEST(http_poster, hears_when_it_may_come_again) {
  auto with = [](const std::string& value) {
    auto got = ask_for("HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: "
                       + value + "\r\n\r\n");
    return got ? 0 : got.error().retry_after_s();
  };
  EXPECT_EQ(with("17"), 17u);
  EXPECT_EQ(with("soon"), 0u);
  EXPECT_EQ(with("Sun, 06 Nov 1994 08:49:37 GMT"), 0u);
  EXPECT_GT(with("Fri, 31 Dec 2100 23:59:59 GMT"), 1'000'000u);
}

TEST(http_poster, follows_nobody_elsewhere) {
  canned_node other{[](auto&) { return plain(200); }};
  auto got = ask_for("HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: "
                     + other.url() + "/\r\n\r\n");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what_happened(), effect::none);
  EXPECT_TRUE(other.requests().empty());
}

TEST(http_poster, waits_for_nobody_who_is_silent) {
  auto begin = std::chrono::steady_clock::now();
  auto got = ask_for(canned_node::silence, 200ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), errc::deadline_exceeded);
  EXPECT_EQ(got.error().what_happened(), effect::unknown);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 200ms);
}

TEST(http_poster, does_not_know_what_became_of_a_connection_that_broke) {
  for (auto text : {"", "HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf",
                    "no HTTP\r\n\r\n"}) {
    auto got = ask_for(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().type(), "receiver_failed") << text;
    EXPECT_EQ(got.error().what_happened(), effect::unknown) << text;
  }
}

TEST(http_poster, says_that_it_reached_nobody) {
  closed_port nobody;
  auto got = ask(nobody.url() + "/");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().type(), "receiver_unreachable");
  got = ask("https://" + nobody.url().substr(7) + "/");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().type(), "receiver_unreachable");
  // A server without TLS: no request was sent.
  canned_node plain_server{[](auto&) { return plain(200); }};
  got = ask("https://" + plain_server.url().substr(7) + "/", 2s);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().type(), "receiver_unreachable");
  EXPECT_TRUE(plain_server.requests().empty());
}

TEST(http_poster, reads_only_so_much_of_an_answer) {
  auto got = ask_for(plain(400, std::string(3'000'000, 'e')));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), errc::bad_request);
  EXPECT_LT(got.error().message().size(), 1000u);
}

TEST(http_poster, has_many_under_way) {
  constexpr size_t count = 200;
  canned_node server{[](auto&) { return plain(200); }};
  http_poster poster{{}};
  std::vector<std::future<answer>> all;
  for (size_t i = 0; i < count; ++i)
    all.push_back(post(
      poster,
      {.url = server.url() + "/", .headers = {}, .body = std::to_string(i)}));
  for (auto& x : all)
    EXPECT_TRUE(get(std::move(x)));
  EXPECT_EQ(server.requests().size(), count);
}

TEST(http_poster, has_a_bound_for_what_is_under_way) {
  canned_node server{[](auto&) { return canned_node::silence; }};
  http_poster poster{{.timeout = patience, .in_flight_max = 2}};
  http_post what{.url = server.url() + "/", .headers = {}, .body = ""};
  auto first = post(poster, what);
  auto second = post(poster, what);
  auto third = get(post(poster, what));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error(), errc::too_many_requests);
  poster.stop(0ms);
  for (auto x : {&first, &second}) {
    auto got = get(std::move(*x));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error(), errc::shutting_down);
  }
  auto late = get(post(poster, what));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), errc::shutting_down);
}

TEST(http_poster, lets_what_is_under_way_finish) {
  std::promise<void> asked;
  std::promise<void> stopping;
  auto go = stopping.get_future().share();
  canned_node server{[&](auto&) {
    asked.set_value();
    go.wait_for(patience);
    return plain(200);
  }};
  http_poster poster{{}};
  auto waiting =
    post(poster, {.url = server.url() + "/", .headers = {}, .body = ""});
  asked.get_future().wait_for(patience);
  std::thread stopper{[&] { poster.stop(patience); }};
  stopping.set_value();
  EXPECT_TRUE(get(std::move(waiting)));
  stopper.join();
}

} // namespace
} // namespace troupe::testing
