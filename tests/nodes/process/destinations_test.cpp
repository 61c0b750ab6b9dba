// What follows queued calls outside of Troupe: a real node, and servers of the
// test that are told of its results and failures.

#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/canned_node.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;
using testing::canned_node;
using ::testing::HasSubstr;
using testing::received_request;

std::string plain(int status) {
  return testing::http_answer(status, "text/plain", "as told");
}

/// Queues a call; its id.
std::string queue(const node_process& node, const std::string& path,
                  const std::string& body, fields more = {}) {
  more.push_back("Prefer: respond-async");
  auto x = post(node, path, body, more);
  EXPECT_EQ(x.status, 202u) << x.body;
  return json::parse(x.body, nullptr, false).value("id", "");
}

/// The requests, once there are so many.
std::vector<received_request> requests_of(const canned_node& server,
                                          size_t count) {
  EXPECT_TRUE(eventually([&] { return server.requests().size() >= count; }));
  auto result = server.requests();
  EXPECT_EQ(result.size(), count);
  result.resize(count);
  return result;
}

/// Settings under which nobody waits long.
words quickly(const std::string& url, const std::string& more = "") {
  return {"--queued", url + "=pause:10ms,max-pause:50ms" + more};
}

words operator+(words x, const words& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

/// How much there is of a lane: `queued`, `running` or `deadLettered`.
int count_of(const node_process& node, const std::string& lane,
             const std::string& what) {
  auto lanes = json::parse(get(node, "/queue").body).at("lanes");
  for (auto& x : lanes)
    if (x["lane"] == lane)
      return x[what];
  return 0;
}

TEST(destinations, are_told_of_results) {
  canned_node server{[](auto&) { return plain(200); }};
  example_node node{
    {"--queued", "add=on-success:" + server.url() + "/sums/{key}?of={id}",
     "--queued", "counter/=on-success:" + server.url() + "/counts/{key}"}};
  auto trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  auto id =
    queue(node, "/invoke/add", "[2,3]",
          {"Troupe-Key: a%2Fb c", std::string{"traceparent: "} + trace});
  auto x = requests_of(server, 1)[0];
  EXPECT_EQ(x.line(), "POST /sums/a%2Fb%20c?of=" + id);
  EXPECT_EQ(x.field("ce-specversion"), "1.0");
  EXPECT_EQ(x.field("ce-id"), id);
  EXPECT_EQ(x.field("ce-source"), "/functions/add");
  EXPECT_EQ(x.field("ce-type"), "troupe.work.succeeded");
  EXPECT_EQ(x.field("ce-subject"), "a/b%20c");
  EXPECT_EQ(x.field("ce-time").size(), sizeof "2026-03-29T01:00:00Z" - 1);
  EXPECT_EQ(x.field("Content-Type"), "application/json");
  EXPECT_EQ(x.field("traceparent"), trace);
  EXPECT_EQ(x.body, "5");

  id = queue(node, "/services/counter/k/increment", "2");
  x = requests_of(server, 2)[1];
  EXPECT_EQ(x.line(), "POST /counts/k");
  EXPECT_EQ(x.field("ce-id"), id);
  EXPECT_EQ(x.field("ce-source"), "/services/counter/k/increment");
  EXPECT_EQ(x.body, "2");
}

TEST(destinations, are_told_of_failures) {
  canned_node server{[](auto&) { return plain(204); }};
  example_node node{{"--queued", "fail=attempts:1,on-failure:" + server.url()}};
  auto id = queue(node, "/invoke/fail", "oh");
  auto x = requests_of(server, 1)[0];
  EXPECT_EQ(x.line(), "POST /");
  EXPECT_EQ(x.field("ce-id"), id);
  EXPECT_EQ(x.field("ce-type"), "troupe.work.failed");
  auto notice = json::parse(x.body);
  EXPECT_EQ(notice["id"], id);
  EXPECT_EQ(notice["error"]["errorMessage"], "oh");
  EXPECT_EQ(json::parse(get(node, "/invocations/" + id).body)["state"],
            "failed");
}

TEST(destinations, are_told_again_while_they_are_busy) {
  std::atomic<int> asked{0};
  canned_node server{[&](auto&) { return plain(++asked <= 2 ? 503 : 200); }};
  example_node node{
    words{"--queued", "add=on-success:" + server.url() + "/sums"}
    + quickly(server.url())};
  auto id = queue(node, "/invoke/add", "[2,3]");
  auto all = requests_of(server, 3);
  for (auto& x : all) {
    EXPECT_EQ(x.field("ce-id"), id);
    EXPECT_EQ(x.field("ce-time"), all[0].field("ce-time"));
    EXPECT_EQ(x.body, "5");
  }
  EXPECT_TRUE(eventually([&] {
    return count_of(node, server.url(), "queued") == 0
           && count_of(node, server.url(), "running") == 0;
  }));
  EXPECT_EQ(count_of(node, server.url(), "deadLettered"), 0);
}

TEST(destinations, are_told_again_when_they_do_not_answer) {
  std::atomic<int> asked{0};
  canned_node server{
    [&](auto&) { return ++asked == 1 ? canned_node::silence : plain(200); }};
  example_node node{words{"--queue.send-timeout", "200ms", "--queued",
                          "add=on-success:" + server.url() + "/sums"}
                    + quickly(server.url())};
  auto id = queue(node, "/invoke/add", "[2,3]");
  auto all = requests_of(server, 2);
  EXPECT_EQ(all[0].field("ce-id"), id);
  EXPECT_EQ(all[1].field("ce-id"), id);
}

TEST(destinations, that_refuse_an_event_leave_a_dead_letter) {
  std::atomic<int> status{400};
  canned_node server{[&](auto&) { return plain(status); }};
  auto lane = server.url();
  example_node node{words{"--queued", "add=on-success:" + lane + "/sums"}
                    + quickly(lane)};
  queue(node, "/invoke/add", "[2,3]");
  EXPECT_TRUE(
    eventually([&] { return count_of(node, lane, "deadLettered") == 1; }));
  auto listed = cli(node, {"queue", "list", "--state", "dead_lettered",
                           "--lane", lane, "--json"});
  auto letter = json::parse(listed.out).at(0);
  EXPECT_EQ(letter["target"], lane + "/sums");
  EXPECT_EQ(letter["attempts"], 1);
  EXPECT_EQ(letter["error"]["errorType"], "bad_request");
  EXPECT_THAT(letter["error"]["errorMessage"], HasSubstr("answered 400"));
  status = 200;
  EXPECT_EQ(cli(node, {"queue", "redrive", letter["id"]}).out, "1\n");
  auto all = requests_of(server, 2);
  EXPECT_EQ(all[0].field("ce-id"), all[1].field("ce-id"));
}

TEST(destinations, are_not_left_by_a_key_that_leads_elsewhere) {
  canned_node server{[](auto&) { return plain(200); }};
  auto lane = server.url();
  example_node node{{"--queued", "add=on-success:" + lane + "/sums/{key}/x"}};
  queue(node, "/invoke/add", "[2,3]", {"Troupe-Key: %2e%2e"});
  queue(node, "/invoke/add", "[2,3]", {"Troupe-Key: %2e"});
  EXPECT_TRUE(
    eventually([&] { return count_of(node, lane, "deadLettered") == 2; }));
  queue(node, "/invoke/add", "[2,3]",
        {"Troupe-Key: ...", "traceparent: 00-\xff"});
  auto x = requests_of(server, 1)[0];
  EXPECT_EQ(x.line(), "POST /sums/.../x");
  EXPECT_EQ(x.field("traceparent"), "") << "it is no text";
}

TEST(destinations, that_are_stuck_hold_up_no_other) {
  canned_node stuck{[](auto&) { return canned_node::silence; }};
  canned_node server{[](auto&) { return plain(200); }};
  example_node node{{"--queued", "add=on-success:" + stuck.url()
                                   + ",on-success:" + server.url()}};
  constexpr size_t count = 300; // more than one lane may have under way
  for (size_t i = 0; i < count; ++i)
    queue(node, "/invoke/add", "[2,3]");
  requests_of(server, count);
}

/// Kills a node when a call is done and the server has not answered yet; the next
/// one tells it again.
void expect_told_after_a_kill(node_settings settings) {
  std::atomic<bool> is_silent{true};
  canned_node server{
    [&](auto&) { return is_silent ? canned_node::silence : plain(200); }};
  settings.options.insert(settings.options.end(),
                          {"--queued", "add=on-success:" + server.url()});
  std::string id;
  {
    node_process node{settings};
    id = queue(node, "/invoke/add", "[2,3]");
    requests_of(server, 1);
    is_silent = false;
    node.kill();
  }
  node_process next{settings};
  auto all = requests_of(server, 2);
  EXPECT_EQ(all[1].field("ce-id"), id);
  EXPECT_EQ(all[1].head, all[0].head);
  EXPECT_EQ(all[1].body, "5");
}

TEST(destinations, are_told_whatever_dies_before) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  expect_told_after_a_kill(settings);
}

TEST(destinations, are_told_whatever_dies_before_on_postgres) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = {"--store", testing::shared_postgres().new_database()};
  expect_told_after_a_kill(settings);
}

TEST(destinations, are_told_the_rest_after_a_node_that_leaves) {
  std::atomic<int> asked{0};
  canned_node server{
    [&](auto&) { return ++asked <= 3 ? canned_node::silence : plain(200); }};
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = {"--shutdown.timeout", "1s", "--queued",
                      "add=on-success:" + server.url()};
  {
    node_process node{settings};
    for (int i = 0; i < 3; ++i)
      queue(node, "/invoke/add", "[2,3]");
    requests_of(server, 3);
    node.stop();
  }
  node_process next{settings};
  requests_of(server, 6);
}

TEST(destinations, are_none_for_callers) {
  canned_node server{[](auto&) { return plain(200); }};
  example_node node;
  auto url = "http%3A%2F%2F" + server.url().substr(7) + "%2F";
  for (auto& path : {"/invoke/" + url, "/services/" + url + "/k/m",
                     std::string{"/invoke/troupe-post"}})
    for (auto& more : std::vector<fields>{{}, {"Prefer: respond-async"}}) {
      auto x = post(node, path, "1", more);
      EXPECT_TRUE(x.status == 400 || x.status == 404) << path << x.body;
    }
  auto spec =
    json{{"expression", "rate(1 second)"}, {"target", server.url() + "/"}};
  EXPECT_EQ(send(node, "PUT", "/schedules/s", spec.dump()).status, 400u);
  EXPECT_TRUE(server.requests().empty());
}

TEST(destinations, that_make_no_sense_are_refused_at_the_start) {
  for (auto settings :
       {"add=on-success:http://", "add=on-success:ftp://x/y",
        "add=on-success:http://u:p@x/", "add=on-success:http://x/{name}",
        "add=on-success:nats://x/a.*", "http://x/y=attempts:3", "://=age:1h"}) {
    testing::temporary_folder folder;
    node_settings wrong;
    wrong.folder = folder.path();
    wrong.options = {"--queued", settings};
    auto x = testing::run_process(node_command(wrong));
    EXPECT_EQ(x.status, 2) << settings << x.err;
    EXPECT_THAT(x.err, HasSubstr("queued")) << settings;
  }
}

} // namespace
} // namespace troupe::test
