// POST /map on a real node: one request calls a function with many inputs, or
// many entities.

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;
using ::testing::HasSubstr;

json map(const node_process& node, const std::string& path,
         const std::string& body, const fields& more = {}) {
  auto x = post(node, "/map/" + path, body, more);
  EXPECT_EQ(x.status, 200u) << x.body;
  EXPECT_EQ(x.field("Content-Type"), "application/json");
  EXPECT_NE(x.field("Troupe-Invocation-Id"), "");
  return json::parse(x.body, nullptr, false);
}

/// `{1,2}` of "result": [1,2].
json results(const json& answer) {
  auto all = json::array();
  for (auto& x : answer.at("results"))
    all.push_back(x.at("result"));
  return all;
}

size_t count(const json& answer, const std::string& type,
             const std::string& effect) {
  auto& all = answer.at("results");
  return static_cast<size_t>(
    std::count_if(all.begin(), all.end(), [&](const json& x) {
      return x.contains("error") && x["error"]["errorType"] == type
             && x["error"]["effect"] == effect;
    }));
}

/// A row of /metrics; 0 if there is none.
double metric(const node_process& node, const std::string& row) {
  auto text = get(node, "/metrics").body;
  auto at = text.find("\n" + row);
  return at == text.npos ? 0 : std::stod(text.substr(text.find("} ", at) + 2));
}

TEST(map, answers_each_input_in_its_order) {
  example_node node;
  auto x = map(node, "add", "[[2,3], [4,5],\n[6,7]]");
  EXPECT_EQ(x["count"], 3);
  EXPECT_EQ(x["failed"], 0);
  EXPECT_EQ(results(x), json({5, 9, 13}));
  EXPECT_EQ(results(map(node, "sleep?parallel=4", "[40,1,20,0]")),
            json({40, 1, 20, 0}));
  EXPECT_EQ(map(node, "add", "[]"),
            json({{"count", 0}, {"failed", 0}, {"results", json::array()}}));
  EXPECT_EQ(results(map(node, "add:$LATEST", "[[1,1]]")), json({2}));
}

TEST(map, keeps_the_text_of_inputs_and_results) {
  example_node node;
  auto x =
    post(node, "/map/echo", "[1.50, 123456789012345678901234, \"\xC3\xA4\"]");
  EXPECT_EQ(x.body, "{\"count\":3,\"failed\":0,\"results\":[{\"result\":1.50},"
                    "{\"result\":123456789012345678901234},"
                    "{\"result\":\"\xC3\xA4\"}]}");
}

TEST(map, reads_lines_too) {
  example_node node;
  for (auto type : {"application/jsonl", "application/x-ndjson; charset=utf-8",
                    "Application/JSONL ;charset=utf-8"})
    EXPECT_EQ(results(map(node, "add", "[2,3]\n\n[4,5]\r\n",
                          {"Content-Type: " + std::string{type}})),
              json({5, 9}));
}

TEST(map, says_what_became_of_each_input) {
  example_node node;
  auto x =
    map(node, "add", R"([[1,2],["a",2],[3],[9223372036854775807,1],[3,4]])");
  EXPECT_EQ(x["count"], 5);
  EXPECT_EQ(x["failed"], 3);
  EXPECT_EQ(x["results"][0]["result"], 3);
  EXPECT_EQ(x["results"][1]["error"]["errorType"], "bad_request");
  EXPECT_EQ(x["results"][1]["error"]["effect"], "none");
  EXPECT_EQ(x["results"][2]["error"]["errorType"], "bad_request");
  EXPECT_EQ(x["results"][3]["error"]["errorType"], "std::overflow_error");
  EXPECT_EQ(x["results"][3]["error"]["effect"], "ran");
  EXPECT_EQ(x["results"][4]["result"], 7);
}

TEST(map, calls_a_method_of_each_entity) {
  example_node node;
  auto x =
    map(node, "services/counter/increment",
        R"(["a", {"key":"b","body":5}, {"key":"c","body":null}, "a/b"])");
  EXPECT_EQ(results(x), json({1, 5, 1, 1}));
  EXPECT_EQ(results(map(node, "services/counter/get",
                        R"(["b", "a", "c", "a/b", "d"])")),
            json({5, 1, 1, 1, 0}));
  auto once = R"([{"key":"d","idempotencyKey":"one"}, {"key":"e","body":"x"}])";
  for (int i = 0; i < 3; ++i) {
    auto y = map(node, "services/counter/increment", once);
    EXPECT_EQ(y["failed"], 1);
    EXPECT_EQ(y["results"][0]["result"], 1);
    EXPECT_EQ(y["results"][1]["error"]["errorType"], "bad_request");
  }
}

TEST(map, shows_a_lock_with_each_call_of_a_service) {
  example_node node;
  ASSERT_EQ(post(node, "/locks/door", R"({"ttlMs":60000})").status, 200u);
  auto keys = R"(["a","b"])";
  auto x =
    map(node, "services/counter/increment", keys, {"Troupe-Lock: door=1"});
  EXPECT_EQ(results(x), json({1, 1}));
  x = map(node, "services/counter/increment", keys, {"Troupe-Lock: door=2"});
  EXPECT_EQ(count(x, "lock_held", "none"), 2u) << x;
  EXPECT_EQ(results(map(node, "services/counter/get", keys)), json({1, 1}));
}

TEST(map, changes_what_it_says_that_it_changes) {
  example_node node;
  std::string keys;
  for (int i = 0; i < 1'000; ++i)
    keys.append(i > 0 ? "," : "")
      .append("\"k" + std::to_string(i % 100) + "\"");
  auto x =
    map(node, "services/counter/increment?parallel=200", "[" + keys + "]");
  EXPECT_EQ(x["failed"], 0);
  for (int i = 0; i < 100; i += 9)
    EXPECT_EQ(
      post(node, "/services/counter/k" + std::to_string(i) + "/get").body,
      "10");
}

TEST(map, ends_at_its_deadline_with_what_there_is) {
  example_node node;
  auto x = map(node, "sleep?parallel=3", "[0,0,60000,60000,60000,60000,60000]",
               {"Troupe-Timeout-Ms: 200"});
  EXPECT_EQ(x["failed"], 5);
  EXPECT_EQ(x["results"][1]["result"], 0);
  EXPECT_EQ(count(x, "deadline_exceeded", "unknown"), 3u);
  EXPECT_EQ(count(x, "deadline_exceeded", "none"), 2u);
}

TEST(map, has_only_so_many_calls_under_way) {
  example_node node;
  raw_client client{node->port()};
  client.send(request("POST", "/map/sleep?parallel=3",
                      "[60000,60000,60000,60000,60000]"));
  auto row = "troupe_calls_in_flight{kind=\"function\",name=\"sleep\"";
  EXPECT_TRUE(eventually([&] { return metric(node, row) == 3; }));
  client.reset();
}

// Nobody waits: what has not begun does not, and the node can leave.
TEST(map, drops_what_has_not_begun_when_its_client_has_gone) {
  example_node node{{"--limit", "sleep=concurrency:2"}};
  {
    raw_client client{node->port()};
    std::string body = "[500,500";
    for (int i = 0; i < 1'000; ++i)
      body += ",60000";
    client.send(request("POST", "/map/sleep", body + "]"));
    auto row = "troupe_calls_in_flight{kind=\"function\",name=\"sleep\"";
    EXPECT_TRUE(eventually([&] { return metric(node, row) == 2; }));
    client.reset();
  }
  EXPECT_EQ(post(node, "/invoke/sleep", "1").body, "1");
  auto row = "troupe_calls_total{kind=\"function\",name=\"sleep\"";
  EXPECT_TRUE(eventually([&] { return metric(node, row) == 3; }));
  EXPECT_EQ(node->stop(), 0);
}

// It looks as if it had gone, and may still read.
TEST(map, begins_nothing_more_for_a_client_that_has_closed_its_side) {
  example_node node{{"--limit", "sleep=concurrency:2"}};
  raw_client client{node->port()};
  std::string body = "[1500,1500";
  for (int i = 0; i < 1'000; ++i)
    body += ",60000";
  client.send(request("POST", "/map/sleep", body + "]"));
  auto row = "troupe_calls_in_flight{kind=\"function\",name=\"sleep\"";
  EXPECT_TRUE(eventually([&] { return metric(node, row) == 2; }));
  client.half_close();
  auto x = json::parse(client.read().body);
  EXPECT_EQ(x["failed"], 1'000);
  EXPECT_EQ(count(x, "deadline_exceeded", "none"), 1'000u);
  EXPECT_EQ(x["results"][1]["result"], 1500);
}

TEST(map, gives_way_where_there_is_little_room) {
  example_node node{{"--limit", "sleep=concurrency:2,queue:1"}};
  std::string body = "[1";
  for (int i = 0; i < 200; ++i)
    body += ",1";
  EXPECT_EQ(map(node, "sleep?parallel=64", body + "]")["failed"], 0);
}

TEST(map, keeps_results_within_a_bound) {
  example_node node;
  auto large = "\"" + std::string(5'000'000, 'x') + "\"";
  ASSERT_EQ(post(node, "/services/data_service/k/set_data", large).status,
            200u);
  std::string body = "[\"k\"";
  for (int i = 0; i < 15; ++i)
    body += ",\"k\"";
  auto x = map(node, "data_function?parallel=1", body + "]");
  EXPECT_EQ(x["count"], 16);
  EXPECT_EQ(x["failed"], 3); // 13 of them are less than 64 MiB
  EXPECT_EQ(count(x, "payload_too_large", "unknown"), 3u);
  // The room is there again for the next one.
  EXPECT_EQ(map(node, "data_function", "[\"k\",\"k\"]")["failed"], 0);
}

// -- what does not fit ---------------------------------------------------------

struct refused {
  std::string path;
  std::string body;
  fields more;
  unsigned status;
  std::string type;
};

TEST(map, refuses_what_it_cannot_do_before_it_begins) {
  example_node node;
  std::string many = "[\"watched\"";
  for (int i = 0; i < 10'000; ++i)
    many += ",\"watched\"";
  auto increment = "services/counter/increment";
  auto good = R"(["watched"])";
  auto with = [&](const char* field) {
    return refused{increment, good, {field}, 400, "bad_request"};
  };
  auto query = [&](const char* text) {
    return refused{
      std::string{increment} + "?" + text, good, {}, 400, "bad_request"};
  };
  for (auto& x : std::vector<refused>{
         {increment, "", {}, 400, "bad_request"},
         {increment, "{\"key\":\"watched\"}", {}, 400, "bad_request"},
         {increment, "[\"watched\"", {}, 400, "bad_request"},
         {increment, "[\"watched\",1]", {}, 400, "bad_request"},
         {increment, "[\"watched\",\"\"]", {}, 400, "bad_request"},
         {increment,
          "[\"watched\",{\"key\":\"k\",\"by\":1}]",
          {},
          400,
          "bad_request"},
         {increment,
          "\"watched\"\n1",
          {"Content-Type: application/jsonl"},
          400,
          "bad_request"},
         {increment, many + "]", {}, 413, "payload_too_large"},
         {"echo",
          "[\"" + std::string(6'291'456, 'x') + "\"]",
          {},
          413,
          "payload_too_large"},
         query("parallel=0"),
         query("parallel=1025"),
         query("parallel=x"),
         query("parallel=1&parallel=1"),
         query("order=1"),
         query("%zz"),
         with("Troupe-Key: k"),
         with("If-Match: \"1\""),
         with("Idempotency-Key: k"),
         with("Troupe-Timeout-Ms: 0"),
         with("Troupe-Timeout-Ms: 900001"),
         {increment, good, {"Prefer: respond-async"}, 501, "not_implemented"},
         {increment, good, {"Troupe-Lock: a"}, 400, "bad_request"},
         {"add", "[[1,2]]", {"Troupe-Lock: a=1"}, 400, "bad_request"},
         {"services/counter/nothing", good, {}, 404, "not_found"},
         {"services/nobody/get", good, {}, 404, "not_found"},
         {"services/a.b/get", good, {}, 400, "bad_request"},
         {"services/counter", good, {}, 404, "not_found"},
         {"services/counter/k/increment", good, {}, 404, "not_found"},
         {"nobody", "[1]", {}, 404, "not_found"},
         {"add:nobody", "[[1,2]]", {}, 404, "not_found"},
         {"a.b", "[1]", {}, 400, "bad_request"},
         {"", "[1]", {}, 400, "bad_request"},
       }) {
    auto answer = post(node, "/map/" + x.path, x.body, x.more);
    auto what = x.path + " " + x.body.substr(0, 80);
    EXPECT_EQ(answer.status, x.status) << what << answer.body;
    EXPECT_EQ(answer.error_type(), x.type) << what;
    EXPECT_EQ(answer.effect(), "none") << what;
  }
  auto x = get(node, "/map/add");
  EXPECT_EQ(x.status, 405u);
  EXPECT_EQ(x.field("Allow"), "POST");
  EXPECT_EQ(post(node, "/services/counter/watched/get").body, "0");
}

// -- the command line ----------------------------------------------------------

TEST(map, is_a_command) {
  example_node node;
  auto x = cli(node, {"map", "add", "--input", "-"}, "[2,3]\n[4,5]\n");
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.err, "");
  EXPECT_EQ(x.out, "{\"index\":0,\"result\":5}\n{\"index\":1,\"result\":9}\n");
  x = cli(node, {"map", "counter", "increment", "--input", "-"},
          "\"a\"\n{\"key\":\"b\",\"body\":2}\n");
  EXPECT_EQ(x.out, "{\"index\":0,\"result\":1}\n{\"index\":1,\"result\":2}\n");
  x = cli(node, {"map", "add", "--input", "-"}, "[1]\n[4,5]\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.err, "error: 1 of 2 failed\n");
  EXPECT_THAT(x.out, HasSubstr("{\"index\":1,\"result\":9}\n"));
}

TEST(map, takes_files_of_any_length_on_the_command_line) {
  example_node node;
  std::string in;
  std::string out;
  for (int i = 0; i < 30'000; ++i) {
    in.append("[").append(std::to_string(i)).append(",1]\n");
    out.append("{\"index\":").append(std::to_string(i));
    out.append(",\"result\":").append(std::to_string(i + 1)).append("}\n");
  }
  auto x = cli(node, {"map", "add", "--input", "-"}, in);
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_TRUE(x.out == out);
}

} // namespace
} // namespace troupe::test
