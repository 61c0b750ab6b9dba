// The HTTP surface that is fixed, on a real node: what is relied on from
// outside, one promise a test.

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using json = nlohmann::json;

namespace troupe::test {

namespace {

constexpr auto json_type = "application/json";

/// The form of every error: three members, the right status.
void expect_error(const http_answer& x, unsigned status,
                  const std::string& type, const std::string& effect = "none") {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  auto body = json::parse(x.body, nullptr, false);
  ASSERT_TRUE(body.is_object()) << x.head << x.body;
  EXPECT_EQ(body.size(), 3u) << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), effect) << x.body;
  EXPECT_TRUE(body.contains("errorMessage")
              && body["errorMessage"].is_string());
  EXPECT_EQ(x.field("Content-Type"), json_type);
}

void expect_ok(const http_answer& x, const std::string& body) {
  EXPECT_EQ(x.status, 200u) << x.head << x.body;
  EXPECT_EQ(x.body, body);
}

std::string counter_value(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/get").body;
}

} // namespace

// -- /invoke -----------------------------------------------------------------

TEST(surface, an_answer_carries_an_invocation_id_of_its_own) {
  example_node node;
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    auto x = post(node, "/invoke/add", "[2,3]");
    expect_ok(x, "5");
    EXPECT_EQ(x.field("Content-Type"), json_type);
    EXPECT_THAT(x.field("Troupe-Invocation-Id"), MatchesRegex("[0-9a-f]{32}"));
    ids.insert(x.field("Troupe-Invocation-Id"));
  }
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_NE(post(node, "/invoke/fail", "x").field("Troupe-Invocation-Id"), "");
}

TEST(surface, a_raw_body_comes_back_with_its_content_type) {
  example_node node;
  std::string bytes;
  for (int i = 0; i < 256; ++i)
    bytes += static_cast<char>(i);
  auto typed =
    post(node, "/invoke/echo", bytes, {"Content-Type: image/x-thing; a=\"b\""});
  expect_ok(typed, bytes);
  EXPECT_EQ(typed.field("Content-Type"), "image/x-thing; a=\"b\"");
  auto untyped = post(node, "/invoke/echo", bytes);
  expect_ok(untyped, bytes);
  EXPECT_EQ(untyped.field("Content-Type"), "application/octet-stream");
  expect_ok(post(node, "/invoke/echo"), "");
}

TEST(surface,
     a_body_of_the_largest_size_comes_back_and_one_more_byte_does_not) {
  example_node node;
  std::string largest(6 * 1024 * 1024, 'x');
  auto x = post(node, "/invoke/echo", largest);
  EXPECT_EQ(x.status, 200u);
  EXPECT_TRUE(x.body == largest);
  expect_error(post(node, "/invoke/echo", largest + "x"), 413,
               "payload_too_large");
}

TEST(surface, a_chunked_body_is_a_body) {
  example_node node;
  auto x = ask(node->port(), "POST /invoke/add HTTP/1.1\r\nHost: a\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n"
                             "2\r\n[2\r\n3\r\n,3]\r\n0\r\n\r\n");
  expect_ok(x, "5");
}

TEST(surface, qualifiers_name_versions_and_nothing_else) {
  example_node node;
  for (auto path : {"/invoke/add:1", "/invoke/add:$LATEST", "/invoke/add%3A1",
                    "/invoke/%61dd", "/invoke/add:%24LATEST"})
    expect_ok(post(node, path, "[2,3]"), "5");
  for (auto path : {"/invoke/add:2", "/invoke/add:0", "/invoke/add:live"})
    expect_error(post(node, path, "[2,3]"), 404, "not_found");
  for (auto path : {"/invoke/add:", "/invoke/add:$OTHER", "/invoke/add:1:1",
                    "/invoke/add:-%31.", "/invoke/add:a b"})
    EXPECT_EQ(post(node, path, "[2,3]").error_type(), "bad_request") << path;
}

TEST(surface, a_time_out_is_a_whole_number_of_milliseconds_up_to_900000) {
  example_node node;
  for (auto good : {"1", "900000", "0001"}) {
    auto x = post(node, "/invoke/echo", "a",
                  {std::string{"Troupe-Timeout-Ms: "} + good});
    EXPECT_TRUE(x.status == 200 || x.error_type() == "deadline_exceeded")
      << good << x.body;
  }
  for (auto bad : {"0", "-1", "900001", "1.5", "1e3", "", "abc", "+5", "0x10",
                   "99999999999999999999", "5,6", "1 2"}) {
    auto x = post(node, "/invoke/echo", "a",
                  {std::string{"Troupe-Timeout-Ms: "} + bad});
    expect_error(x, 400, "bad_request");
  }
  expect_error(post(node, "/invoke/echo", "a",
                    {"Troupe-Timeout-Ms: 1000", "Troupe-Timeout-Ms: 2000"}),
               400, "bad_request");
  expect_error(
    post(node, "/services/counter/k/increment", "", {"Troupe-Timeout-Ms: 0"}),
    400, "bad_request");
  EXPECT_EQ(counter_value(node, "k"), "0");
}

TEST(surface, a_deadline_that_passes_in_the_handler_leaves_the_effect_unknown) {
  example_node node;
  expect_error(post(node, "/invoke/sleep", "60000", {"Troupe-Timeout-Ms: 20"}),
               504, "deadline_exceeded", "unknown");
}

TEST(surface, a_functions_own_time_out_caps_the_callers) {
  example_node node{{"--limit", "sleep=timeout:30ms"}};
  expect_error(
    post(node, "/invoke/sleep", "60000", {"Troupe-Timeout-Ms: 900000"}), 504,
    "deadline_exceeded", "unknown");
}

TEST(surface, a_routing_key_is_1_to_512_bytes_of_utf_8) {
  example_node node;
  std::string umlauts;
  std::string encoded;
  for (int i = 0; i < 256; ++i) {
    umlauts += "\xC3\xA4";
    encoded += "%C3%A4";
  }
  for (auto& good :
       words{"a", std::string(512, 'k'), umlauts, encoded, "a%2Fb", "user/7"})
    expect_ok(post(node, "/invoke/add", "[2,3]", {"Troupe-Key: " + good}), "5");
  for (auto& bad :
       words{"", std::string(513, 'k'), umlauts + "a", "\xC3", "\xFF",
             "a\xC0\xAF", "\xED\xA0\x80", "%FF", "%C3", "%zz"})
    expect_error(post(node, "/invoke/add", "[2,3]", {"Troupe-Key: " + bad}),
                 400, "bad_request");
}

TEST(surface, names_are_1_to_64_letters_digits_underscores_and_dashes) {
  example_node node;
  for (auto& unknown : words{std::string(64, 'a'), "A-Z_09", "-", "_"})
    expect_error(post(node, "/invoke/" + unknown), 404, "not_found");
  for (auto& bad : words{std::string(65, 'a'), "a.b", "a%20b", "a%2Fb",
                         "%C3%A4", "a$", "%00", "a*"}) {
    expect_error(post(node, "/invoke/" + bad), 400, "bad_request");
    expect_error(post(node, "/services/" + bad + "/k/get"), 400, "bad_request");
    expect_error(post(node, "/services/counter/k/" + bad), 400, "bad_request");
  }
}

// -- /services ---------------------------------------------------------------

TEST(surface, a_service_tells_the_revision_of_its_state) {
  example_node node;
  auto tag = [&](const char* method) {
    return post(node, std::string{"/services/counter/k/"} + method)
      .field("ETag");
  };
  EXPECT_EQ(tag("get"), "\"0\"");
  EXPECT_EQ(tag("increment"), "\"1\"");
  EXPECT_EQ(tag("get"), "\"1\"");
  EXPECT_EQ(tag("increment"), "\"2\"");
  // Nothing changes, so the revision stays.
  EXPECT_EQ(post(node, "/services/counter/k/increment", "0").field("ETag"),
            "\"2\"");
  EXPECT_EQ(counter_value(node, "k"), "2");
}

TEST(surface, if_match_makes_a_call_conditional) {
  example_node node;
  auto call = [&](const fields& conditions) {
    return post(node, "/services/counter/k/increment", "", conditions);
  };
  expect_error(call({"If-Match: *"}), 412, "revision_mismatch");
  expect_error(call({"If-Match: \"1\""}), 412, "revision_mismatch");
  expect_ok(call({"If-Match: \"0\""}), "1");
  expect_error(call({"If-Match: \"0\""}), 412, "revision_mismatch");
  expect_ok(call({"If-Match: \"1\""}), "2");
  expect_ok(call({"If-Match: *"}), "3");
  expect_ok(call({"If-Match: \"7\", \"3\",\"9\""}), "4");
  expect_ok(call({"If-Match: \"7\"", "If-Match: \"4\""}), "5");
  expect_error(call({"If-Match: \"7\", \"8\""}), 412, "revision_mismatch");
  expect_error(call({"If-Match: W/\"5\""}), 412, "revision_mismatch");
  expect_error(call({"If-Match: \"05\""}), 412, "revision_mismatch");
  for (auto bad :
       {"5", "\"5", "", "* \"5\"", "\"5\" \"6\"", ",", "w/\"5\"", "\"5\",*"})
    expect_error(call({std::string{"If-Match: "} + bad}), 400, "bad_request");
  auto last = post(node, "/services/counter/k/get");
  expect_ok(last, "5");
  EXPECT_EQ(last.field("ETag"), "\"5\"");
}

TEST(surface, a_refused_condition_changes_nothing_that_is_on_disk) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  {
    node_process node{settings};
    expect_ok(post(node, "/services/data_service/k/set_data", "{\"a\":1}"),
              "{\"a\":1}");
    expect_error(
      post(node, "/services/data_service/k/set_data", "2", {"If-Match: \"9\""}),
      412, "revision_mismatch");
    node.kill();
  }
  node_process node{settings};
  auto x = post(node, "/services/data_service/k/get_data");
  expect_ok(x, "{\"a\":1}");
  EXPECT_EQ(x.field("ETag"), "\"1\"");
}

TEST(surface, of_many_conditional_calls_on_one_revision_one_wins) {
  example_node node;
  std::atomic<int> won{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i)
    callers.emplace_back([&] {
      auto x =
        post(node, "/services/counter/k/increment", "", {"If-Match: \"0\""});
      won += x.status == 200;
      if (x.status != 200)
        expect_error(x, 412, "revision_mismatch");
    });
  for (auto& x : callers)
    x.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(counter_value(node, "k"), "1");
}

TEST(surface, a_key_is_1_to_512_bytes_of_utf_8_and_its_slashes_are_encoded) {
  example_node node;
  auto set = [&](const std::string& key, const std::string& value) {
    return post(node, "/services/data_service/" + key + "/set_data", value);
  };
  std::string umlauts;
  for (int i = 0; i < 256; ++i)
    umlauts += "%C3%A4";
  for (auto& good : words{"a", "a%2Fb", "%2F", "a%20b", "%00", "%25", "%C3%A4",
                          "%F0%9F%8E%AD", ".", "..", "a:b", "~", "get_data",
                          std::string(512, 'k'), umlauts})
    expect_ok(set(good, "\"" + std::to_string(good.size()) + "\""),
              "\"" + std::to_string(good.size()) + "\"");
  for (auto& bad :
       words{"", std::string(513, 'k'), umlauts + "a", "%FF", "%C3", "%C0%80",
             "%ED%A0%80", "%F4%90%80%80", "%", "%2", "%zz", "a%"})
    expect_error(set(bad, "1"), 400, "bad_request");
  expect_error(set("a/b", "1"), 404, "not_found");
  // The two spellings of a key are one key; a slash belongs to it.
  expect_ok(post(node, "/services/data_service/%61%2fb/get_data"), "\"5\"");
  expect_ok(post(node, "/services/data_service/a/get_data"), "\"1\"");
}

TEST(surface, what_is_not_there_is_not_found) {
  example_node node;
  for (auto path :
       {"/invoke/nobody", "/services/nobody/k/get",
        "/services/counter/k/nobody", "/services/add/k/get", "/invoke/counter",
        "/nowhere", "/invoke", "/invoke/add/", "/invoke/add/more", "/services",
        "/services/counter/k/get/more", "/healthz/x", "/2015-3-31/functions",
        "/Invoke/add"})
    expect_error(post(node, path), 404, "not_found");
  expect_error(get(node, "/cluster/nowhere"), 404, "not_found");
  for (auto path : {"/cluster", "/cluster/tree", "/cluster/shards"})
    expect_error(get(node, path + std::string{"?limit=1"}), 400, "bad_request");
  expect_error(get(node, "/invocations/00112233445566778899aabbccddeeff"), 404,
               "not_found");
}

// -- arguments ---------------------------------------------------------------

TEST(surface, an_argument_that_does_not_fit_is_named) {
  example_node node;
  auto complaint = [&](const char* path, const char* body) {
    auto x = post(node, path, body);
    expect_error(x, 400, "bad_request");
    return json::parse(x.body)["errorMessage"].get<std::string>();
  };
  EXPECT_EQ(complaint("/invoke/add", R"([2,"3"])"),
            "argument 2: expected an integer, got a string");
  EXPECT_EQ(complaint("/invoke/add", "[2]"), "takes 2 arguments, got 1");
  EXPECT_EQ(complaint("/invoke/add", "2"),
            "takes 2 arguments as an array, got the number 2");
  EXPECT_EQ(complaint("/services/counter/k/increment", "[1]"),
            "argument 1: expected an integer, got an array");
  EXPECT_EQ(complaint("/services/counter/k/get", "1"),
            "takes no argument, got the number 1");
}

TEST(surface, a_long_message_of_a_handler_is_cut_between_two_characters) {
  example_node node;
  std::string euros;
  for (int i = 0; i < 100'000; ++i)
    euros += "\u20ac";
  auto x = post(node, "/invoke/fail", euros);
  expect_error(x, 502, "std::runtime_error", "ran");
  auto text = json::parse(x.body)["errorMessage"].get<std::string>();
  EXPECT_LE(text.size(), 1024u);
  EXPECT_EQ(text, euros.substr(0, text.size() - 3) + "...");
}

TEST(surface, takes_a_preference_in_every_form) {
  example_node node;
  for (auto& x :
       std::vector<fields>{{"Prefer: respond-async"},
                           {"Prefer: wait=5, Respond-Async"},
                           {"Prefer: wait=5", "Prefer: respond-async"},
                           {"prefer: respond-async;x=y"}})
    EXPECT_EQ(post(node, "/invoke/add", "[2,3]", x).status, 202u) << x.front();
  for (auto x : {"Prefer: respond-asynchronously", "Prefer: wait=5", "Prefer:"})
    EXPECT_EQ(post(node, "/invoke/add", "[2,3]", {x}).body, "5") << x;
}

TEST(surface, queues_calls_only) {
  example_node node;
  for (auto method : {"PUT", "DELETE"})
    expect_error(send(node, method, "/services/counter/k", "{\"value\":1}",
                      {"Prefer: respond-async"}),
                 400, "bad_request");
  EXPECT_EQ(counter_value(node, "k"), "0");
}

// -- what is not built yet ---------------------------------------------------

TEST(surface, what_is_fixed_but_not_built_says_so_and_runs_nothing) {
  example_node node;
  struct row {
    const char* method;
    const char* path;
    fields more;
  };
  const std::vector<row> rows{
    {"GET", "/url/add/", {}},
    {"PUT", "/url/add/more/and/more", {}},
    {"GET", "/2015-03-31/functions", {}},
    {"POST", "/2015-03-31/functions/add/invocations", {}},
    {"GET", "/2015-03-31/functions/", {}},
    {"PUT", "/2017-10-31/functions/add/concurrency", {}},
    {"GET", "/2016-08-19/account-settings/", {}},
    {"GET", "/", {}}};
  for (auto& x : rows) {
    SCOPED_TRACE(std::string{x.method} + " " + x.path);
    expect_error(send(node, x.method, x.path, "[2,3]", x.more), 501,
                 "not_implemented");
  }
  EXPECT_EQ(counter_value(node, "k"), "0");
  EXPECT_THAT(get(node, "/metrics").body,
              HasSubstr("troupe_calls_total{kind=\"function\",name=\"add\","
                        "version=\"1\"} 0\n"));
}

TEST(surface, an_idempotency_key_on_a_sync_invoke_is_a_bad_request) {
  example_node node;
  expect_error(post(node, "/invoke/add", "[2,3]", {"Idempotency-Key: a"}), 400,
               "bad_request");
}

TEST(surface, other_preferences_are_ignored) {
  example_node node;
  expect_ok(post(node, "/invoke/add", "[2,3]",
                 {"Prefer: wait=10, respond-asynchronously, x=respond-async"}),
            "5");
}

// -- methods -----------------------------------------------------------------

TEST(surface, a_wrong_method_is_told_which_are_right) {
  example_node node;
  struct row {
    const char* path;
    const char* allowed;
    words wrong;
  };
  const std::vector<row> rows{
    {"/invoke/add", "POST", {"GET", "HEAD", "PUT", "DELETE", "PATCH", "BREW"}},
    {"/services/counter/k/get", "POST", {"GET", "HEAD", "PUT", "DELETE"}},
    {"/healthz", "GET, HEAD", {"POST", "PUT", "DELETE", "OPTIONS"}},
    {"/readyz", "GET, HEAD", {"POST"}},
    {"/metrics", "GET, HEAD", {"POST"}},
    {"/cluster", "GET, HEAD", {"POST"}},
    {"/cluster/tree", "GET, HEAD", {"POST"}},
    {"/invocations/1", "GET, HEAD", {"POST"}},
    {"/services/counter", "GET, HEAD", {"POST", "PUT", "DELETE"}},
    {"/services/counter/k", "GET, HEAD, PUT, DELETE", {"POST", "PATCH"}}};
  for (auto& x : rows)
    for (auto& method : x.wrong) {
      SCOPED_TRACE(method + " " + x.path);
      auto answer = send(node, method, x.path, "1");
      EXPECT_EQ(answer.status, 405u);
      EXPECT_EQ(answer.field("Allow"), x.allowed);
      if (method != "HEAD")
        expect_error(answer, 405, "method_not_allowed");
    }
}

TEST(surface, head_answers_as_get_without_the_body) {
  example_node node;
  for (auto path : {"/healthz", "/readyz", "/cluster", "/cluster/tree"}) {
    auto full = get(node, path);
    auto head = send(node, "HEAD", path);
    EXPECT_EQ(head.status, 200u) << path;
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(head.field("Content-Type"), full.field("Content-Type"));
    EXPECT_EQ(head.field("Content-Length").empty(), false) << path;
  }
  // The connection goes on, at the right byte.
  raw_client client{node->port()};
  client.send(request("HEAD", "/healthz") + request("HEAD", "/nowhere")
              + request("POST", "/invoke/add", "[2,3]"));
  EXPECT_EQ(client.read(false).status, 200u);
  EXPECT_EQ(client.read(false).status, 404u);
  expect_ok(client.read(), "5");
}

// -- the protocol ------------------------------------------------------------

TEST(surface, http_1_0_is_answered_and_closed_unless_it_asks_to_stay) {
  example_node node;
  {
    raw_client client{node->port()};
    client.send("POST /invoke/add HTTP/1.0\r\nContent-Length: 5\r\n\r\n[2,3]");
    expect_ok(client.read(), "5");
    EXPECT_TRUE(client.at_end());
  }
  raw_client client{node->port()};
  for (int i = 0; i < 3; ++i) {
    client.send("POST /invoke/add HTTP/1.0\r\nConnection: keep-alive\r\n"
                "Content-Length: 5\r\n\r\n[2,3]");
    auto x = client.read();
    expect_ok(x, "5");
    EXPECT_EQ(x.field("Connection"), "keep-alive");
  }
}

TEST(surface, a_client_that_expects_a_continue_gets_it_before_its_body) {
  example_node node;
  raw_client client{node->port()};
  client.send("POST /invoke/add HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read().status, 100u);
  client.send("[2,3]");
  expect_ok(client.read(), "5");
  raw_client refused{node->port()};
  refused.send("POST /invoke/echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue"
               "\r\nContent-Length: 99999999\r\n\r\n");
  expect_error(refused.read(), 413, "payload_too_large");
}

// The first call of a function waits for its first instance. Its client, having
// closed its sending side, was taken for gone and answered 504.
TEST(surface, a_client_that_has_said_all_that_it_will_gets_its_answers) {
  for (auto path : {"/invoke/add", "/services/data_service/k/set_data"}) {
    example_node node;
    raw_client client{node->port()};
    client.send(request("POST", path, "[2,3]"));
    client.half_close();
    EXPECT_EQ(client.read().status, 200u) << path;
    EXPECT_TRUE(client.at_end());
  }
}

TEST(surface, pipelined_calls_are_answered_in_order) {
  example_node node;
  raw_client client{node->port()};
  std::string all = request("POST", "/invoke/sleep", "30");
  for (int i = 0; i < 50; ++i)
    all += request("POST", "/invoke/add", "[" + std::to_string(i) + ",1]");
  all += request("POST", "/invoke/fail", "x");
  all += request("POST", "/services/counter/k/increment");
  client.send(all);
  expect_ok(client.read(), "30");
  for (int i = 0; i < 50; ++i)
    expect_ok(client.read(), std::to_string(i + 1));
  expect_error(client.read(), 502, "std::runtime_error", "ran");
  expect_ok(client.read(), "1");
}

TEST(surface, good_requests_in_front_of_a_bad_one_are_answered_first) {
  example_node node;
  raw_client client{node->port()};
  client.send(request("POST", "/invoke/sleep", "20")
              + request("POST", "/services/counter/k/increment")
              + "garbage\r\n\r\n"
              + request("POST", "/services/counter/k/increment"));
  expect_ok(client.read(), "20");
  expect_ok(client.read(), "1");
  auto refused = client.read();
  expect_error(refused, 400, "bad_request");
  EXPECT_EQ(refused.field("Connection"), "close");
  EXPECT_TRUE(client.at_end());
  // What stood behind it was never begun.
  EXPECT_EQ(counter_value(node, "k"), "1");
}

TEST(surface, a_connection_stays_open_through_errors_of_calls) {
  example_node node;
  raw_client client{node->port()};
  auto turn = [&](const std::string& path, const std::string& body) {
    client.send(request("POST", path, body));
    return client.read();
  };
  for (int i = 0; i < 3; ++i) {
    expect_error(turn("/invoke/add", "[2"), 400, "bad_request");
    expect_error(turn("/invoke/nobody", ""), 404, "not_found");
    expect_error(turn("/invoke/fail", "m"), 502, "std::runtime_error", "ran");
    expect_ok(turn("/invoke/add", "[2,3]"), "5");
  }
}

TEST(surface, heads_past_the_limits_are_refused) {
  example_node node;
  auto fits =
    post(node, "/invoke/add", "[2,3]", {"X: " + std::string(31 * 1024, 'x')});
  expect_ok(fits, "5");
  auto long_head =
    post(node, "/invoke/add", "[2,3]", {"X: " + std::string(33 * 1024, 'x')});
  expect_error(long_head, 431, "headers_too_large");
  // With Host and Content-Length there are 100.
  expect_ok(post(node, "/invoke/add", "[2,3]", fields(98, "X: y")), "5");
  expect_error(post(node, "/invoke/add", "[2,3]", fields(99, "X: y")), 431,
               "headers_too_large");
}

// -- threads -----------------------------------------------------------------

TEST(surface, is_the_same_with_few_threads_and_with_many) {
  for (auto& threads : std::vector<words>{
         {"--scheduler.threads", "1", "--http.threads", "1"},
         {"--scheduler.threads", "8", "--http.threads", "4"}}) {
    example_node node{threads};
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back([&node, i] {
        raw_client client{node->port()};
        auto call = [&](const std::string& path, const std::string& body) {
          client.send(request("POST", path, body));
          return client.read();
        };
        auto key = "k" + std::to_string(i);
        for (int j = 0; j < 100; ++j) {
          auto number = std::to_string(j);
          expect_ok(call("/invoke/add", "[" + number + ",1]"),
                    std::to_string(j + 1));
          EXPECT_EQ(call("/services/counter/all/increment", "").status, 200u);
          expect_ok(call("/services/data_service/" + key + "/set_data", number),
                    number);
          expect_ok(call("/invoke/data_function", "\"" + key + "\""), number);
        }
      });
    for (auto& x : callers)
      x.join();
    EXPECT_EQ(counter_value(node, "all"), "800");
    EXPECT_EQ(node->stop(), 0) << node->log();
  }
}

// -- health, cluster ---------------------------------------------------------

TEST(surface, a_node_that_is_up_is_live_and_ready) {
  example_node node;
  EXPECT_EQ(get(node, "/healthz").status, 200u);
  EXPECT_EQ(get(node, "/readyz").status, 200u);
}

TEST(surface, cluster_lists_nodes_functions_and_services) {
  example_node node{{"--node.id", "first"}};
  auto x = get(node, "/cluster");
  EXPECT_EQ(x.field("Content-Type"), json_type);
  auto body = json::parse(x.body);
  ASSERT_EQ(body["nodes"].size(), 1u);
  auto self = body["nodes"][0];
  EXPECT_EQ(self["id"], "first");
  EXPECT_EQ(self["endpoint"], node->url());
  EXPECT_EQ(self["state"], "up");
  EXPECT_TRUE(self["incarnation"].is_string());
  EXPECT_TRUE(self["zone"].is_string());
  EXPECT_TRUE(self["shards"].is_number_unsigned());
  std::vector<std::string> names;
  for (auto& f : body["functions"])
    names.push_back(f["name"]);
  EXPECT_THAT(names, ::testing::ElementsAre("add", "data_function", "echo",
                                            "fail", "sleep"));
  names.clear();
  for (auto& s : body["services"])
    names.push_back(s["name"]);
  EXPECT_THAT(names, ::testing::ElementsAre("counter", "data_service"));
  EXPECT_EQ(body["functions"][0]["kind"], "function");
  EXPECT_EQ(body["functions"][0]["versions"], json::array({1}));
  EXPECT_EQ(body["services"][0]["methods"], json({"increment", "get"}));
  EXPECT_EQ(body["services"][0]["schema"], 1);
}

TEST(surface, a_node_by_itself_owns_every_key) {
  example_node node{{"--node.id", "first"}};
  auto x =
    json::parse(get(node, "/cluster/owner?service=counter&key=a%2Fb").body);
  EXPECT_EQ(x["node"], "first");
  EXPECT_EQ(x["endpoint"], node->url());
  EXPECT_LT(x["shard"], 1024);
  EXPECT_EQ(x["epoch"], 1);
  auto shards = json::parse(get(node, "/cluster/shards").body);
  EXPECT_EQ(shards["count"], 1024);
  ASSERT_EQ(shards["shards"].size(), 1024u);
  EXPECT_EQ(shards["shards"][7],
            json({{"shard", 7}, {"node", "first"}, {"epoch", 1}}));
}

TEST(surface, an_owner_is_asked_for_by_service_and_key) {
  example_node node;
  auto owner = [&](const std::string& query) {
    return get(node, "/cluster/owner" + query);
  };
  expect_error(owner(""), 400, "bad_request");
  expect_error(owner("?service=counter"), 400, "bad_request");
  expect_error(owner("?service=counter&key="), 400, "bad_request");
  expect_error(owner("?key=k&service=a%20b"), 400, "bad_request");
  expect_error(owner("?service=counter&key=k&key=l"), 400, "bad_request");
  expect_error(owner("?service=counter&key=k&more=1"), 400, "bad_request");
  expect_error(owner("?service=counter&key=%zz"), 400, "bad_request");
  expect_error(owner("?service=none&key=k"), 404, "not_found");
}

TEST(surface, only_nodes_that_there_are_can_be_told_to_drain) {
  example_node node;
  expect_error(post(node, "/cluster/drain"), 400, "bad_request");
  expect_error(post(node, "/cluster/drain?node="), 400, "bad_request");
  expect_error(post(node, "/cluster/drain?nodes=a"), 400, "bad_request");
  expect_error(post(node, "/cluster/drain?node=nobody"), 404, "not_found");
  expect_error(get(node, "/cluster/drain?node=nobody"), 405,
               "method_not_allowed");
  EXPECT_EQ(get(node, "/readyz").status, 200u);
}

TEST(surface, two_nodes_have_two_incarnations) {
  example_node first;
  example_node second;
  auto incarnation = [](const node_process& x) {
    return json::parse(get(x, "/cluster").body)["nodes"][0]["incarnation"];
  };
  EXPECT_NE(incarnation(first), incarnation(second));
}

} // namespace troupe::test
