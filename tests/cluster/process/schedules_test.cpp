// A schedule of a cluster fires each due time once, also when the node that it is
// on is killed, and another one goes on.

#include <ctime>

#include <gtest/gtest.h>

#include "tests/support/node_cluster.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;

int64_t seconds_of(const json& time) {
  std::tm parts{};
  auto text = time.get<std::string>();
  EXPECT_TRUE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts)) << text;
  return timegm(&parts);
}

int64_t count(const node_process& node) {
  auto answer = post(node, "/services/counter/ticks/get");
  return answer.status == 200u ? json::parse(answer.body).get<int64_t>() : -1;
}

/// The id of the node that has the entity; empty if it is not known.
std::string owner_of(const node_process& asked, const std::string& service,
                     const std::string& key) {
  auto answer = get(asked, "/cluster/owner?service=" + service + "&key=" + key);
  return answer.status == 200u ? json::parse(answer.body)["node"] : "";
}

TEST(cluster_schedules, each_due_time_fires_once_though_nodes_are_killed) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  json spec{{"expression", "rate(1 second)"},
            {"target", "counter/ticks/increment"},
            {"missed", "all"}};
  auto made = send(nodes["a"], "PUT", "/schedules/tick", spec.dump());
  ASSERT_EQ(made.status, 200u) << made.body;
  auto first = seconds_of(json::parse(made.body)["next"]);
  auto fires_on = [&](const std::string& asked) {
    auto before = count(nodes[asked]);
    return before >= 0
           && eventually([&] { return count(nodes[asked]) >= before + 2; });
  };
  ASSERT_TRUE(fires_on("a"));
  // The node of the schedule, that of the counter, and that of the schedule again.
  for (auto service : {"troupe-schedules", "counter", "troupe-schedules"}) {
    auto victim =
      owner_of(nodes["a"], service,
               service == std::string{"counter"} ? "ticks" : "tick");
    ASSERT_NE(victim, "");
    nodes[victim].kill();
    nodes.forget(victim);
    std::string other = victim == "b" ? "c" : "b";
    ASSERT_TRUE(eventually([&] { return count(nodes[other]) >= 0; }));
    EXPECT_TRUE(fires_on(other)) << "without " << victim;
    nodes.start(victim);
    nodes.settle();
    EXPECT_TRUE(fires_on(victim)) << "with " << victim;
  }
  auto paused = post(nodes["b"], "/schedules/tick/pause");
  ASSERT_EQ(paused.status, 200u) << paused.body;
  auto about = json::parse(paused.body);
  auto fired = about["fired"].get<int64_t>();
  EXPECT_EQ(fired, seconds_of(about["last"]) - first + 1);
  EXPECT_TRUE(eventually([&] { return count(nodes["c"]) == fired; }))
    << count(nodes["c"]) << " of " << fired;
  EXPECT_TRUE(eventually([&] {
    return json::parse(get(nodes["c"], "/queue?internal=true").body)["lanes"]
      .empty();
  }))
    << get(nodes["c"], "/queue?internal=true").body;
  EXPECT_EQ(count(nodes["a"]), fired);
}

} // namespace
} // namespace troupe::test
