// Groups of queued calls in a cluster whose nodes are killed: what follows a group
// follows once, with the outcomes of all its calls.
//
// A client that is not told whether its group was accepted asks another node with
// the same key.

#include <iostream>

#include <gtest/gtest.h>

#include "tests/support/node_cluster.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;

constexpr int group_count = 200;
constexpr int kill_after = 43;
const words ids{"a", "b", "c"};

bool waits_for_all(int group) {
  return group % 4 != 0;
}

json call_of(const std::string& target, json input) {
  return {{"target", target}, {"input", std::move(input)}};
}

/// Milliseconds that one of the calls takes, so that a node that is killed leaves
/// many behind.
constexpr int pause = 300;

/// Five calls. Of `all`, their results are `group` five times, six, and `pause`.
std::string spec(int group) {
  json result{{"calls", json::array()}, {"join", "all"}};
  auto& calls = result["calls"];
  if (waits_for_all(group)) {
    for (int i = 1; i <= 3; ++i)
      calls.push_back(call_of("add", {group, i}));
    calls.push_back(call_of("sleep", pause + group));
    calls.push_back(
      call_of("data_service/d" + std::to_string(group) + "/set_data", group));
    result["then"] = "tally/all/take";
  } else {
    for (int i = 0; i < 5; ++i)
      calls.push_back(call_of("add", {0, 1}));
    result["join"] = "any";
    result["then"] = "counter/any/increment";
  }
  return result.dump();
}

class group_cluster : public ::testing::TestWithParam<store_kind> {
protected:
  group_cluster() { nodes_.start_all(ids); }

  cluster_settings settings() {
    cluster_settings result;
    result.store = store_.get();
    result.options = {
      "--plugin", test_plugin("tally"),
      "--queued", "add=attempts:20,pause:20ms,max-pause:200ms",
      "--queued", "sleep=attempts:20,pause:20ms,max-pause:200ms",
      "--queued", "data_service/=pause:20ms,max-pause:200ms"};
    return result;
  }

  /// Until some node has accepted it.
  void begin(int group) {
    auto key = "Idempotency-Key: group-" + std::to_string(group);
    auto turn = group;
    auto accepted = eventually([&] {
      auto& node = nodes_[alive_[static_cast<size_t>(turn++) % alive_.size()]];
      auto answer = send(node, "POST", "/groups", spec(group),
                         {"Content-Type: application/json", key});
      if (answer.status != 202u)
        return false;
      EXPECT_EQ(json::parse(answer.body)["id"],
                "key:group-" + std::to_string(group));
      return true;
    });
    ASSERT_TRUE(accepted) << group;
  }

  std::string owner_of(int group) {
    return state("/cluster/owner?service=troupe-groups&key=key:group-"
                 + std::to_string(group))
      .value("node", alive_.front());
  }

  void kill(const std::string& victim) {
    nodes_[victim].kill();
    nodes_.forget(victim);
    std::erase(alive_, victim);
  }

  void start(const std::string& id) {
    nodes_.start(id);
    alive_.push_back(id);
  }

  json state(const std::string& path) {
    auto answer = get(nodes_[alive_.front()], path);
    return answer.status == 200u ? json::parse(answer.body) : json::object();
  }

  size_t count_groups(const std::string& wanted) {
    size_t result = 0;
    auto all = state("/groups?limit=1000");
    for (auto& x : all.value("groups", json::array()))
      result += x["state"] == wanted;
    return result;
  }

  /// Calls that had to be made more than once.
  size_t count_repeated() {
    size_t result = 0;
    for (int group = 0; group < group_count; ++group) {
      auto about = state("/groups/key%3Agroup-" + std::to_string(group));
      for (auto& x : about.value("calls", json::array()))
        if (x["target"] == "sleep")
          result += state("/invocations/" + x["id"].get<std::string>())
                      .value("attempts", 0)
                    > 1;
    }
    return result;
  }

  /// Nothing but reminders of groups is there any more.
  bool is_quiet() {
    auto lanes = state("/queue?internal=true");
    if (!lanes.contains("lanes"))
      return false;
    for (auto& x : lanes["lanes"])
      if (x["running"] != 0
          || (x["lane"] != "troupe-groups/" && x["queued"] != 0))
        return false;
    return true;
  }

  std::unique_ptr<shared_store> store_ = GetParam().make();
  node_cluster nodes_{settings()};
  words alive_ = ids;
};

TEST_P(group_cluster, what_follows_follows_once_though_nodes_are_killed) {
  int64_t sum = 0;
  int64_t all = 0;
  size_t kills = 0;
  std::string down;
  for (int group = 0; group < group_count; ++group) {
    begin(group);
    if (waits_for_all(group)) {
      ++all;
      sum += 5 * group + 6 + pause;
    }
    if (group % kill_after != kill_after - 1)
      continue;
    if (!down.empty())
      start(down);
    down = owner_of(group - 1); // which waits for all
    ++kills;
    kill(down);
  }
  start(down);
  ASSERT_TRUE(eventually(
    [&] { return count_groups("succeeded") == size_t{group_count}; }))
    << count_groups("succeeded") << " succeeded, " << count_groups("failed")
    << " failed";
  EXPECT_TRUE(eventually([&] { return is_quiet(); }))
    << state("/queue?internal=true");
  auto tally = state("/services/tally/all");
  EXPECT_EQ(tally["times"], all);
  EXPECT_EQ(tally["sum"], sum);
  EXPECT_EQ(state("/services/counter/any")["value"], group_count - all);
  std::cout << group_count << " groups of 5 calls, " << kills
            << " kills: " << tally << ", " << count_repeated()
            << " sleeps made again" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(on, group_cluster,
                         ::testing::ValuesIn(shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::test
