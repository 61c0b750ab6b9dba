// Groups of queued calls over HTTP and the command line, and through the death of
// their node.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

namespace troupe::test {
namespace {

using ::testing::HasSubstr;
using json = nlohmann::json;

http_answer begin(const node_process& node, const std::string& spec,
                  fields more = {}) {
  more.push_back("Content-Type: application/json");
  return send(node, "POST", "/groups", spec, more);
}

json show(const node_process& node, const std::string& id) {
  auto answer = get(node, "/groups/" + id);
  EXPECT_EQ(answer.status, 200u) << answer.body;
  return json::parse(answer.body, nullptr, false);
}

bool has_ended(const node_process& node, const std::string& id) {
  return eventually([&] { return show(node, id)["state"] != "running"; });
}

json value_of(const node_process& node, const std::string& path) {
  auto answer = post(node, path);
  return answer.status == 200u ? json::parse(answer.body) : json{};
}

TEST(groups, call_what_follows_when_all_have_succeeded) {
  example_node node;
  auto made = begin(node, R"({"then":"data_service/sums/set_data","calls":[
    {"target":"add","input":[1,2]},
    {"target":"counter/k/increment","input":5},
    {"target":"echo","input":{"x":1}}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  std::string id = json::parse(made.body)["id"];
  EXPECT_THAT(made.head, HasSubstr("Location: /groups/" + id + "\r\n"));
  ASSERT_TRUE(has_ended(node, id));
  auto about = show(node, id);
  EXPECT_EQ(about["state"], "succeeded");
  EXPECT_EQ(about["calls"][0]["result"], 3);
  EXPECT_TRUE(eventually([&] {
    return value_of(node, "/services/data_service/sums/get_data").is_array();
  }));
  EXPECT_EQ(value_of(node, "/services/data_service/sums/get_data"),
            json::parse(R"([3,5,{"x":1}])"));
  // Each call is a queued call like any other.
  std::string call = about["calls"][1]["id"];
  EXPECT_EQ(json::parse(get(node, "/invocations/" + call).body)["result"], 5);
}

TEST(groups, tell_of_a_failure) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto made = begin(node, R"({"onFailure":"data_service/told/set_data","calls":[
    {"target":"add","input":[1,2]},{"target":"fail","input":"no"}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  ASSERT_TRUE(has_ended(node, json::parse(made.body)["id"]));
  EXPECT_TRUE(eventually([&] {
    return value_of(node, "/services/data_service/told/get_data").is_object();
  }));
  auto told = value_of(node, "/services/data_service/told/get_data");
  EXPECT_EQ(told["error"]["errorType"], "std::runtime_error");
  EXPECT_EQ(told["calls"][1]["state"], "failed");
}

TEST(groups, are_the_same_with_the_same_key) {
  example_node node;
  auto spec = R"({"then":"counter/times/increment","join":"any",
                  "calls":[{"target":"add","input":[0,1]}]})";
  fields key{"Idempotency-Key: a/b"};
  auto first = begin(node, spec, key);
  ASSERT_EQ(first.status, 202u) << first.body;
  EXPECT_THAT(first.head, HasSubstr("Location: /groups/key%3Aa%2Fb\r\n"));
  ASSERT_TRUE(has_ended(node, "key%3Aa%2Fb"));
  auto again = begin(node, spec, key);
  EXPECT_EQ(again.status, 202u);
  EXPECT_EQ(again.body, first.body);
  auto other = begin(node, R"({"calls":[{"target":"add"}]})", key);
  EXPECT_EQ(other.status, 422u) << other.body;
  EXPECT_TRUE(eventually(
    [&] { return value_of(node, "/services/counter/times/get") == 1; }));
}

TEST(groups, refuse_what_is_wrong_and_change_nothing) {
  example_node node;
  auto expect = [&](unsigned status, const std::string& spec,
                    const std::string& text) {
    auto answer = begin(node, spec);
    EXPECT_EQ(answer.status, status) << spec << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(text));
    EXPECT_THAT(answer.body, HasSubstr(R"("effect":"none")"));
  };
  expect(400, "", "bad_request");
  expect(400, R"({"calls":[]})", "bad_request");
  expect(400, R"({"calls":[{"target":"add"}],"join":"most"})", "bad_request");
  // Where a node connects to is not for its callers to say.
  for (auto url : {"http://127.0.0.1:9/x", "nats://127.0.0.1:9/x"}) {
    auto one = std::string{R"({"calls":[{"target":"add"}],")"};
    expect(400, one + "then\":\"" + url + "\"}", "is outside");
    expect(400, one + "onFailure\":[\"" + url + "\"]}", "is outside");
  }
  for (auto name : {"{id}", "{key}", "{x"})
    expect(400,
           R"({"calls":[{"target":"add"}],"then":"counter/)" + std::string{name}
             + R"(/get"})",
           "as it is written");
  expect(400, R"({"calls":[{"target":"add"}],"calls":[{"target":"echo"}]})",
         "a group has 'calls' twice");
  expect(400, R"({"calls":[{"target":"add","input":1,"input":2}]})",
         "a call of a group has 'input' twice");
  auto keyed =
    begin(node, R"({"calls":[{"target":"add"}]})", {"Troupe-Key: k"});
  EXPECT_EQ(keyed.status, 400u) << keyed.body;
  expect(404, R"({"calls":[{"target":"add"},{"target":"nobody"}]})",
         "not_found");
  expect(404, R"({"calls":[{"target":"counter/k/nothing"}]})", "not_found");
  expect(404, R"({"calls":[{"target":"add"}],"then":"nobody"})", "not_found");
  expect(404, R"({"calls":[{"target":"troupe-groups/g/cancel"}]})",
         "not_found");
  expect(404, R"({"calls":[{"target":"troupe-schedules/s/pause"}]})",
         "not_found");
  EXPECT_EQ(json::parse(get(node, "/groups").body)["groups"], json::array());
  EXPECT_TRUE(
    json::parse(get(node, "/queue?internal=true").body)["lanes"].empty());
  EXPECT_EQ(get(node, "/groups/none").status, 404u);
  EXPECT_EQ(post(node, "/groups/none/cancel").status, 404u);
  EXPECT_EQ(post(node, "/groups/none/begin").status, 404u);
  EXPECT_EQ(send(node, "PUT", "/groups/none", "{}").status, 405u);
  // They are nobody's service.
  EXPECT_EQ(post(node, "/services/troupe-groups/g/arrived", "{}").status, 404u);
  EXPECT_EQ(get(node, "/services/troupe-groups").status, 404u);
  EXPECT_THAT(get(node, "/cluster").body, Not(HasSubstr("troupe-groups")));
}

TEST(groups, outlive_their_node) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  std::string id;
  {
    node_process node{settings};
    auto made = begin(node, R"({"then":"counter/times/increment","join":"any",
      "calls":[{"target":"sleep","input":300},{"target":"sleep","input":300}]})");
    ASSERT_EQ(made.status, 202u) << made.body;
    id = json::parse(made.body)["id"];
    node.kill();
  }
  node_process node{settings};
  ASSERT_TRUE(has_ended(node, id));
  EXPECT_EQ(show(node, id)["state"], "succeeded");
  EXPECT_TRUE(eventually(
    [&] { return value_of(node, "/services/counter/times/get") == 300; }))
    << value_of(node, "/services/counter/times/get");
}

TEST(groups, join_a_pipeline) {
  example_node node{
    {"--queued", "echo=on-success:add,on-success:data_service/{id}/set_data,"
                 "join:all,then:data_service/{key}/set_data"}};
  auto made = send(node, "POST", "/invoke/echo", "[20,3]",
                   {"Prefer: respond-async", "Troupe-Key: order-7",
                    "Content-Type: application/json"});
  ASSERT_EQ(made.status, 202u) << made.body;
  auto read = [&] {
    return value_of(node, "/services/data_service/order-7/get_data");
  };
  EXPECT_TRUE(eventually([&] { return read().is_array(); }));
  EXPECT_EQ(read(), json::parse("[23,[20,3]]"));
  // It has the id of what led to it.
  std::string begun = json::parse(made.body)["id"];
  EXPECT_EQ(json::parse(get(node, "/invocations/" + begun).body)["group"],
            begun);
  auto about = show(node, json::parse(made.body)["id"]);
  EXPECT_EQ(about["state"], "succeeded");
  EXPECT_EQ(about["then"][0], "data_service/order-7/set_data");
}

TEST(groups, are_begun_and_shown_from_the_command_line) {
  example_node node;
  auto made = cli(node, {"group", "begin", "-d",
                         R"({"calls":[{"target":"add","input":[1,2]}]})"});
  ASSERT_EQ(made.status, 0) << made.err;
  auto id = made.out.substr(0, made.out.find('\n'));
  ASSERT_TRUE(has_ended(node, id));
  auto listed = cli(node, {"group", "list", "--json"});
  ASSERT_EQ(listed.status, 0) << listed.err;
  EXPECT_EQ(json::parse(listed.out)[0]["id"], id);
  EXPECT_THAT(cli(node, {"group", "list"}).out, HasSubstr("succeeded"));
  auto shown = cli(node, {"group", "show", id});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("add"));
  // It has ended already.
  auto cancelled = cli(node, {"group", "cancel", id});
  EXPECT_EQ(cancelled.status, 1);
  EXPECT_EQ(cancelled.out, "");
  EXPECT_THAT(cancelled.err, HasSubstr("has ended already"));
  auto none = cli(node, {"group", "show", "none"});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(cli(node, {"group", "begin"}).status, 2);
  EXPECT_EQ(cli(node, {"group", "begin", "-d", "{"}).status, 1);
  EXPECT_EQ(cli(node, {"group", "sing"}).status, 2);
  EXPECT_THAT(cli(node, {"group", "show"}).err,
              HasSubstr("Try 'troupe group show --help'"));
}

TEST(groups, that_are_cancelled_say_what_came_of_a_call_that_had_begun) {
  example_node node;
  auto made = begin(node, R"({"calls":[{"target":"sleep","input":3000}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  std::string id = json::parse(made.body)["id"];
  std::string call = show(node, id)["calls"][0]["id"];
  ASSERT_TRUE(eventually([&] {
    return json::parse(get(node, "/invocations/" + call).body)["state"]
           == "running";
  }));
  auto cancelled = cli(node, {"group", "cancel", id});
  EXPECT_EQ(cancelled.status, 0) << cancelled.err;
  EXPECT_THAT(cancelled.out, HasSubstr(call + "  abandoned"));
  EXPECT_EQ(show(node, id)["calls"][0]["state"], "abandoned");
  EXPECT_EQ(show(node, id)["abandoned"], 1);
  EXPECT_THAT(cli(node, {"group", "list"}).out, HasSubstr("ABANDONED"));
  EXPECT_EQ(cli(node, {"group", "cancel", id}).status, 0) << "it is cancelled";
  EXPECT_TRUE(eventually(
    [&] { return show(node, id)["calls"][0]["state"] == "succeeded"; }));
  EXPECT_EQ(show(node, id)["state"], "cancelled");
}

TEST(groups, name_what_they_have_called) {
  example_node node;
  auto made = begin(node, R"({"then":"counter/k/increment","join":"any",
    "calls":[{"target":"add","input":[1,2]}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  std::string id = json::parse(made.body)["id"];
  ASSERT_TRUE(has_ended(node, id));
  auto about = show(node, id);
  ASSERT_EQ(about["followedBy"].size(), 1u) << about;
  std::string next = about["followedBy"][0];
  EXPECT_EQ(json::parse(get(node, "/invocations/" + next).body)["target"],
            "counter/k/increment");
  EXPECT_THAT(cli(node, {"group", "show", id}).out, HasSubstr(next));
}

TEST(groups, say_that_what_followed_a_success_has_failed) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto made = begin(node, R"({"then":["fail","echo"],"calls":[
    {"target":"add","input":[1,2]}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  std::string id = json::parse(made.body)["id"];
  auto state_of = [&](size_t i) {
    auto about = show(node, id);
    return about.contains("followUps") ? about["followUps"][i]["state"]
                                       : json{};
  };
  EXPECT_TRUE(eventually([&] { return state_of(0) == "dead_lettered"; }));
  EXPECT_TRUE(eventually([&] { return state_of(1) == "succeeded"; }));
  auto about = show(node, id);
  EXPECT_EQ(about["state"], "succeeded");
  for (size_t i : {0u, 1u})
    EXPECT_EQ(about["followUps"][i]["id"], about["followedBy"][i]);
  EXPECT_EQ(about["followUps"][0]["target"], "fail");
  auto dead = about["followedBy"][0].get<std::string>();
  auto shown = cli(node, {"group", "show", id});
  EXPECT_THAT(shown.out, HasSubstr(dead + "  dead_lettered  fail"));
  // What is not there any more is said to be unknown.
  EXPECT_EQ(post(node, "/queue/purge?id=" + dead).status, 200u);
  EXPECT_EQ(show(node, id)["followUps"].size(), 1u);
  EXPECT_THAT(cli(node, {"group", "show", id}).out,
              HasSubstr(dead + "  -          -"));
}

TEST(groups, do_not_say_that_a_call_was_cancelled_which_runs) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto made = begin(node, R"({"onFailure":"data_service/told/set_data","calls":[
    {"target":"sleep","input":1500},{"target":"fail","input":"no"}]})");
  ASSERT_EQ(made.status, 202u) << made.body;
  std::string id = json::parse(made.body)["id"];
  auto told = [&] {
    return value_of(node, "/services/data_service/told/get_data");
  };
  ASSERT_TRUE(eventually([&] { return told().is_object(); }));
  EXPECT_EQ(told()["calls"][0]["state"], "abandoned");
  EXPECT_TRUE(eventually(
    [&] { return show(node, id)["calls"][0]["state"] == "succeeded"; }));
}

} // namespace
} // namespace troupe::test
