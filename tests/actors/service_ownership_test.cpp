// Entities that move from node to node: what a node does with calls for what it
// does not own, does not own any more, or owns again.

#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

using fate = testing::test_store::fate;

struct counter {
  int value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)

  int get() const { return value; }

  int increment(int by) { return value += by; }

  task<int> get_slowly(context& ctx) const {
    co_await ctx.sleep(1s);
    co_return value;
  }
};

module counters() {
  module m;
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment)
    .method("get_slowly", &counter::get_slowly);
  return m;
}

/// One shard a first letter; the test says which are owned.
class letters final : public entity_ownership {
public:
  uint32_t shard_of(const entity_id& x) const noexcept override {
    return static_cast<uint32_t>(x.key.front() - 'a');
  }

  uint64_t epoch(uint32_t shard) const noexcept override {
    auto i = epochs.find(shard);
    return i != epochs.end() ? i->second : 0;
  }

  std::optional<shard_ownership> find(uint32_t shard) const override {
    if (auto now = epoch(shard))
      return shard_ownership{shard, "me", now};
    return std::nullopt;
  }

  void doubt(uint32_t shard) noexcept override { doubted.push_back(shard); }

  std::map<uint32_t, uint64_t> epochs;
  std::vector<uint32_t> doubted;
};

struct lease_of_the_test final : node_lease {
  bool valid(std::chrono::steady_clock::time_point) const noexcept override {
    return is_valid;
  }

  bool is_valid = true;
};

struct ownership_outside {
  letters owned;
  lease_of_the_test lease;
};

class service_ownership : public ownership_outside, public service_fixture {
protected:
  service_ownership() : service_fixture(counters()) {}

  void SetUp() override {
    service_options options;
    options.ownership = &owned;
    options.lease = &lease;
    serve(options);
    own_shard(0, 1);
  }

  /// The node and the store agree on who owns `shard`.
  void own_shard(uint32_t shard, uint64_t epoch) {
    owned.epochs[shard] = epoch;
    store.owners[shard] = shard_ownership{shard, "me", epoch};
  }

  /// `shard` goes to another node, which changes `k` there.
  void lose_shard(uint32_t shard, uint64_t epoch) {
    owned.epochs[shard] = 0;
    store.owners[shard] = shard_ownership{shard, "you", epoch};
  }

  /// Lets the activations of `shard` go; true once they are gone.
  std::shared_ptr<bool> let_go(uint32_t shard) {
    auto result = std::make_shared<bool>(false);
    auto set = std::make_shared<std::vector<bool>>(26);
    (*set)[shard] = true;
    target().let_go(set, [result] { *result = true; });
    return result;
  }
};

TEST_F(service_ownership, serves_what_the_node_owns) {
  EXPECT_EQ(call("a", "increment", "2"), "2");
  EXPECT_EQ(call("a", "get"), "2");
}

TEST_F(service_ownership,
       refuses_what_it_does_not_own_without_asking_the_store) {
  EXPECT_EQ(call("b", "increment", "2"), "not_owner none");
  EXPECT_EQ(store.loads, 0u);
  EXPECT_EQ(target().stats().instances, 0u);
}

TEST_F(service_ownership, believes_the_store_that_it_is_not_the_owner) {
  owned.epochs[1] = 5; // so it thinks
  store.owners[1] = shard_ownership{1, "you", 6};
  EXPECT_EQ(call("b", "increment", "2"), "not_owner none");
  EXPECT_EQ(owned.doubted, std::vector<uint32_t>{1});
  EXPECT_EQ(store.tokens.count({"counter", "b"}), 0u);
}

TEST_F(service_ownership, answers_nothing_from_memory_once_the_shard_is_gone) {
  call("a", "increment", "1");
  lose_shard(0, 2);
  EXPECT_EQ(call("a", "get"), "not_owner none");
  EXPECT_EQ(call("a", "increment", "1"), "not_owner none");
  EXPECT_EQ(stored("a"), "1 {\"value\":1}");
}

TEST_F(service_ownership, reads_anew_what_comes_back) {
  call("a", "increment", "1");
  lose_shard(0, 2);
  store.take_over({"counter", "a"}, "{\"value\":9}");
  own_shard(0, 3);
  EXPECT_EQ(call("a", "get"), "9");
  EXPECT_EQ(call("a", "increment", "1"), "10");
}

TEST_F(service_ownership,
       a_read_that_ends_after_the_shard_is_gone_is_no_answer) {
  call("a", "increment", "1");
  auto read = begin("a", "get_slowly");
  run();
  lose_shard(0, 2);
  advance(2s);
  EXPECT_EQ(read->text(), "not_owner none");
}

TEST_F(service_ownership, a_read_that_ends_after_the_shard_came_back_is_none) {
  call("a", "increment", "1");
  auto read = begin("a", "get_slowly");
  run();
  lose_shard(0, 2);
  own_shard(0, 3);
  advance(2s);
  EXPECT_EQ(read->text(), "not_owner none");
}

TEST_F(service_ownership, a_commit_under_way_is_decided_by_the_store) {
  call("a", "get");
  store.held = true;
  auto change = begin("a", "increment", "1");
  auto next = begin("a", "increment", "1");
  run();
  lose_shard(0, 2);
  store.release();
  run();
  EXPECT_EQ(change->text(), "1");
  EXPECT_EQ(next->text(), "2") << "it was committed before anybody claimed it";
  EXPECT_EQ(call("a", "get"), "not_owner none");
}

TEST_F(service_ownership, an_unknown_commit_stays_so_when_the_shard_is_gone) {
  call("a", "get");
  store.fates = {fate::unknown_written};
  store.held = true;
  auto change = begin("a", "increment", "1");
  run();
  lose_shard(0, 2);
  store.release();
  advance(1s);
  EXPECT_EQ(change->text(), "outcome_unknown unknown");
}

TEST_F(service_ownership, idle_activations_of_a_shard_that_goes_end_at_once) {
  own_shard(1, 1);
  call("a", "increment", "1");
  call("aa", "increment", "1");
  call("b", "increment", "1");
  lose_shard(0, 2);
  auto gone = let_go(0);
  run();
  EXPECT_TRUE(*gone);
  EXPECT_EQ(target().stats().instances, 1u);
  EXPECT_EQ(call("b", "get"), "1");
}

TEST_F(service_ownership, busy_activations_end_what_they_are_in_first) {
  call("a", "get");
  store.held = true;
  auto change = begin("a", "increment", "1");
  run();
  owned.epochs[0] = 0; // it is about to be given away
  auto gone = let_go(0);
  run();
  EXPECT_FALSE(*gone);
  EXPECT_EQ(call("a", "get"), "not_owner none") << "no new ones";
  store.release();
  run();
  EXPECT_EQ(change->text(), "1");
  EXPECT_TRUE(*gone);
}

TEST_F(service_ownership, a_shard_without_activations_is_gone_at_once) {
  auto gone = let_go(7);
  run();
  EXPECT_TRUE(*gone);
}

TEST_F(service_ownership, answers_nothing_after_its_lease) {
  call("a", "increment", "1");
  lease.is_valid = false;
  EXPECT_EQ(call("a", "get"), "not_owner none");
  lease.is_valid = true;
  EXPECT_EQ(call("a", "get"), "1");
}

} // namespace
} // namespace troupe
