// Goal: no bytes that a stranger sends make the server crash, hang, or answer
// in a form that a client cannot rely on. Method: requests that are broken by
// construction, and mutations of good ones, from a seeded generator. To repeat
// a failure, run with TROUPE_TEST_SEED set to the seed that was printed.

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/http_fixture.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe::test {

namespace {

class generator {
public:
  explicit generator(uint64_t seed) : random_(seed) {}

  size_t below(size_t n) {
    return std::uniform_int_distribution<size_t>{0, n - 1}(random_);
  }

  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + below(from.size()));
  }

  std::string word() {
    std::string result(1 + below(12), ' ');
    for (auto& c : result)
      c = static_cast<char>('a' + below(26));
    return result;
  }

  std::string bytes(size_t n) {
    std::string result(n, ' ');
    for (auto& c : result)
      c = static_cast<char>(below(256));
    return result;
  }

  char control() {
    static const std::string controls{"\0\x01\x02\x07\x08\x0b\x0c\x0e\x1b\x7f",
                                      10};
    return controls[below(controls.size())];
  }

  /// A request that breaks one rule of RFC 9112, around random good parts.
  std::string broken() {
    auto start = pick({"GET", "POST", "PUT", "DELETE", "X-OTHER"}) + " /"
                 + word() + " HTTP/1.1\r\n";
    auto fields = "Host: " + word() + "\r\n";
    for (auto n = below(4); n > 0; --n)
      fields += word() + ": " + word() + "\r\n";
    auto head = start + fields;
    auto any = word() + ": " + word();
    switch (below(24)) {
    case 0:
      return word() + control() + " / HTTP/1.1\r\n" + fields + "\r\n";
    case 1:
      return "GET /" + word() + control() + " HTTP/1.1\r\n\r\n";
    case 2:
      return "GET /" + word() + " HTTP/" + word() + "\r\n\r\n";
    case 3:
      return "GET " + word() + " HTTP/1.1\r\n" + fields + "\r\n";
    case 4:
      return "GET / HTTP/" + pick({"2.0", "0.9", "1.2", "9.9"}) + "\r\n\r\n";
    case 5:
      return start + any + "\r\n\r\n"; // no Host
    case 6:
      return head + "Host: " + word() + "\r\n\r\n";
    case 7:
      return head + word() + control() + ": a\r\n\r\n";
    case 8:
      return head + word() + ": a" + control() + "b\r\n\r\n";
    case 9:
      return head + word() + pick({" ", "\t"}) + ": a\r\n\r\n";
    case 10:
      return head + any + "\r\n" + pick({" ", "\t"}) + word()
             + "\r\n\r\n"; // folded
    case 11:
      return head + any + "\n" + any + "\r\n\r\n";
    case 12:
      return head + word() + "\r\n\r\n"; // no colon
    case 13:
      return head + "Content-Length: "
             + pick({"-1", "+1", "1e3", "0x1", "", "1 1", "1,2",
                     "18446744073709551616"})
             + "\r\n\r\n";
    case 14:
      return head + "Content-Length: 1\r\nContent-Length: "
             + std::to_string(2 + below(9)) + "\r\n\r\nab";
    case 15:
      return head + "Content-Length: "
             + std::to_string(6'291'457 + below(1u << 30)) + "\r\n\r\n";
    case 16:
      return head + "Transfer-Encoding: chunked\r\nContent-Length: "
             + std::to_string(below(9)) + "\r\n\r\n0\r\n\r\n";
    case 17:
      return head + "Transfer-Encoding: " + word() + "\r\n\r\n";
    case 18:
      return head + "Transfer-Encoding: chunked\r\n\r\n"
             + pick({"g", "-", "\r\n", "0x", ";", " "}) + word() + "\r\n";
    case 19:
      return head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc"
             + pick({"d", "\n", "\r\r", " \r\n"}) + "\r\n0\r\n\r\n";
    case 20:
      return head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + word()
             + "\r\n\r\n"; // a trailer without colon
    case 21:
      return head + word() + ": " + std::string(33'000, 'a') + "\r\n\r\n";
    case 22:
      return head + "Expect: " + word() + "\r\n\r\n";
    default:
      return head + "Content-Length: " + std::to_string(9 + below(99))
             + "\r\n\r\n" + word().substr(0, 8); // ends too early
    }
  }

  /// One or several good requests with some bytes changed.
  std::string mutated() {
    std::string result;
    for (auto n = 1 + below(3); n > 0; --n)
      result += good();
    for (auto n = 1 + below(6); n > 0; --n)
      mutate(result);
    return result;
  }

  std::string good() {
    auto body = word();
    switch (below(4)) {
    case 0:
      return "GET /" + word() + "?" + word() + " HTTP/1.1\r\nHost: a\r\n\r\n";
    case 1:
      return "POST /" + word() + " HTTP/1.1\r\nHost: a\r\nContent-Length: "
             + std::to_string(body.size()) + "\r\n\r\n" + body;
    case 2:
      return "PUT / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: "
             + std::to_string(body.size()) + "\r\n\r\n" + body;
    default:
      return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
             "\r\n\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n";
    }
  }

private:
  void mutate(std::string& x) {
    auto at = below(x.size());
    switch (below(6)) {
    case 0:
      x[at] = static_cast<char>(below(256));
      break;
    case 1:
      x.erase(at, 1 + below(4));
      break;
    case 2:
      x.insert(at, bytes(1 + below(4)));
      break;
    case 3:
      x.insert(at, pick({"\r", "\n", "\r\n", " ", ":", "\t", "0", ","}));
      break;
    case 4:
      x.insert(at, x.substr(below(x.size()), below(40)));
      break;
    default:
      x.resize(std::max<size_t>(at, 1));
      break;
    }
    if (x.empty())
      x = "?";
  }

  std::mt19937_64 random_;
};

const std::set<std::string>& types_of_refusals() {
  static const std::set<std::string> types{
    "bad_request", "payload_too_large", "headers_too_large", "not_implemented"};
  return types;
}

/// Sends all that there will be; what came back, until the server closed.
std::string exchange_all(uint16_t port, const std::string& bytes) {
  raw_client client{port};
  client.send(bytes);
  client.half_close();
  return client.read_rest();
}

void expect_error(const http_answer& answer) {
  EXPECT_GE(answer.status, 400u);
  EXPECT_EQ(types_of_refusals().count(answer.error_type()), 1u)
    << answer.head << answer.body;
  EXPECT_EQ(answer.effect(), "none");
  EXPECT_EQ(answer.field("Connection"), "close");
}

void expect_service(uint16_t port) {
  auto answer = ask(port, "POST /good HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 2\r\n\r\nok");
  EXPECT_EQ(answer.body, "POST /good  ok");
}

} // namespace

TEST(http_malformed, each_of_800_broken_requests_is_refused_and_harms_nobody) {
  auto seed = seed_of_this_run();
  generator g{seed};
  running_server server;
  for (int i = 0; i < 800 && !testing::Test::HasFailure(); ++i) {
    auto request = g.broken();
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", number " << i
                                    << ": " << request.substr(0, 500));
    auto all = exchange_all(server.port(), request);
    expect_error(take_answer(all));
    EXPECT_EQ(all, "");
    expect_service(server.port());
  }
  EXPECT_EQ(server->stats().requests, server->stats().accepted / 2);
}

TEST(http_malformed, each_of_3000_mutations_is_answered_in_good_form) {
  auto seed = seed_of_this_run();
  generator g{seed};
  running_server server;
  for (int i = 0; i < 3000 && !testing::Test::HasFailure(); ++i) {
    auto request = g.mutated();
    SCOPED_TRACE(testing::Message()
                 << "seed " << seed << ", number " << i << ": " << request);
    auto all = exchange_all(server.port(), request);
    while (!all.empty()) {
      auto answer = take_answer(all);
      ASSERT_NE(answer.status, 0u) << all;
      if (answer.status >= 400)
        expect_error(answer);
    }
  }
  expect_service(server.port());
}

TEST(http_malformed, each_of_300_runs_of_noise_is_refused) {
  auto seed = seed_of_this_run();
  generator g{seed};
  running_server server;
  for (int i = 0; i < 300 && !testing::Test::HasFailure(); ++i) {
    auto noise = g.bytes(1 + g.below(3000));
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", number " << i);
    auto all = exchange_all(server.port(), noise);
    if (!all.empty())
      expect_error(take_answer(all));
    EXPECT_EQ(all, "");
  }
  EXPECT_EQ(server->stats().requests, 0u);
  expect_service(server.port());
}

} // namespace troupe::test
