// Ten times more than a node can do: what is taken is answered in time, what is
// not is told so at once, and nothing grows.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

struct tally {
  int done = 0;
  int refused = 0;
};

bool is_at_least_one(const std::string& text) {
  int value = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, value);
  return failed == std::errc{} && rest == end && value >= 1;
}

/// `clients` connections send `turns` calls each, all at once; every answer is
/// 200 or a well-formed 429.
tally overload(const node_process& node, size_t clients, int turns,
               const std::string& call, const std::string& result) {
  std::vector<std::unique_ptr<raw_client>> all;
  for (size_t i = 0; i < clients; ++i)
    all.push_back(std::make_unique<raw_client>(node.port()));
  tally count;
  for (int turn = 0; turn < turns; ++turn) {
    for (auto& x : all)
      x->send(call);
    for (auto& x : all) {
      auto answer = x->read();
      if (answer.status == 200) {
        EXPECT_EQ(answer.body, result);
        ++count.done;
        continue;
      }
      EXPECT_EQ(answer.status, 429u) << answer.head << answer.body;
      EXPECT_EQ(answer.error_type(), "too_many_requests");
      EXPECT_EQ(answer.effect(), "none");
      EXPECT_TRUE(is_at_least_one(answer.field("Retry-After"))) << answer.head;
      ++count.refused;
    }
  }
  return count;
}

} // namespace

TEST(overload, of_a_function_is_answered_200_in_time_or_429) {
  example_node node{{"--limit", "hold=concurrency:4,queue:8"},
                    {test_plugin("misbehaving")}};
  // Three turns of 30 ms are the longest that one may wait.
  auto call =
    request("POST", "/invoke/hold", "30", {"Troupe-Timeout-Ms: 20000"});
  auto count = overload(node, 120, 10, call, "30");
  EXPECT_EQ(count.done + count.refused, 1200);
  // Each turn fills the queue. Of the four that run there may be fewer: while
  // the pool has not yet given a free instance to one that waits, others are
  // refused.
  EXPECT_GE(count.done, 10 * 8);
  EXPECT_GT(count.refused, 0);
  EXPECT_EQ(post(node, "/invoke/add", "[2,3]").body, "5");
  EXPECT_EQ(post(node, "/invoke/held").body, std::to_string(count.done));
}

TEST(overload, of_a_function_without_a_queue_runs_what_it_can) {
  example_node node{{"--limit", "hold=concurrency:2,queue:0"},
                    {test_plugin("misbehaving")}};
  auto count =
    overload(node, 20, 10, request("POST", "/invoke/hold", "20"), "20");
  // Whoever comes while others are being refused may be refused beside a free
  // slot; but somebody always gets it.
  EXPECT_GE(count.done, 10);
  EXPECT_GT(count.refused, 0);
}

TEST(overload, does_not_make_the_node_grow) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps freed memory";
#endif
  example_node node{{"--limit", "hold=concurrency:4,queue:8"},
                    {test_plugin("misbehaving")}};
  auto round = [&] {
    auto body = std::string(20'000, ' ') + "5";
    overload(
      node, 100, 10,
      request("POST", "/invoke/hold", body, {"Troupe-Timeout-Ms: 20000"}), "5");
    return node->resident_bytes();
  };
  round();
  auto before = round();
  size_t after = 0;
  for (int i = 0; i < 3; ++i)
    after = round();
  // Three rounds of 20 MB of bodies; a leak of one in ten would show.
  EXPECT_LT(after, before + 4 * 1024 * 1024);
}

TEST(overload, of_one_function_is_none_of_another) {
  example_node node{{"--limit", "hold=concurrency:2,queue:2"},
                    {test_plugin("misbehaving")}};
  std::atomic<bool> done{false};
  std::thread crowd{[&] {
    while (!done)
      overload(node, 40, 1, request("POST", "/invoke/hold", "10"), "10");
  }};
  raw_client client{node->port()};
  for (int i = 0; i < 300; ++i) {
    client.send(request("POST", "/invoke/add", "[2,3]"));
    EXPECT_EQ(client.read().body, "5");
  }
  done = true;
  crowd.join();
}

TEST(overload, of_one_entity_is_answered_200_or_429_and_counts_exactly) {
  example_node node;
  std::string all;
  constexpr int connections = 8;
  constexpr int each = 400;
  for (int i = 0; i < each; ++i)
    all += request("POST", "/services/counter/hot/increment");
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<raw_client>(node->port()));
    clients.back()->send(all);
  }
  auto done = 0;
  for (auto& x : clients)
    for (int i = 0; i < each; ++i) {
      auto answer = x->read();
      if (answer.status == 200)
        ++done;
      else
        EXPECT_EQ(answer.status, 429u) << answer.body;
    }
  EXPECT_EQ(post(node, "/services/counter/hot/get").body, std::to_string(done));
}

TEST(overload, of_connections_is_told_so) {
  example_node node{{"--http.connections", "5"}};
  std::vector<std::unique_ptr<raw_client>> kept;
  for (int i = 0; i < 5; ++i) {
    kept.push_back(std::make_unique<raw_client>(node->port()));
    kept.back()->send(request("POST", "/invoke/add", "[2,3]"));
    EXPECT_EQ(kept.back()->read().body, "5");
  }
  auto x = post(node, "/invoke/add", "[2,3]");
  EXPECT_EQ(x.status, 429u);
  EXPECT_EQ(x.error_type(), "too_many_requests");
  EXPECT_TRUE(is_at_least_one(x.field("Retry-After")));
  kept.pop_back();
  EXPECT_TRUE(
    eventually([&] { return post(node, "/invoke/add", "[2,3]").body == "5"; }));
}

TEST(overload, is_less_by_those_who_go_away) {
  example_node node{{"--limit", "hold=concurrency:1,queue:2"},
                    {test_plugin("misbehaving")}};
  raw_client holder{node->port()};
  holder.send(request("POST", "/invoke/hold", "60000"));
  ASSERT_TRUE(
    eventually([&] { return post(node, "/invoke/held").body == "1"; }));
  auto probe = [&] {
    return post(node, "/invoke/hold", "0", {"Troupe-Timeout-Ms: 20"}).status;
  };
  {
    raw_client first{node->port()};
    raw_client second{node->port()};
    first.send(request("POST", "/invoke/hold", "0"));
    second.send(request("POST", "/invoke/hold", "0"));
    ASSERT_TRUE(eventually([&] { return probe() == 429; }));
  }
  // Their places are free: who comes now may wait.
  EXPECT_TRUE(eventually([&] { return probe() == 504; }));
  EXPECT_EQ(post(node, "/invoke/held").body, "1");
}

TEST(overload, is_less_by_those_whose_time_is_up) {
  example_node node{{"--limit", "hold=concurrency:1,queue:2"},
                    {test_plugin("misbehaving")}};
  raw_client holder{node->port()};
  holder.send(request("POST", "/invoke/hold", "60000"));
  ASSERT_TRUE(
    eventually([&] { return post(node, "/invoke/held").body == "1"; }));
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(post(node, "/invoke/hold", "0", {"Troupe-Timeout-Ms: 20"}).status,
              504u);
  EXPECT_EQ(post(node, "/invoke/held").body, "1");
}

} // namespace troupe::test
