// What calls wait for that nobody serves at the moment: the owner of their shard
// under a new epoch, or the same one if it has turned them away without saying
// whose the shard is now. The router alone, over links that only say whether they
// are up.

#include <map>

#include <gtest/gtest.h>

#include "actors/cluster/call_receiver.hpp"
#include "actors/cluster/shard_router.hpp"
#include "actors/core/deadline_keeper.hpp"
#include "actors/core/invocation.hpp"
#include "actors/core/route_table.hpp"
#include "tests/support/actor_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

class fake_peer final : public peer_link {
public:
  explicit fake_peer(peer_endpoint where) : where_(std::move(where)) {}

  const peer_endpoint& where() const noexcept override { return where_; }
  bool up() const noexcept override { return is_up; }
  void send(outgoing_call_ptr, turn*) override {}
  void notify(peer_notice) override {}
  link_stats stats() const override { return {}; }
  std::string failure() const override { return why; }

  bool is_up = true;
  std::string why;

private:
  peer_endpoint where_;
};

class fake_link final : public cluster_link {
public:
  void listen(link_listener&) override {}
  void identify(peer_identity) override {}

  peer_link_ptr connect(const peer_endpoint& peer) override {
    last = caf::make_counted<fake_peer>(peer);
    all[peer.who.node] = last;
    return last;
  }

  void disconnect(const peer_identity&) override {}
  std::vector<peer_link_ptr> links() const override { return {last}; }
  std::string address() const override { return "here"; }
  void accept_no_more() override {}
  void stop(std::chrono::milliseconds) override {}

  caf::intrusive_ptr<fake_peer> last;
  std::map<std::string, caf::intrusive_ptr<fake_peer>> all; // by node
};

/// Keeps the last that it heard of.
class fake_observer final : public cluster_observer {
public:
  void seen(const cluster_view&, const cluster_counts&) noexcept override {}
  void waits(const link_wait& what) noexcept override {
    last = what;
    ++times;
  }
  void leaves(const peer_identity&) noexcept override {}
  void declared(const peer_identity&) noexcept override {}
  void link_up(const peer_identity&) noexcept override {}
  void link_down(const peer_identity&, std::string_view) noexcept override {}
  void link_refused(std::string_view, std::string_view) noexcept override {}

  link_wait last;
  int times = 0;
};

class shard_router_test : public ::testing::Test, public actor_fixture {
protected:
  shard_router_test() {
    state_.owned.begin("a1");
    router_.start(link_, receiver_);
    show("b", 1);
  }

  ~shard_router_test() override {
    router_.stop();
    run();
  }

  /// All shards are `owner`'s, as the table says.
  void show(const std::string& owner, uint64_t epoch) {
    auto view = std::make_shared<cluster_view>();
    view->self = self_;
    view->nodes = rows({"a", "b"});
    view->shards.assign(shards, {owner == "a" ? 0u : 1u, epoch});
    state_.views.publish(std::move(view));
    run();
  }

  /// Nodes that are up, each in its first run.
  static std::vector<lease_row> rows(const std::vector<std::string>& nodes) {
    std::vector<lease_row> result;
    for (auto& node : nodes) {
      lease_row row;
      row.node = node;
      row.incarnation = node + "1";
      row.link_endpoint = node + ":1";
      row.state = node_state::up;
      result.push_back(row);
    }
    return result;
  }

  /// This node joins, and these are up.
  void join(const std::vector<std::string>& others) {
    auto view = std::make_shared<cluster_view>();
    view->self = self_;
    view->nodes = peers_ = rows(others);
    state_.views.publish(std::move(view));
    run();
    router_.ready(peers_); // it begins to wait
  }

  void cut(const std::string& node, const std::string& why) {
    link_.all[node]->is_up = false;
    link_.all[node]->why = why;
  }

  bool ready() { return router_.ready(peers_); }

  void renew() { state_.lease.renewed(time_); }

  void pass(std::chrono::nanoseconds time) {
    time_ += time;
    advance(time);
  }

  /// A call has come from a peer which takes this node for the owner.
  void comes_from_a_peer(uint64_t epoch) {
    router_.wait_for_owner({3, epoch}, now() + 30s, [this](expected<void> x) {
      answer_ = std::move(x);
    });
    run();
  }

  /// A call did not begin where it was to run.
  void comes_back(const failed_placement& last) {
    call_->entity = std::make_unique<entity_call>();
    call_->entity->service = "counter";
    call_->entity->key = "k";
    call_->deadline = now() + 30s;
    router_.refresh(*call_, last,
                    [this](expected<void> x) { answer_ = std::move(x); });
    run();
  }

  bool waits() const { return !answer_; }

  bool may_be_placed() const { return answer_ && *answer_; }

  static constexpr uint32_t shards = 8;

  static shard_router_options options(cluster_observer& observer) {
    shard_router_options result;
    result.observer = &observer;
    return result;
  }

  std::string self_ = "a1";
  std::vector<lease_row> peers_;
  fake_observer observer_;
  boot_time time_{1000s};
  cluster_state state_{shards, 2s, [this] { return time_; }};
  fake_link link_;
  route_source routes_;
  deadline_keeper deadlines_{time_point{}};
  call_environment environment_{routes_, deadlines_, false};
  shard_router router_{system(), "a", state_, options(observer_)};
  call_receiver receiver_{system(), environment_, router_};
  uint32_t shard_ = shard_of("counter", "k", shards);
  caf::intrusive_ptr<raw_invocation> call_ =
    caf::make_counted<raw_invocation>(payload{});
  std::optional<expected<void>> answer_;
};

// -- at the owner --------------------------------------------------------------

TEST_F(shard_router_test, runs_what_is_its_own) {
  renew();
  state_.owned.set(3, 5);
  EXPECT_FALSE(router_.refuse({3, 5}));
  EXPECT_FALSE(router_.refuse({3, 4})); // has heard of an earlier one
}

TEST_F(shard_router_test, runs_nothing_without_a_lease) {
  state_.owned.set(3, 5);
  EXPECT_EQ(router_.refuse({3, 5}), (owner_hint{"a", 5}));
}

TEST_F(shard_router_test, lets_a_call_wait_for_the_renewal_of_its_lease) {
  state_.owned.set(3, 5);
  comes_from_a_peer(5);
  pass(500ms);
  EXPECT_TRUE(waits());
  renew();
  pass(100ms);
  EXPECT_TRUE(may_be_placed());
  EXPECT_FALSE(router_.refuse({3, 5}));
}

TEST_F(shard_router_test, lets_no_call_wait_for_a_store_that_is_away) {
  state_.owned.set(3, 5);
  state_.store_is_away = true;
  comes_from_a_peer(5);
  ASSERT_TRUE(answer_ && !*answer_);
  EXPECT_EQ(answer_->error(), errc::store_unavailable);
}

TEST_F(shard_router_test, says_so_when_the_store_goes_away_meanwhile) {
  state_.owned.set(3, 5);
  comes_from_a_peer(5);
  state_.store_is_away = true;
  pass(9s);
  ASSERT_TRUE(answer_ && !*answer_);
  EXPECT_EQ(answer_->error(), errc::store_unavailable);
}

// -- at the caller -------------------------------------------------------------

TEST_F(shard_router_test, waits_for_a_later_epoch_if_the_peer_knows_of_one) {
  comes_back({shard_claim{shard_, 1}, true, {"c", 2}});
  pass(5s);
  EXPECT_TRUE(waits());
  show("b", 2);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, asks_the_same_peer_again_if_it_knows_nothing_new) {
  comes_back({shard_claim{shard_, 1}, true, {"b", 1}});
  EXPECT_TRUE(waits()); // but not at once
  pass(300ms);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, asks_the_same_peer_again_if_an_entity_refused) {
  comes_back({shard_claim{shard_, 1}, true, {}});
  EXPECT_TRUE(waits());
  pass(300ms);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, asks_no_peer_that_cannot_be_reached) {
  link_.last->is_up = false;
  comes_back({shard_claim{shard_, 1}, false, {}});
  pass(5s);
  EXPECT_TRUE(waits());
  link_.last->is_up = true;
  pass(100ms);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, asks_itself_again_only_later) {
  renew();
  state_.owned.set(shard_, 5);
  comes_back({{}, true, {}});
  EXPECT_TRUE(waits());
  pass(300ms);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, goes_where_the_table_says_at_once) {
  renew();
  state_.owned.set(shard_, 5);
  comes_back({{}, true, {}});
  state_.owned.set(shard_, 0);
  show("b", 6);
  EXPECT_TRUE(may_be_placed());
}

TEST_F(shard_router_test, gives_up_in_the_end) {
  state_.owned.set(shard_, 5);
  comes_back({{}, true, {}});
  pass(9s);
  ASSERT_TRUE(answer_ && !*answer_);
  EXPECT_EQ(answer_->error(), errc::not_owner);
}

TEST_F(shard_router_test, names_an_owner_that_cannot_be_reached) {
  link_.last->is_up = false;
  comes_back({shard_claim{shard_, 1}, false, {}});
  pass(9s);
  ASSERT_TRUE(answer_ && !*answer_);
  EXPECT_EQ(answer_->error(), errc::not_owner);
  EXPECT_EQ(answer_->error().what_happened(), effect::none);
  EXPECT_EQ(answer_->error().message(),
            "node 'b', which owns this key, cannot be reached");
}

TEST_F(shard_router_test, names_no_owner_where_there_is_none) {
  comes_back({shard_claim{shard_, 1}, true, {"c", 2}});
  pass(9s);
  ASSERT_TRUE(answer_ && !*answer_);
  EXPECT_EQ(answer_->error().message(), "nobody serves this key at the moment");
}

// -- a node that joins ---------------------------------------------------------

TEST_F(shard_router_test, is_ready_at_once_with_links_to_all) {
  join({"b", "c"});
  EXPECT_TRUE(ready());
  EXPECT_EQ(observer_.times, 0);
}

TEST_F(shard_router_test, is_ready_alone) {
  join({});
  EXPECT_TRUE(ready());
}

TEST_F(shard_router_test, waits_a_while_for_a_link_that_is_missing) {
  join({"b", "c"});
  cut("c", "it does not answer");
  pass(4900ms);
  EXPECT_FALSE(ready());
  EXPECT_EQ(observer_.times, 0);
  pass(200ms);
  EXPECT_TRUE(ready()); // one peer with a broken link stops nobody
}

TEST_F(shard_router_test, is_never_ready_with_links_to_fewer_than_half) {
  join({"b", "c", "d"});
  cut("b", "certificate verify failed");
  cut("d", "Connection refused");
  for (int i = 0; i < 10; ++i) {
    pass(10s);
    EXPECT_FALSE(ready());
  }
  EXPECT_EQ(observer_.last.nodes, 3u);
  ASSERT_EQ(observer_.last.missing.size(), 2u);
  EXPECT_EQ(observer_.last.missing[0].node, "b");
  EXPECT_EQ(observer_.last.missing[0].address, "b:1");
  EXPECT_EQ(observer_.last.missing[0].why, "certificate verify failed");
  EXPECT_EQ(observer_.last.missing[1].node, "d");
  link_.all["b"]->is_up = true;
  EXPECT_TRUE(ready());
}

TEST_F(shard_router_test, is_ready_once_those_it_cannot_reach_are_down) {
  join({"b"});
  cut("b", "it does not answer");
  pass(10s);
  EXPECT_FALSE(ready());
  peers_[0].state = node_state::down;
  EXPECT_TRUE(ready());
}

TEST_F(shard_router_test, another_run_waits_anew) {
  join({"b", "c"});
  cut("c", "it does not answer");
  pass(10s);
  EXPECT_TRUE(ready());
  self_ = "a2";
  join({"b", "c"});
  EXPECT_FALSE(ready());
  pass(6s);
  EXPECT_TRUE(ready());
}

} // namespace
} // namespace troupe
