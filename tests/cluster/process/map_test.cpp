// One call over many inputs, on several real nodes: all of them do a part, and
// what is said of each input is true, also when a node dies meanwhile.

#include <chrono>
#include <future>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/node_cluster.hpp"

namespace troupe::test {
namespace {

using namespace std::chrono_literals;
using json = nlohmann::json;
using clock = std::chrono::steady_clock;

/// A row of a node's metrics: "troupe_calls_total" of "sleep".
double metric(node_cluster& nodes, const std::string& id,
              const std::string& family, const std::string& name) {
  auto text = get(nodes[id], "/metrics").body;
  for (auto at = text.find("\n" + family + "{"); at != text.npos;
       at = text.find("\n" + family + "{", at + 1)) {
    auto row = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    if (row.find("name=\"" + name + "\"") != row.npos)
      return std::stod(row.substr(row.rfind(' ')));
  }
  return 0;
}

std::string repeated(size_t count, const std::string& value) {
  std::string result = "[";
  for (size_t i = 0; i < count; ++i)
    result.append(i > 0 ? "," : "").append(value);
  return result + "]";
}

std::string keys(size_t count) {
  std::string result = "[";
  for (size_t i = 0; i < count; ++i)
    result.append(i > 0 ? "," : "").append("\"k" + std::to_string(i) + "\"");
  return result + "]";
}

json map(const node_process& node, const std::string& path,
         const std::string& body) {
  auto x = post(node, "/map/" + path, body);
  EXPECT_EQ(x.status, 200u) << x.body;
  return json::parse(x.body, nullptr, false);
}

/// "result", or the type and effect of an error.
std::string outcome(const json& x) {
  if (x.contains("result"))
    return "result";
  return x["error"]["errorType"].get<std::string>() + "/"
         + x["error"]["effect"].get<std::string>();
}

TEST(cluster_map, has_every_node_do_a_part) {
  node_cluster nodes{{"--limit", "sleep=concurrency:4"}};
  nodes.start_all({"a", "b", "c"});
  auto begin = clock::now();
  auto x = map(nodes["a"], "sleep?parallel=24", repeated(120, "200"));
  auto took = clock::now() - begin;
  EXPECT_EQ(x["failed"], 0) << x.dump().substr(0, 500);
  // One node would need 120 / 4 * 200 ms.
  EXPECT_LT(took, 6s);
  double sum = 0;
  for (auto id : {"a", "b", "c"}) {
    auto calls = metric(nodes, id, "troupe_calls_total", "sleep");
    EXPECT_GE(calls, 12) << id;
    sum += calls;
    std::cout << id << ": " << calls << '\n';
  }
  EXPECT_EQ(sum, 120);
  std::cout
    << "took "
    << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
    << " ms\n";
}

TEST(cluster_map, changes_a_thousand_keys_wherever_they_are) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  for (auto asked : {"a", "b", "c"})
    EXPECT_EQ(map(nodes[asked], "services/counter/increment?parallel=100",
                  keys(1'000))["failed"],
              0);
  auto x = map(nodes["b"], "services/counter/get", keys(1'000));
  EXPECT_EQ(x["failed"], 0);
  ASSERT_EQ(x["results"].size(), 1'000u);
  for (auto& y : x["results"])
    ASSERT_EQ(y["result"], 3);
  double sum = 0;
  for (auto id : {"a", "b", "c"}) {
    auto calls = metric(nodes, id, "troupe_calls_total", "counter");
    EXPECT_GE(calls, 400) << id;
    sum += calls;
  }
  EXPECT_EQ(sum, 4'000);
}

TEST(cluster_map, tells_what_is_lost_with_a_node_that_dies) {
  node_cluster nodes{{"--limit", "sleep=concurrency:8"}};
  nodes.start_all({"a", "b", "c"});
  auto under_way = std::async(std::launch::async, [&] {
    return map(nodes["a"], "sleep?parallel=30", repeated(300, "100"));
  });
  ASSERT_TRUE(eventually(
    [&] { return metric(nodes, "c", "troupe_calls_total", "sleep") >= 8; }));
  nodes["c"].kill();
  auto x = under_way.get();
  EXPECT_EQ(x["count"], 300);
  std::map<std::string, size_t> outcomes;
  for (auto& y : x["results"])
    ++outcomes[outcome(y)];
  for (auto& [what, count] : outcomes)
    std::cout << what << ": " << count << '\n';
  EXPECT_GE(outcomes["instance_lost/unknown"], 1u);
  EXPECT_LE(outcomes["instance_lost/unknown"], 30u);
  EXPECT_EQ(outcomes["result"] + outcomes["instance_lost/unknown"], 300u);
}

// What is said of each key is compared with what is there.
TEST(cluster_map, says_the_truth_of_each_key_when_a_node_dies) {
  constexpr size_t count = 9'000;
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  auto under_way = std::async(std::launch::async, [&] {
    return map(nodes["a"], "services/counter/increment?parallel=40",
               keys(count));
  });
  ASSERT_TRUE(eventually(
    [&] { return metric(nodes, "c", "troupe_calls_total", "counter") >= 20; }));
  nodes["c"].kill();
  auto x = under_way.get();
  ASSERT_EQ(x["count"], count);
  nodes.forget("c");
  nodes.settle();
  auto there = map(nodes["b"], "services/counter/get", keys(count));
  ASSERT_EQ(there["failed"], 0);
  std::map<std::string, size_t> outcomes;
  for (size_t i = 0; i < count; ++i) {
    auto said = outcome(x["results"][i]);
    int value = there["results"][i]["result"];
    ++outcomes[said];
    if (said == "result")
      EXPECT_EQ(value, 1) << i;
    else if (said.ends_with("/none"))
      EXPECT_EQ(value, 0) << i << said;
    else
      EXPECT_TRUE(said.ends_with("/unknown") && (value == 0 || value == 1))
        << i << said << value;
  }
  for (auto& [what, n] : outcomes)
    std::cout << what << ": " << n << '\n';
  EXPECT_LE(count - outcomes["result"], 40u);
}

} // namespace
} // namespace troupe::test
