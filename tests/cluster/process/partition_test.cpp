// Nodes that cannot reach each other, but the store: links only hint, so nobody
// is declared dead and no shard moves. What needs the broken way ends in time and
// says what happened; all else goes on.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/kept_evidence.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using ::testing::AnyOf;

class partition : public ::testing::TestWithParam<test::store_kind> {
protected:
  void SetUp() override {
    if (auto why = test::test_network::missing(); !why.empty())
      GTEST_SKIP() << "there can be no network of the test's own: " << why;
    network_.emplace(4);
    store_ = GetParam().make({&*network_, 3});
    test::cluster_settings settings;
    settings.store = store_.get();
    settings.network = &*network_;
    settings.logs = evidence_.path();
    nodes_ = std::make_unique<test::node_cluster>(settings);
    nodes_->start_all({"a", "b", "c"});
  }

  test::node_process& node(const std::string& id) { return (*nodes_)[id]; }

  test::http_answer increment(const std::string& at, const std::string& key,
                              std::chrono::milliseconds time = 10s) {
    return test::post(node(at), "/services/counter/" + key + "/increment", {},
                      {"Troupe-Timeout-Ms: " + std::to_string(time.count())});
  }

  void cut(const std::string& from, const std::string& to) {
    network_->cut(nodes_->host(from), nodes_->host(to));
  }

  /// Whether `at` gets through to the owner of `key`.
  bool reaches(const std::string& at, const std::string& key) {
    return increment(at, key, 1s).status == 200;
  }

  kept_evidence evidence_;
  std::optional<test::test_network> network_;
  std::unique_ptr<test::shared_store> store_;
  std::unique_ptr<test::node_cluster> nodes_;
};

TEST_P(partition, of_two_nodes_ends_their_calls_in_time_and_moves_nothing) {
  auto of_b = nodes_->key_of("b");
  auto of_c = nodes_->key_of("c");
  ASSERT_EQ(increment("a", of_b).body, "1");
  cut("a", "b");
  cut("b", "a");
  // It is under way when the silence is noticed, or waits for the link: the time
  // it has is not enough for that.
  for (int i = 0; i < 3; ++i) {
    auto begin = clock::now();
    auto x = increment("a", of_b, 1500ms);
    EXPECT_LT(clock::now() - begin, 4s);
    EXPECT_THAT(x.error_type(),
                AnyOf("deadline_exceeded", "outcome_unknown", "not_owner"))
      << x.body;
    EXPECT_THAT(x.effect(), AnyOf("none", "unknown"));
    EXPECT_EQ(x.status, x.error_type() == "not_owner" ? 503u : 504u);
    // Everybody else is served as before.
    EXPECT_EQ(increment("a", of_c).status, 200u);
    EXPECT_EQ(increment("b", of_c).status, 200u);
    EXPECT_EQ(increment("b", of_b).status, 200u);
    EXPECT_EQ(increment("c", of_b).status, 200u);
  }
  // Calls that have not left are known not to have run.
  auto x = increment("a", of_b, 500ms);
  EXPECT_EQ(x.effect(), "none") << x.body;
  EXPECT_EQ(nodes_->owner("a", of_b), "b");
  EXPECT_EQ(nodes_->seen_by("a").size(), 3u);
  network_->heal();
  EXPECT_TRUE(test::eventually([&] { return reaches("a", of_b); }));
  // A call that waits for the link is done when that is back.
  cut("a", "b"); // what b says still comes through
  EXPECT_TRUE(test::eventually(
    [&] { return increment("a", of_b, 200ms).effect() == "none"; }));
  std::thread healer{[&] {
    EXPECT_TRUE(test::eventually(
      [&] { return nodes_->metric("a", "troupe_cluster_calls_held") > 0; }));
    network_->heal();
  }};
  auto waited = increment("a", of_b);
  EXPECT_EQ(waited.status, 200u) << waited.body;
  healer.join();
  for (auto id : {"a", "b", "c"}) {
    EXPECT_EQ(nodes_->metric(id, "troupe_cluster_fenced_total"), 0) << id;
    EXPECT_EQ(nodes_->metric(id, "troupe_cluster_nodes_declared_dead_total"), 0)
      << id;
  }
}

INSTANTIATE_TEST_SUITE_P(on, partition,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
