// Calls that are queued on a real node: over HTTP, from the command line, with
// kill -9.

#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/process.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::string async = "Prefer: respond-async";

/// Queues a call; its path under /invocations.
std::string queue(const node_process& node, const std::string& path,
                  const std::string& body, fields more = {}) {
  more.push_back(async);
  auto x = post(node, path, body, more);
  EXPECT_EQ(x.status, 202u) << x.body;
  EXPECT_EQ(x.field("Preference-Applied"), "respond-async");
  auto where = x.field("Location");
  EXPECT_THAT(where, MatchesRegex("/invocations/[0-9a-f]{32}"));
  EXPECT_EQ(where, "/invocations/" + json::parse(x.body).value("id", ""));
  return where;
}

json look(const node_process& node, const std::string& where) {
  auto x = get(node, where);
  EXPECT_EQ(x.status, 200u) << x.body;
  return json::parse(x.body, nullptr, false);
}

/// What became of it, once it is over.
json outcome(const node_process& node, const std::string& where) {
  json result;
  EXPECT_TRUE(eventually([&] {
    result = look(node, where);
    auto state = result.value("state", "");
    return state != "queued" && state != "running";
  }))
    << result;
  return result;
}

/// Waits until it is in that state.
::testing::AssertionResult is_soon(const node_process& node,
                                   const std::string& where,
                                   const std::string& state) {
  json last;
  if (eventually([&] {
        last = look(node, where);
        return last.value("state", "") == state;
      }))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << last;
}

void expect_error(const http_answer& x, unsigned status,
                  const std::string& type) {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), "none") << x.body;
}

json lanes(const node_process& node) {
  return json::parse(get(node, "/queue").body).at("lanes");
}

TEST(queue, answers_at_once_and_keeps_the_result) {
  example_node node;
  auto x = outcome(node, queue(node, "/invoke/add", "[2,3]"));
  EXPECT_EQ(x["state"], "succeeded");
  EXPECT_EQ(x["target"], "add");
  EXPECT_EQ(x["result"], 5);
  EXPECT_EQ(x["attempts"], 1);
  EXPECT_TRUE(x.contains("createdAt") && x.contains("finishedAt")) << x;
  x = outcome(node, queue(node, "/services/counter/k/increment", "2"));
  EXPECT_EQ(x["target"], "counter/k/increment");
  EXPECT_EQ(x["result"], 2);
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "2");
}

TEST(queue, keeps_results_that_are_no_json) {
  example_node node;
  auto x = outcome(node, queue(node, "/invoke/echo", std::string{"\0\xFF", 2},
                               {"Content-Type: application/octet-stream"}));
  EXPECT_EQ(x["resultBase64"], "AP8=");
}

/// Kills a node on which some calls have begun and some wait.
void expect_all_done_after_a_kill(const node_settings& settings) {
  std::vector<std::string> all;
  {
    node_process node{settings};
    for (int i = 0; i < 50; ++i)
      all.push_back(queue(node, "/services/counter/k/increment", "1",
                          {"Troupe-Delay-Ms: " + std::to_string(i * 20 + 1)}));
    node.kill();
  }
  node_process next{settings};
  for (auto& x : all)
    EXPECT_EQ(outcome(next, x)["state"], "succeeded");
  EXPECT_EQ(post(next, "/services/counter/k/get").body, "50");
}

TEST(queue, has_accepted_durably_what_it_answered) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  expect_all_done_after_a_kill(settings);
}

TEST(queue, has_accepted_durably_what_it_answered_on_postgres) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = {"--store", testing::shared_postgres().new_database()};
  expect_all_done_after_a_kill(settings);
}

TEST(queue, takes_a_repeat_for_the_same_call) {
  example_node node;
  const std::string key = "Idempotency-Key: once";
  auto first = queue(node, "/services/counter/k/increment", "1", {key});
  EXPECT_EQ(queue(node, "/services/counter/k/increment", "1", {key}), first);
  outcome(node, first);
  EXPECT_EQ(queue(node, "/services/counter/k/increment", "1", {key}), first);
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "1");
  expect_error(post(node, "/services/counter/k/increment", "2", {async, key}),
               422, "idempotency_conflict");
  EXPECT_NE(queue(node, "/services/counter/l/increment", "1", {key}), first);
}

TEST(queue, refuses_what_has_no_meaning) {
  example_node node;
  expect_error(post(node, "/invoke/nobody", "1", {async}), 404, "not_found");
  for (auto field : {"Troupe-Delay-Ms: x", "Troupe-Delay-Ms: -1",
                     "Troupe-Delay-Ms: 99999999999999", "Troupe-Priority: 10",
                     "Troupe-Priority: x", "Troupe-Timeout-Ms: 5",
                     "Idempotency-Key: \xC3\xA4"})
    expect_error(post(node, "/invoke/add", "[1,2]", {async, field}), 400,
                 "bad_request");
  for (auto field : {"If-Match: \"1\"", "Troupe-Lock: a=1", "Troupe-Key: x"})
    expect_error(
      post(node, "/services/counter/k/increment", "1", {async, field}), 400,
      "bad_request");
  expect_error(post(node, "/invoke/echo", std::string(1'100'000, ' '), {async}),
               413, "payload_too_large");
  expect_error(get(node, "/invocations/1234"), 404, "not_found");
  expect_error(get(node, "/invocations/" + std::string(32, 'a')), 404,
               "not_found");
  expect_error(get(node, "/queue?x=1"), 400, "bad_request");
  expect_error(get(node, "/queue/invocations?state=gone"), 400, "bad_request");
  expect_error(get(node, "/queue/invocations?limit=1001"), 400, "bad_request");
  for (auto where :
       {"redrive", "purge", "redrive?state=queued&all=true",
        "purge?state=running&all=true", "purge?state=queued&all=true",
        "purge?all=yes", "purge?all=true&lane=add",
        "purge?state=queued&lane=troupe-schedules/",
        "purge?state=queued&lane=troupe-groups/"})
    expect_error(post(node, "/queue/" + std::string{where}), 400,
                 "bad_request");
  expect_error(post(node, "/queue/purge?all=true", R"({"lane":"add"})"), 400,
               "bad_request");
  expect_error(post(node, "/services/counter/k/incr", "", {async}), 404,
               "not_found");
  expect_error(post(node, "/invoke/add", "[1,2]", {"Troupe-Delay-Ms: 5"}), 400,
               "bad_request");
  expect_error(post(node, "/invoke/add", "[1,2]", {"Troupe-Priority: 5"}), 400,
               "bad_request");
  EXPECT_EQ(lanes(node), json::array());
}

TEST(queue, has_no_invocation_of_a_call_that_was_answered) {
  example_node node;
  auto x = post(node, "/invoke/add", "[2,3]");
  auto id = x.field("Troupe-Invocation-Id");
  ASSERT_NE(id, "");
  expect_error(get(node, "/invocations/" + id), 404, "not_found");
}

TEST(queue, tries_again_and_then_keeps_a_dead_letter) {
  example_node node{{"--queued", "fail=attempts:2,pause:10ms,max-pause:10ms"}};
  auto where = queue(node, "/invoke/fail", "no luck");
  auto x = outcome(node, where);
  EXPECT_EQ(x["state"], "dead_lettered");
  EXPECT_EQ(x["attempts"], 2);
  EXPECT_EQ(x["error"]["errorType"], "std::runtime_error");
  EXPECT_EQ(x["error"]["errorMessage"], "no luck");
  auto lane = lanes(node).at(0);
  EXPECT_EQ(lane["lane"], "fail");
  EXPECT_EQ(lane["deadLettered"], 1);
  auto count = [&](const std::string& what) {
    return json::parse(post(node, "/queue/" + what + "?all=true").body)
      .value("count", -1);
  };
  EXPECT_EQ(count("redrive"), 1);
  EXPECT_TRUE(is_soon(node, where, "dead_lettered"));
  EXPECT_EQ(count("purge"), 1);
  EXPECT_EQ(count("purge"), 0);
  expect_error(get(node, where), 404, "not_found");
}

TEST(queue, shows_a_dead_letter_as_it_was_called) {
  example_node node{{"--queued", "fail=attempts:2,pause:10ms,max-pause:10ms"}};
  auto where = queue(
    node, "/invoke/fail", "{\"no\": \"luck\"}",
    {"Content-Type: application/json", "Troupe-Key: k", "Troupe-Priority: 7"});
  ASSERT_EQ(outcome(node, where)["state"], "dead_lettered");
  auto call = look(node, where + "/call");
  EXPECT_EQ(call["target"], "fail");
  EXPECT_EQ(call["arguments"], json({{"no", "luck"}}));
  EXPECT_EQ(call["contentType"], "application/json");
  EXPECT_EQ(call["routingKey"], "k");
  EXPECT_EQ(call["priority"], 7);
  EXPECT_EQ(call["maxAttempts"], 2);
  EXPECT_FALSE(call.contains("origin")) << call;
  auto id = where.substr(where.rfind('/') + 1);
  auto shown = json::parse(cli(node, {"queue", "show", id}).out);
  EXPECT_EQ(shown["error"]["errorType"], "std::runtime_error");
  EXPECT_EQ(shown["call"]["arguments"], json({{"no", "luck"}}));
  EXPECT_FALSE(shown["call"].contains("target")) << shown;

  where = queue(node, "/invoke/fail", std::string{"\0\xFF", 2});
  ASSERT_EQ(outcome(node, where)["state"], "dead_lettered");
  EXPECT_EQ(look(node, where + "/call")["argumentsBase64"], "AP8=");
  auto call_of = [&](const std::string& path) {
    return json::parse(
      cli(node, {"queue", "show", path.substr(path.rfind('/') + 1)})
        .out)["call"];
  };
  EXPECT_EQ(call_of(where)["argumentsBase64"], "AP8=");
  where = queue(node, "/invoke/fail", "kein Glück");
  ASSERT_EQ(outcome(node, where)["state"], "dead_lettered");
  EXPECT_EQ(call_of(where)["argumentsText"], "kein Glück");
}

TEST(queue, shows_the_call_of_what_waits_and_of_nothing_that_is_over) {
  example_node node;
  auto waits = queue(node, "/invoke/add", "[2,3]", {"Troupe-Delay-Ms: 60000"});
  EXPECT_EQ(look(node, waits + "/call")["argumentsBase64"], "WzIsM10=");
  auto over = queue(node, "/invoke/add", "[2,3]");
  outcome(node, over);
  expect_error(get(node, over + "/call"), 404, "not_found");
  expect_error(get(node, "/invocations/" + std::string(32, 'f') + "/call"), 404,
               "not_found");
  expect_error(get(node, over + "/calls"), 404, "not_found");
  expect_error(get(node, over + "/call/more"), 404, "not_found");
  expect_error(get(node, over + "/call?x=1"), 400, "bad_request");
  EXPECT_EQ(post(node, waits + "/call").status, 405u);
  auto id = over.substr(over.rfind('/') + 1);
  EXPECT_FALSE(
    json::parse(cli(node, {"queue", "show", id}).out).contains("call"));
}

TEST(queue, says_where_a_dead_letter_comes_from) {
  example_node node{
    {"--queued", "add=on-success:fail", "--queued", "fail=attempts:1"}};
  auto where = queue(node, "/invoke/add", "[2,3]");
  auto next = outcome(node, where)["followUps"];
  ASSERT_EQ(next.size(), 1u) << next;
  auto failed = "/invocations/" + next[0]["id"].get<std::string>();
  ASSERT_TRUE(is_soon(node, failed, "dead_lettered"));
  auto origin = look(node, failed + "/call")["origin"];
  EXPECT_EQ(origin, json({{"follows", where.substr(where.rfind('/') + 1)}}));

  auto group = post(node, "/groups",
                    R"({"calls":[{"target":"add","input":[1,2]},
                        {"target":"add","input":[3,4]}]})");
  ASSERT_EQ(group.status, 202u) << group.body;
  // Its calls are over by now, or soon; what they were followed by is not of it.
  json listed;
  ASSERT_TRUE(eventually([&] {
    listed = json::parse(
      get(node, "/queue/invocations?state=dead_lettered&lane=fail").body);
    return listed["invocations"].size() == 3;
  }));
  for (auto& x : listed["invocations"]) {
    origin = look(node, "/invocations/" + x["id"].get<std::string>()
                          + "/call")["origin"];
    EXPECT_TRUE(origin.contains("follows")) << origin;
    EXPECT_FALSE(origin.contains("group")) << origin;
  }
}

TEST(queue, says_which_event_or_group_a_dead_letter_comes_from) {
  example_node node{{"--queued", "fail=attempts:1", "--event",
                     "orders=type:order,function:fail"}};
  auto sent = post(node, "/events", "{}",
                   {"ce-specversion: 1.0", "ce-type: order", "ce-id: 17",
                    "ce-source: /shop", "Content-Type: application/json"});
  ASSERT_EQ(sent.status, 202u) << sent.body;
  auto group = post(node, "/groups",
                    R"({"calls":[{"target":"add","input":[1,2]}],
                        "then":"fail"})");
  ASSERT_EQ(group.status, 202u) << group.body;
  json listed;
  ASSERT_TRUE(eventually([&] {
    listed =
      json::parse(get(node, "/queue/invocations?state=dead_lettered").body);
    return listed["invocations"].size() == 2;
  }))
    << listed;
  std::vector<json> origins;
  for (auto& x : listed["invocations"])
    origins.push_back(look(node, "/invocations/" + x["id"].get<std::string>()
                                   + "/call")["origin"]);
  EXPECT_THAT(
    origins,
    ::testing::UnorderedElementsAre(
      json({{"rule", "orders"}, {"eventSource", "/shop"}, {"eventId", "17"}}),
      json({{"followsGroup", json::parse(group.body)["id"]}})));
}

TEST(queue, shows_calls_that_are_as_deep_as_they_may_be) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto deep = std::string(512, '[') + std::string(512, ']');
  auto where =
    queue(node, "/invoke/fail", deep, {"Content-Type: application/json"});
  ASSERT_EQ(outcome(node, where)["state"], "dead_lettered");
  auto shown = cli(node, {"queue", "show", where.substr(where.rfind('/') + 1)});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(json::parse(shown.out)["call"]["arguments"], json::parse(deep));
}

TEST(queue, feeds_the_next_with_a_result_and_another_with_a_failure) {
  example_node node{
    {"--queued", "add=on-success:counter/{key}/increment,on-success:echo",
     "--queued", "fail=attempts:1,on-failure:data_service/{id}/set_data"}};
  outcome(node, queue(node, "/invoke/add", "[2,3]", {"Troupe-Key: sums"}));
  outcome(node, queue(node, "/invoke/add", "[4,5]", {"Troupe-Key: sums"}));
  EXPECT_TRUE(eventually(
    [&] { return post(node, "/services/counter/sums/get").body == "14"; }));
  auto where = queue(node, "/invoke/add", "[1,1]", {"Troupe-Key: sums"});
  auto next = outcome(node, where)["followUps"];
  ASSERT_EQ(next.size(), 2u) << next;
  EXPECT_EQ(next[0]["target"], "counter/sums/increment");
  EXPECT_EQ(next[1]["target"], "echo");
  std::string second = next[1]["id"];
  EXPECT_EQ(outcome(node, "/invocations/" + second)["result"], 2);
  where = queue(node, "/invoke/fail", "oh");
  auto failed = outcome(node, where);
  EXPECT_EQ(failed["state"], "failed");
  ASSERT_EQ(failed["followUps"].size(), 1u) << failed;
  auto id = where.substr(where.rfind('/') + 1);
  std::string text;
  ASSERT_TRUE(eventually([&] {
    text = post(node, "/services/data_service/" + id + "/get_data").body;
    return text != "null";
  }));
  auto notice = json::parse(text);
  EXPECT_EQ(notice["id"], id);
  EXPECT_EQ(notice["target"], "fail");
  EXPECT_EQ(notice["error"]["errorMessage"], "oh");
  EXPECT_EQ(notice["argumentsBase64"], "b2g=");
}

TEST(queue, says_what_waits_for_a_function_that_is_not_there) {
  example_node node{{"--queued",
                     "add=on-success:nobody,on-failure:counter/k/gt",
                     "--queued", "counter=attempts:2"}};
  EXPECT_THAT(node->log(), HasSubstr("this node has no function 'nobody'"));
  EXPECT_THAT(node->log(), HasSubstr("'counter' has no method 'gt'"));
  EXPECT_THAT(node->log(), HasSubstr("is 'counter/' meant?"));
  outcome(node, queue(node, "/invoke/add", "[2,3]"));
  auto listed = json::parse(get(node, "/queue/invocations").body);
  ASSERT_EQ(listed["invocations"].size(), 1u) << listed;
  auto x = listed["invocations"][0];
  EXPECT_EQ(x["target"], "nobody");
  EXPECT_EQ(x["error"]["errorType"], "not_found");
  EXPECT_THAT(x["error"]["errorMessage"].get<std::string>(),
              HasSubstr("no function 'nobody'"));
  auto shown = cli(node, {"queue", "show", x["id"], "--json"});
  EXPECT_EQ(json::parse(shown.out)["error"], x["error"]) << shown.err;
}

TEST(queue, says_what_a_follow_up_without_a_key_lacks) {
  example_node node{{"--queued", "add=on-success:counter/{key}/increment"}};
  outcome(node, queue(node, "/invoke/add", "[2,3]"));
  std::string body;
  EXPECT_TRUE(eventually([&] {
    body = get(node, "/queue/invocations?state=dead_lettered").body;
    return body.find("Troupe-Key") != body.npos;
  }))
    << body;
}

TEST(queue, knows_no_lane_that_is_not_there) {
  example_node node;
  auto expect_meant = [&](const std::string& lane, const std::string& other) {
    for (auto what : {"redrive?", "purge?", "purge?state=queued&"}) {
      auto x = post(node, std::string{"/queue/"} + what + "lane=" + lane);
      expect_error(x, 404, "not_found");
      EXPECT_THAT(x.body, HasSubstr("'" + other + "' meant"));
    }
  };
  expect_meant("counter", "counter/");
  expect_meant("conter/", "counter/");
  expect_meant("slep", "sleep");
  auto x = post(node, "/queue/redrive?lane=something-else");
  expect_error(x, 404, "not_found");
  EXPECT_THAT(x.body, Not(HasSubstr("meant")));
  EXPECT_EQ(post(node, "/queue/redrive?lane=add").body, R"({"count":0})");
  EXPECT_EQ(post(node, "/queue/redrive?lane=https://a.example").status, 200u);
  for (auto lane : {"counter", "slep"})
    expect_error(get(node, std::string{"/queue/invocations?lane="} + lane), 404,
                 "not_found");
  EXPECT_EQ(get(node, "/queue/invocations?lane=add").body,
            R"({"invocations":[],"next":null})");
  EXPECT_EQ(cli(node, {"queue", "list", "--lane", "counter"}).status, 1);
  auto told = cli(node, {"queue", "redrive", "--lane", "counter"});
  EXPECT_EQ(told.status, 1);
  EXPECT_EQ(told.out, "");
  EXPECT_THAT(told.err, HasSubstr("is 'counter/' meant?"));
  EXPECT_EQ(cli(node, {"queue", "purge", "--lane", "add"}).out, "0\n");
}

TEST(queue, leaves_out_what_schedules_keep_there) {
  example_node node;
  json daily{{"expression", "rate(1 day)"}, {"target", "add"}};
  auto made = send(node, "PUT", "/schedules/later", daily.dump());
  ASSERT_EQ(made.status, 200u) << made.body;
  EXPECT_EQ(lanes(node), json::array());
  auto all = json::parse(get(node, "/queue?internal=true").body)["lanes"];
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["lane"], "troupe-schedules/");
  auto all_of = [&](const std::string& query) {
    return json::parse(get(node, "/queue/invocations" + query).body)
      .at("invocations");
  };
  auto list = [&](const std::string& query) { return all_of(query).size(); };
  EXPECT_EQ(list(""), 0u);
  EXPECT_EQ(list("?internal=true"), 1u);
  EXPECT_EQ(list("?lane=troupe-schedules/"), 1u);
  auto id = all_of("?internal=true")[0]["id"].get<std::string>();
  expect_error(post(node, "/queue/purge?state=queued&id=" + id), 400,
               "bad_request");
  EXPECT_EQ(list("?internal=true"), 1u);
  EXPECT_EQ(cli(node, {"queue", "--json"}).out, "[]\n");
  EXPECT_THAT(cli(node, {"queue", "--all"}).out,
              HasSubstr("troupe-schedules/"));
  EXPECT_EQ(cli(node, {"queue", "list", "--json"}).out, "[]\n");
  EXPECT_THAT(cli(node, {"queue", "list", "--all"}).out,
              HasSubstr("troupe-schedules/later/fire"));
  expect_error(get(node, "/queue?internal=yes"), 400, "bad_request");
}

TEST(queue, takes_higher_priorities_first) {
  example_node node{
    {"--limit", "hold=concurrency:1,queue:1", "--queue.concurrency", "1"},
    {test_plugin("misbehaving")}};
  auto first = queue(node, "/invoke/hold", "300");
  auto low = queue(node, "/invoke/hold", "1", {"Troupe-Priority: 1"});
  auto high = queue(node, "/invoke/hold", "2", {"Troupe-Priority: 8"});
  auto end_of = [&](auto& x) {
    return outcome(node, x).value("finishedAt", "");
  };
  EXPECT_LT(end_of(first), end_of(high));
  EXPECT_LE(end_of(high), end_of(low));
}

TEST(queue, is_seen_and_changed_on_the_command_line) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto id = cli(node, {"invoke", "add", "-d", "[2,3]", "--async"}).out;
  ASSERT_THAT(id, MatchesRegex("[0-9a-f]{32}\n"));
  id.pop_back();
  outcome(node, "/invocations/" + id);
  auto shown = json::parse(cli(node, {"queue", "show", id}).out);
  EXPECT_EQ(shown["result"], 5);

  auto later = cli(node, {"call", "counter", "k", "increment", "--async",
                          "--delay", "1h", "--priority", "7"})
                 .out;
  later.pop_back();
  auto dead = cli(node, {"invoke", "fail", "-d", "no", "--async"}).out;
  dead.pop_back();
  ASSERT_EQ(outcome(node, "/invocations/" + dead)["state"], "dead_lettered");

  EXPECT_THAT(cli(node, {"queue"}).out,
              MatchesRegex("LANE      QUEUED  RUNNING  DEAD  OLDEST *\n"
                           "counter/  1       0        0     20[^ ]*Z\n"
                           "fail      0       0        1     - *\n"));
  EXPECT_THAT(cli(node, {"queue", "list"}).out,
              HasSubstr(later + "  counter/k/increment  7         0"));
  EXPECT_THAT(cli(node, {"queue", "list", "--state", "dead_lettered"}).out,
              HasSubstr("std::runtime_error: no\n"));
  EXPECT_EQ(json::parse(cli(node, {"queue", "list", "--json"}).out).at(0)["id"],
            later);
  EXPECT_EQ(cli(node, {"queue", "list"}).err, "");
  cli(node, {"call", "counter", "k", "increment", "--async", "--delay", "2h"});
  auto one = cli(node, {"queue", "list", "--limit", "1"});
  EXPECT_THAT(one.out, HasSubstr(later));
  EXPECT_THAT(one.err, HasSubstr("--limit"));
  EXPECT_EQ(cli(node, {"queue", "redrive", dead}).out, "1\n");
  EXPECT_TRUE(is_soon(node, "/invocations/" + dead, "dead_lettered"));
  EXPECT_EQ(cli(node, {"queue", "purge", "--all"}).out, "1\n");
  EXPECT_EQ(cli(node, {"queue", "purge", "--queued", "--lane", "counter/"}).out,
            "2\n");
  EXPECT_EQ(cli(node, {"queue", "--json"}).out, "[]\n");

  auto gone = cli(node, {"queue", "show", dead});
  EXPECT_EQ(gone.status, 1);
  EXPECT_EQ(gone.out, "");
  EXPECT_THAT(gone.err, HasSubstr("not_found"));
  EXPECT_EQ(cli(node, {"queue", "redrive", dead}).status, 1);
  for (auto& wrong :
       std::vector<words>{{"queue", "redrive"},
                          {"queue", "purge", dead, "--all"},
                          {"queue", "purge", "--all", "--queued"},
                          {"queue", "nothing"},
                          {"queue", "list", "--state", "x"},
                          {"invoke", "add", "--delay", "5"},
                          {"invoke", "add", "--async", "--delay", "x"}})
    EXPECT_EQ(cli(node, wrong).status, 2);
}

TEST(queue, is_in_the_metrics) {
  example_node node{{"--queued", "fail=attempts:1"}};
  outcome(node, queue(node, "/invoke/add", "[2,3]"));
  outcome(node, queue(node, "/invoke/fail", "no"));
  queue(node, "/invoke/add", "[2,3]", {"Troupe-Delay-Ms: 3600000"});
  std::string text;
  EXPECT_TRUE(eventually([&] {
    text = get(node, "/metrics").body;
    return text.find("troupe_queue_waiting{lane=\"add\"} 1") != text.npos;
  }))
    << text;
  for (auto row : {"troupe_queue_accepted_total 3",
                   "troupe_queue_attempts_total{outcome=\"succeeded\"} 1",
                   "troupe_queue_attempts_total{outcome=\"dead_lettered\"} 1",
                   "troupe_queue_dead_letters{lane=\"fail\"} 1",
                   "troupe_queue_oldest_seconds{lane=\"add\"} "})
    EXPECT_THAT(text, HasSubstr(row));
}

TEST(queue, lists_no_line_that_is_wider_than_the_terminal) {
  example_node node{{"--queued", "fail=attempts:1"}};
  const std::string message = "why " + std::string(300, 'x');
  auto id = queue(node, "/invoke/fail", message);
  ASSERT_EQ(outcome(node, id)["state"], "dead_lettered");
  testing::process_input what;
  what.command = {TROUPE_BINARY, "queue", "list", "--state", "dead_lettered"};
  what.environment = {"TROUPE_ENDPOINT=" + node.node.url(), "LC_ALL=C.UTF-8"};
  what.on_terminal = true; // of no known size
  auto narrow = testing::run_process(what).out;
  EXPECT_THAT(narrow, HasSubstr("std::runtime_error: why xxx"));
  std::istringstream lines{narrow};
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of('\r') + 1);
    EXPECT_LE(line.size(), 80u) << line;
    EXPECT_THAT(line, Not(HasSubstr("PRIORITY")));
  }
  // For programs all columns are there, and an error is cut as in other lists.
  what.on_terminal = false;
  auto whole = testing::run_process(what).out;
  EXPECT_THAT(whole, HasSubstr("PRIORITY"));
  EXPECT_THAT(whole, HasSubstr("std::runtime_error: why xxx"));
  EXPECT_THAT(whole, HasSubstr("xxx...\n"));
}

TEST(queue, asks_which_is_meant_of_two_ways_to_say_what_is_to_go) {
  example_node node;
  auto both = cli(node, {"queue", "purge", "--lane", "add", "--all"});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("--lane add and --all exclude each other: "
                                  "which is meant?"));
  auto none = cli(node, {"queue", "redrive"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("which? ID, --lane or --all"));
  EXPECT_THAT(post(node, "/queue/purge?all=true&lane=add").body,
              HasSubstr("which is meant"));
  EXPECT_THAT(post(node, "/queue/purge").body, HasSubstr("say which"));
}

TEST(queue, names_the_function_or_method_that_may_be_meant) {
  example_node node;
  for (auto& more : {fields{}, fields{async}}) {
    auto of = [&](const char* path) {
      return post(node, path, "1", more).body;
    };
    EXPECT_THAT(of("/invoke/addd"), HasSubstr("'addd'; is 'add' meant?"));
    EXPECT_THAT(of("/services/countr/k/get"), HasSubstr("is 'counter' meant?"));
    EXPECT_THAT(of("/services/counter/k/incremnt"),
                HasSubstr("is 'increment' meant?"));
    EXPECT_THAT(of("/invoke/nothing-like-it"), Not(HasSubstr("meant")));
    // What every node brings along is nobody's to call.
    EXPECT_THAT(of("/services/troupe-group/k/get"), Not(HasSubstr("meant")));
  }
  EXPECT_THAT(cli(node, {"invoke", "addd"}).err, HasSubstr("is 'add' meant?"));
}

} // namespace
} // namespace troupe::test
