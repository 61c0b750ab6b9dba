// Goal: whatever a stranger sends, a real node answers with a 4xx of a stable
// type and effect none, lives on, serves the next caller and has changed
// nothing. Method: requests that are broken by construction, from a seeded
// generator, all aimed at an entity whose state is looked at in the end. To
// repeat a failure, set TROUPE_TEST_SEED to the seed that was printed.

#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

uint64_t seed_of_this_run() {
  auto given = std::getenv("TROUPE_TEST_SEED");
  auto seed =
    given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "TROUPE_TEST_SEED=" << seed << '\n';
  return seed;
}

constexpr auto increment = "/services/counter/watched/increment";

class generator {
public:
  explicit generator(uint64_t seed) : random_(seed) {}

  size_t below(size_t n) {
    return std::uniform_int_distribution<size_t>{0, n - 1}(random_);
  }

  const std::string& pick(const words& from) {
    return from[below(from.size())];
  }

  std::string word() {
    std::string result(1 + below(10), ' ');
    for (auto& c : result)
      c = static_cast<char>('a' + below(26));
    return result;
  }

  std::string number() {
    return std::to_string(static_cast<int>(below(2000)) - 1000);
  }

  char control() {
    static const std::string controls{"\0\x01\x07\x08\x0b\x1b\x7f", 7};
    return controls[below(controls.size())];
  }

  /// A JSON value.
  std::string value(size_t depth = 0) {
    switch (below(depth > 4 ? 4 : 6)) {
    case 0:
      return number();
    case 1:
      return "\"" + word() + "\"";
    case 2:
      return pick({"true", "false", "null"});
    case 3:
      return number() + "." + std::to_string(below(100));
    case 4:
      return "[" + value(depth + 1) + "," + value(depth + 1) + "]";
    default:
      return "{\"" + word() + "\":" + value(depth + 1) + "}";
    }
  }

private:
  std::mt19937_64 random_;
};

/// Bytes that break the rules of HTTP around a call that would count.
std::string broken_framing(generator& g) {
  auto start = std::string{"POST "} + increment + " HTTP/1.1\r\n";
  auto head = start + "Host: " + g.word() + "\r\n";
  auto any = g.word() + ": " + g.word();
  switch (g.below(18)) {
  case 0:
    return g.word() + g.control() + " / HTTP/1.1\r\n\r\n";
  case 1:
    return start + "\r\n"; // no Host
  case 2:
    return head + "Host: b\r\n\r\n";
  case 3:
    return head + g.word() + g.control() + ": a\r\n\r\n";
  case 4:
    return head + g.word() + ": a" + g.control() + "\r\n\r\n";
  case 5:
    return head + g.word() + " : a\r\n\r\n";
  case 6:
    return head + any + "\r\n folded\r\n\r\n";
  case 7:
    return head + any + "\n" + any + "\r\n\r\n";
  case 8:
    return head + g.word() + "\r\n\r\n"; // no colon
  case 9:
    return head + "Content-Length: "
           + g.pick({"-1", "+1", "1e3", "0x1", "", "1 1", "1,2", "a",
                     "99999999999999999999"})
           + "\r\n\r\n1";
  case 10:
    return head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n12";
  case 11:
    return head + "Content-Length: "
           + std::to_string(6'291'457 + g.below(1u << 30)) + "\r\n\r\n";
  case 12:
    return head
           + "Transfer-Encoding: chunked\r\nContent-Length: 1"
             "\r\n\r\n0\r\n\r\n";
  case 13:
    return head + "Transfer-Encoding: chunked\r\n\r\n"
           + g.pick({"g", "-1", "\r\n", " 1", ";"}) + "\r\n1\r\n";
  case 14:
    return head + "Transfer-Encoding: chunked\r\n\r\n1\r\n12\r\n0\r\n\r\n";
  case 15:
    return head + g.word() + ": " + std::string(33'000, 'a') + "\r\n\r\n";
  case 16:
    return head + "Expect: " + g.word() + "\r\n\r\n";
  default:
    return head + "Content-Length: 9\r\n\r\n12"; // ends too early
  }
}

/// A path that leads to no method of any entity.
std::string broken_path(generator& g) {
  auto bad_name = g.pick({"%20", "a.b", "%C3%A4", "a%2Fb", std::string(65, 'x'),
                          "%00", "a+b", "%24LATEST", "a%", "%g0"});
  auto bad_key = g.pick({"", "%", "%2", "%gg", "%FF", "%C0%80", "%ED%A0%80",
                         "%F5%80%80%80", std::string(513, 'k'), "%80"});
  auto word = g.word();
  auto path = [&]() -> std::string {
    switch (g.below(8)) {
    case 0:
      return "/services/" + bad_name + "/watched/increment";
    case 1:
      return "/services/counter/" + bad_key + "/increment";
    case 2:
      return "/services/counter/watched/" + bad_name;
    case 3:
      return "/services/counter/watched/increment/" + word;
    case 4:
      return "/invoke/" + bad_name;
    case 5:
      return "/invoke/add:" + bad_name;
    case 6:
      return "/invoke/add/" + word;
    default:
      return "/" + word + "/counter/watched/increment";
    }
  }();
  return request("POST", path, "1");
}

/// A call with a header that it must not have.
std::string broken_header(generator& g) {
  auto of_any = [&]() -> std::string {
    switch (g.below(3)) {
    case 0:
      return "Troupe-Timeout-Ms: "
             + g.pick({"0", "-5", "900001", "1.0", "1e2", "x", "", "1;2",
                       "18446744073709551617", "0x5", "1 000"});
    case 1:
      return "If-Match: "
             + g.pick({"", "1", "\"1", "1\"", "*,\"1\"", "\"1\" \"2\"", ",,",
                       "W/1", "'1'", "\"1\", 2", "**"});
    default:
      return "Troupe-Timeout-Ms: 5\r\nTroupe-Timeout-Ms: "
             + std::to_string(1 + g.below(900'000));
    }
  };
  if (g.below(3) > 0)
    return request("POST", increment, "1", {of_any()});
  return request(
    "POST", "/invoke/add", "[1,2]",
    {g.pick({"Troupe-Key: ", "Troupe-Key: \xFF", "Troupe-Key: %FF",
             "Troupe-Key: %", "Troupe-Key: " + std::string(513, 'k'),
             "Idempotency-Key: " + g.word(), "Troupe-Key: a\r\nTroupe-Key: b",
             "Troupe-Key: \xC3\xA4\xC3"})});
}

/// A body that is no JSON.
std::string broken_json(generator& g) {
  auto value = g.value();
  auto body = [&]() -> std::string {
    switch (g.below(12)) {
    case 0:
      return "[" + value;
    case 1:
      return "{\"a\":" + value;
    case 2:
      return value + "," + value;
    case 3:
      return value + "]";
    case 4:
      return "[" + value + ",]";
    case 5:
      return "{\"a\"" + value + "}";
    case 6:
      return "{" + g.word() + ":" + value + "}";
    case 7:
      return "'" + g.word() + "'";
    case 8:
      return "\"" + g.word() + g.pick({"\xFF", "\xC3", "\x01", "\n"}) + "\"";
    case 9:
      return "\"" + g.word() + "\\" + g.pick({"x", "u12", "ud800", "'"}) + "\"";
    case 10:
      return g.pick({"-", "+1", "01", "1.", ".5", "1e", "0x1", "NaN",
                     "Infinity", "1e999", "nul", "TRUE"});
    default:
      return std::string(513 + g.below(2000), g.below(2) ? '[' : '{');
    }
  }();
  return request("POST",
                 g.pick({increment, "/invoke/add", "/invoke/data_function",
                         "/services/data_service/watched/set_data",
                         "/services/counter/watched/get"}),
                 body);
}

/// JSON that fits no argument of what it is sent to.
std::string broken_arguments(generator& g) {
  struct row {
    const char* path;
    words bodies;
  };
  const std::vector<row> rows{
    {increment,
     {"\"1\"", "1.5", "[1]", "{}", "true", "9223372036854775808", "1e3", "[]",
      "-9223372036854775809", "\"\""}},
    {"/services/counter/watched/get", {"1", "{}", "[]", "\"a\"", "false", "0"}},
    {"/services/data_service/watched/get_data", {"1", "[null]", "{}"}},
    {"/services/data_service/watched/set_data", {"", " ", "\n"}},
    {"/invoke/add",
     {"", "1", "[]", "[1]", "[1,2,3]", "[1,\"2\"]", "[1,2.5]", "{}", "null",
      "[null,null]", "[[1],2]", "[1,18446744073709551615]", "\"[1,2]\""}},
    {"/invoke/sleep", {"", "-1", "\"1\"", "[1]", "4294967296", "1.0", "null"}},
    {"/invoke/data_function", {"", "1", "null", "[]", "\"\"", "[\"a\"]"}}};
  auto& x = rows[g.below(rows.size())];
  return request("POST", x.path, g.pick(x.bodies));
}

/// A node and an entity whose state nothing may change.
class watched_node {
public:
  watched_node() {
    EXPECT_EQ(post(node_, increment, "7").body, "7");
    EXPECT_EQ(
      post(node_, "/services/data_service/watched/set_data", "[7]").body,
      "[7]");
  }

  const node_process& get() const { return node_; }

  /// What has to be so after everything.
  void expect_unharmed() {
    ASSERT_TRUE(node_->is_alive());
    auto counter = post(node_, "/services/counter/watched/get");
    EXPECT_EQ(counter.body, "7");
    EXPECT_EQ(counter.field("ETag"), "\"1\"");
    auto data = post(node_, "/services/data_service/watched/get_data");
    EXPECT_EQ(data.body, "[7]");
    EXPECT_EQ(data.field("ETag"), "\"1\"");
    EXPECT_EQ(post(node_, "/invoke/add", "[2,3]").body, "5");
  }

private:
  example_node node_;
};

/// All that came back until the node closed.
std::string exchange_all(const node_process& node, const std::string& bytes) {
  raw_client client{node.port()};
  client.send(bytes);
  client.half_close();
  return client.read_rest();
}

void expect_refusal(const http_answer& x) {
  static const std::set<std::string> types{"bad_request", "payload_too_large",
                                           "headers_too_large", "not_found",
                                           "method_not_allowed"};
  EXPECT_TRUE(x.status >= 400 && x.status < 500) << x.head << x.body;
  EXPECT_EQ(types.count(x.error_type()), 1u) << x.head << x.body;
  EXPECT_EQ(x.effect(), "none") << x.body;
  EXPECT_EQ(x.field("Content-Type"), "application/json");
}

void run(const std::function<std::string(generator&)>& make, int count) {
  auto seed = seed_of_this_run();
  generator g{seed};
  watched_node node;
  for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
    auto bytes = make(g);
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", number " << i
                                      << ": " << bytes.substr(0, 600));
    auto all = exchange_all(node.get(), bytes);
    expect_refusal(take_answer(all));
    EXPECT_EQ(all, "");
    if (i % 25 == 24)
      node.expect_unharmed();
  }
  node.expect_unharmed();
}

} // namespace

TEST(malformed, each_of_200_broken_frames_is_refused_and_changes_nothing) {
  run(broken_framing, 200);
}

TEST(malformed, each_of_150_broken_paths_is_refused_and_changes_nothing) {
  run(broken_path, 150);
}

TEST(malformed, each_of_150_broken_headers_is_refused_and_changes_nothing) {
  run(broken_header, 150);
}

TEST(malformed, each_of_300_broken_bodies_is_refused_and_changes_nothing) {
  run(broken_json, 300);
}

TEST(malformed, each_of_200_wrong_arguments_is_refused_and_changes_nothing) {
  run(broken_arguments, 200);
}

TEST(malformed, a_mixture_on_one_connection_is_refused_call_by_call) {
  auto seed = seed_of_this_run();
  generator g{seed};
  watched_node node;
  raw_client client{node.get().port()};
  for (int i = 0; i < 300 && !::testing::Test::HasFailure(); ++i) {
    // What is wrong about a call, not about its frame: the connection stays.
    auto bytes = g.below(2) ? broken_json(g) : broken_arguments(g);
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", number " << i
                                      << ": " << bytes.substr(0, 600));
    client.send(bytes);
    expect_refusal(client.read());
  }
  node.expect_unharmed();
}

TEST(malformed, json_of_512_levels_is_taken_and_of_513_refused) {
  watched_node node;
  auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  auto call = [&](const std::string& body) {
    return post(node.get(), "/services/data_service/deep/set_data", body);
  };
  auto deepest = call(nested(512));
  EXPECT_EQ(deepest.status, 200u);
  EXPECT_EQ(deepest.body, nested(512));
  for (size_t levels : {513u, 514u, 1000u, 100'000u, 3'000'000u}) {
    auto x = call(nested(levels));
    EXPECT_EQ(x.status, 400u) << levels;
    EXPECT_EQ(x.error_type(), "bad_request");
    EXPECT_EQ(x.effect(), "none");
    expect_refusal(call(std::string(levels, '[')));
    std::string objects;
    for (size_t i = 0; i < levels; ++i)
      objects += "{\"a\":";
    if (objects.size() < 6'000'000)
      expect_refusal(call(objects));
    expect_refusal(post(node.get(), "/invoke/add", nested(levels)));
  }
  // Brackets in a string are no levels.
  auto text = "\"" + std::string(100'000, '[') + "\"";
  EXPECT_EQ(call(text).body, text);
  EXPECT_EQ(post(node.get(), "/services/data_service/deep/get_data").body,
            text);
  node.expect_unharmed();
}

} // namespace troupe::test
