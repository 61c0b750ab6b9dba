// The examples do exactly what is written about them, and errors say what
// happened: type, status and effect.

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using json = nlohmann::json;

namespace troupe::test {

namespace {

void expect_ok(const http_answer& x, const std::string& body) {
  EXPECT_EQ(x.status, 200u) << x.head << x.body;
  EXPECT_EQ(x.body, body);
}

void expect_error(const http_answer& x, unsigned status,
                  const std::string& type, const std::string& effect) {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), effect) << x.body;
}

std::string message(const http_answer& x) {
  return json::parse(x.body)["errorMessage"];
}

} // namespace

TEST(examples, add_adds_two_integers) {
  example_node node;
  expect_ok(post(node, "/invoke/add", "[2,3]"), "5");
  expect_ok(post(node, "/invoke/add", " [ -7 ,\n3 ] "), "-4");
  expect_ok(post(node, "/invoke/add", "[9223372036854775806,1]"),
            "9223372036854775807");
  for (auto bad : {"", "null", "5", "[]", "[1]", "[1,2,3]", "[1,\"2\"]",
                   "[1,2.5]", "[1,2.0]", "[1,null]", "[1,true]",
                   "{\"a\":1,\"b\":2}", "[1,9223372036854775808]", "[1,2",
                   "[1,2]x", "[1e0,2]", "[01,2]", "[1,2,]", "[NaN,1]"})
    expect_error(post(node, "/invoke/add", bad), 400, "bad_request", "none");
  // The sum is the handler's own affair: it ran, and failed.
  expect_error(post(node, "/invoke/add", "[9223372036854775807,1]"), 502,
               "std::overflow_error", "ran");
}

TEST(examples, sleep_answers_the_number_after_that_time) {
  example_node node;
  auto begin = std::chrono::steady_clock::now();
  expect_ok(post(node, "/invoke/sleep", "50"), "50");
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds{50});
  expect_ok(post(node, "/invoke/sleep", "0"), "0");
  for (auto bad : {"-1", "1.5", "\"5\"", "[5]", "", "null", "4294967296", "{}"})
    expect_error(post(node, "/invoke/sleep", bad), 400, "bad_request", "none");
}

TEST(examples, sleepers_do_not_hold_threads) {
  example_node node;
  std::vector<std::unique_ptr<raw_client>> callers;
  for (int i = 0; i < 200; ++i) {
    callers.push_back(std::make_unique<raw_client>(node->port()));
    callers.back()->send(request("POST", "/invoke/sleep", "300"));
  }
  expect_ok(post(node, "/invoke/add", "[2,3]"), "5");
  for (auto& x : callers)
    expect_ok(x->read(), "300");
}

TEST(examples, fail_throws_its_body) {
  example_node node;
  auto x = post(node, "/invoke/fail", "no \"paper\"\n");
  expect_error(x, 502, "std::runtime_error", "ran");
  EXPECT_EQ(message(x), "no \"paper\"\n");
  expect_error(post(node, "/invoke/fail", ""), 502, "std::runtime_error",
               "ran");
  // Bytes that are no UTF-8 still make a JSON answer.
  auto bytes = post(node, "/invoke/fail", "\xFF\xC3");
  expect_error(bytes, 502, "std::runtime_error", "ran");
}

TEST(examples, data_service_keeps_any_json_value) {
  example_node node;
  auto path = std::string{"/services/data_service/k/"};
  expect_ok(post(node, path + "get_data"), "null");
  for (auto value :
       {"{\"a\":[1,2,{\"b\":null}]}", "[]", "{}", "\"text\"", "\"\"", "0",
        "-1.5", "true", "null", "18446744073709551615", "\"\\u0000\\u001f\"",
        "\"\xF0\x9F\x8E\xAD\""}) {
    expect_ok(post(node, path + "set_data", value), value);
    expect_ok(post(node, path + "get_data"), value);
    expect_ok(post(node, path + "get_data", "null"), value);
  }
  for (auto bad : {"", "{", "[1,]", "nul", "\"\xFF\"", "\"\x01\"", "1 2", "'a'",
                   "{\"a\" 1}", "{a:1}", "-", "1e999"})
    expect_error(post(node, path + "set_data", bad), 400, "bad_request",
                 "none");
  expect_error(post(node, path + "get_data", "1"), 400, "bad_request", "none");
  expect_ok(post(node, path + "get_data"), "\"\xF0\x9F\x8E\xAD\"");
}

TEST(examples, data_function_reads_what_data_service_holds) {
  example_node node;
  expect_ok(post(node, "/invoke/data_function", "\"a/b\""), "null");
  expect_ok(post(node, "/services/data_service/a%2Fb/set_data", "[1,{}]"),
            "[1,{}]");
  expect_ok(post(node, "/invoke/data_function", "\"a/b\""), "[1,{}]");
  expect_ok(post(node, "/invoke/data_function", "\"\\u0061/b\""), "[1,{}]");
  auto long_key = "\"" + std::string(512, 'k') + "\"";
  expect_ok(post(node, "/invoke/data_function", long_key), "null");
  for (auto& bad : words{"", "null", "a", "5", "[\"a\"]", "\"\"",
                         "\"" + std::string(513, 'k') + "\""})
    expect_error(post(node, "/invoke/data_function", bad), 400, "bad_request",
                 "none");
}

TEST(examples, counter_counts) {
  example_node node;
  auto call = [&](const char* method, const std::string& body = "") {
    return post(node, std::string{"/services/counter/k/"} + method, body);
  };
  expect_ok(call("get"), "0");
  expect_ok(call("increment"), "1");
  expect_ok(call("increment", "null"), "2");
  expect_ok(call("increment", "40"), "42");
  expect_ok(call("increment", "-2"), "40");
  expect_ok(call("get"), "40");
  for (auto bad : {"1.5", "\"1\"", "[1]", "{}", "true", "9223372036854775808"})
    expect_error(call("increment", bad), 400, "bad_request", "none");
  expect_error(call("increment", "9223372036854775807"), 502,
               "std::overflow_error", "ran");
  auto last = call("get");
  expect_ok(last, "40");
  EXPECT_EQ(last.field("ETag"), "\"4\"");
  expect_ok(post(node, "/services/counter/other/get"), "0");
}

// -- errors ------------------------------------------------------------------

TEST(errors, a_handlers_exception_keeps_its_type) {
  example_node node{{}, {test_plugin("misbehaving")}};
  auto own = post(node, "/invoke/throw_own");
  expect_error(own, 502, "shop::out_of_stock", "ran");
  EXPECT_EQ(message(own), "nothing left");
  expect_error(post(node, "/invoke/throw_int"), 502, "int", "ran");
  expect_error(post(node, "/invoke/throw_bad_alloc"), 502, "std::bad_alloc",
               "ran");
  expect_ok(post(node, "/invoke/nothing"), "null");
}

TEST(errors, a_method_that_throws_leaves_the_state_as_it_was) {
  example_node node{{}, {test_plugin("misbehaving")}};
  auto call = [&](const char* method, const std::string& body = "") {
    return post(node, std::string{"/services/ledger/k/"} + method, body);
  };
  expect_ok(call("book", "5"), "5");
  expect_error(call("book_and_throw", "7"), 502, "shop::out_of_stock", "ran");
  auto x = call("get");
  expect_ok(x, "5");
  EXPECT_EQ(x.field("ETag"), "\"1\"");
  expect_ok(call("book", "1"), "6");
}

TEST(errors, a_call_that_waits_past_its_deadline_never_starts) {
  example_node node{{"--limit", "hold=concurrency:1"},
                    {test_plugin("misbehaving")}};
  raw_client holder{node->port()};
  holder.send(request("POST", "/invoke/hold", "1500"));
  ASSERT_TRUE(
    eventually([&] { return post(node, "/invoke/held").body == "1"; }));
  expect_error(post(node, "/invoke/hold", "0", {"Troupe-Timeout-Ms: 30"}), 504,
               "deadline_exceeded", "none");
  expect_ok(holder.read(), "1500");
  expect_ok(post(node, "/invoke/hold", "0"), "0");
  EXPECT_EQ(post(node, "/invoke/held").body, "2");
}

// The sleeper slept on, in its slot, and a node that was told to leave waited.
TEST(errors, a_sleeper_whose_deadline_passed_gives_its_place_back) {
  example_node node{{"--limit", "sleep=concurrency:1"}};
  auto late = post(node, "/invoke/sleep", "900000", {"Troupe-Timeout-Ms: 20"});
  expect_error(late, 504, "deadline_exceeded", "unknown");
  expect_ok(post(node, "/invoke/sleep", "1"), "1");
  EXPECT_EQ(node->stop(), 0) << node->log();
}

TEST(errors, a_function_that_throws_a_thousand_times_stays_in_service) {
  example_node node;
  raw_client client{node->port()};
  for (int i = 0; i < 1000; ++i) {
    client.send(request("POST", "/invoke/fail", std::to_string(i)));
    auto x = client.read();
    ASSERT_EQ(x.status, 502u) << x.body;
    ASSERT_EQ(x.effect(), "ran");
  }
  auto x = post(node, "/invoke/fail", "again");
  expect_error(x, 502, "std::runtime_error", "ran");
  EXPECT_EQ(message(x), "again");
  expect_ok(post(node, "/invoke/add", "[2,3]"), "5");
}

// -- exposed actors ----------------------------------------------------------

TEST(exposed_actor, is_called_as_a_function_is) {
  example_node node{{}, {test_plugin("misbehaving")}};
  expect_ok(post(node, "/invoke/fragile", "5"), "5");
  expect_error(post(node, "/invoke/fragile", "\"5\""), 400, "bad_request",
               "none");
  expect_error(post(node, "/invoke/fragile", "[5"), 400, "bad_request", "none");
  expect_error(post(node, "/invoke/of_cpp_only", "5"), 404, "not_found",
               "none");
  auto queued = post(node, "/invoke/fragile", "5", {"Prefer: respond-async"});
  EXPECT_EQ(queued.status, 202u) << queued.body;
  EXPECT_TRUE(eventually([&] {
    return get(node, queued.field("Location")).body.find("\"result\":5")
           != std::string::npos;
  }));
  auto x = cli(node, {"invoke", "fragile", "-d", "6"});
  EXPECT_EQ(x.out, "6\n") << x.err;
}

TEST(exposed_actor, that_dies_of_a_message_is_replaced) {
  example_node node{{}, {test_plugin("misbehaving")}};
  auto x = post(node, "/invoke/fragile", "0");
  expect_error(x, 502, "instance_lost", "unknown");
  EXPECT_TRUE(
    eventually([&] { return post(node, "/invoke/fragile", "5").body == "5"; }));
}

TEST(exposed_actor, that_dies_of_every_message_is_quarantined_and_reopened) {
  example_node node{{}, {test_plugin("misbehaving")}};
  http_answer last;
  ASSERT_TRUE(eventually([&] {
    last = post(node, "/invoke/fragile", "0");
    return last.error_type() == "quarantined";
  }));
  expect_error(last, 503, "quarantined", "none");
  EXPECT_GE(std::stoi(last.field("Retry-After")), 1);
  // The others do not notice.
  expect_ok(post(node, "/invoke/add", "[2,3]"), "5");
  EXPECT_THAT(get(node, "/metrics").body,
              ::testing::ContainsRegex(
                "troupe_quarantined\\{[^}]*\"fragile\"[^}]*\\} 1\n"));
  EXPECT_TRUE(
    eventually([&] { return post(node, "/invoke/fragile", "5").body == "5"; }));
  expect_ok(post(node, "/invoke/fragile", "6"), "6");
}

} // namespace troupe::test
