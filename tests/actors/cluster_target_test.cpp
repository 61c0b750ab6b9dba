// Calls between nodes: what goes over, who runs it, and what the caller is told
// when something is in the way.

#include "actors/cluster/cluster_target.hpp"

#include <random>
#include <set>

#include <caf/event_based_actor.hpp>

#include "tests/support/call_graphs.hpp"
#include "tests/support/virtual_cluster.hpp"

namespace troupe {
namespace {

using testing::visited;

struct tally {
  int value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(tally, value)

  int get() const { return value; }
  int add(int by) { return value += by; }

  task<int> add_slowly(context& ctx, int by) {
    co_await ctx.sleep(50ms);
    co_return value += by;
  }
};

class cluster_target_test : public testing::cluster_fixture {
protected:
  module content(const std::string& node) {
    module m;
    m.function("echo", [](payload x) { return x; });
    m.function("add", [](int x, int y) { return x + y; });
    m.function("where", [node] { return node; });
    m.function("fail", [](const std::string& text) -> int {
      throw std::runtime_error{text};
    });
    m.function("sleep", [](context& ctx, int ms) -> task<int> {
      co_await ctx.sleep(std::chrono::milliseconds{ms});
      co_return ms;
    });
    m.function("describe", [this](context& ctx, std::string) {
      seen_id = ctx.id();
      seen_trace = ctx.trace();
      seen_key = ctx.routing_key();
      seen_left = ctx.remaining();
    });
    m.expose("plain", [](caf::actor_system& sys) -> caf::actor {
      return sys.spawn([](caf::event_based_actor*) -> caf::behavior {
        return {[](int x) { return x; }};
      });
    });
    m.service<tally>("tally")
      .method("get", &tally::get)
      .method("add", &tally::add)
      .method("add_slowly", &tally::add_slowly);
    m.service<visited>("visited")
      .method("visit", &visited::visit)
      .method("get", &visited::get);
    return m;
  }

  void start_nodes(std::initializer_list<const char*> ids) {
    for (auto id : ids)
      start(id, content(id));
    connect_all();
  }

  void SetUp() override { start_nodes({"a", "b", "c"}); }

  static entity_call add_to(std::string key) {
    return {"tally", std::move(key), "add"};
  }

  invocation_id seen_id;
  std::string seen_trace;
  std::string seen_key;
  std::chrono::nanoseconds seen_left{};
};

// -- what goes over ------------------------------------------------------------

TEST_F(cluster_target_test, runs_a_call_where_its_key_belongs) {
  settle("kb", "b");
  settle("ka", "a");
  EXPECT_EQ(outcome_of("a", "where", "kb"), "\"b\"");
  EXPECT_EQ(outcome_of("a", "where", "ka"), "\"a\"");
  EXPECT_EQ(outcome_of("c", "where", "kb"), "\"b\"");
  EXPECT_EQ(outcome_of("c", "where", "unknown"), "\"c\"");
}

TEST_F(cluster_target_test, leaves_a_payload_untouched) {
  settle("kb", "b");
  std::string bytes("\0\xff{not JSON", 11);
  auto x = call("a", "echo", "kb", bytes);
  go(20ms);
  EXPECT_EQ(x->outcome(), bytes);
  EXPECT_EQ(x->result().content_type, "text/plain");
}

TEST_F(cluster_target_test, takes_along_what_a_handler_sees_of_its_call) {
  settle("kb", "b");
  auto x = caf::make_counted<testing::noted_call>(payload{"x", {}});
  x->routing_key = "kb";
  x->trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  auto target = nodes["a"]->routes.load()->functions.at("describe").latest;
  submit("a", *target, x, 7s);
  go(20ms);
  EXPECT_EQ(x->outcome(), "null");
  EXPECT_EQ(seen_id, x->id);
  EXPECT_EQ(seen_trace, x->trace);
  EXPECT_EQ(seen_key, "kb");
  EXPECT_LE(seen_left, 7s);
  EXPECT_GT(seen_left, 6900ms);
}

TEST_F(cluster_target_test, brings_typed_results_back_as_their_types) {
  settle("kb", "b");
  auto x =
    caf::make_counted<testing::noted<typed_invocation<int(int, int)>>>(2, 3);
  x->routing_key = "kb";
  submit("a", *nodes["a"]->routes.load()->functions.at("add").latest, x);
  go(20ms);
  EXPECT_EQ(x->outcome(), "5");
}

TEST_F(cluster_target_test, tells_a_caller_who_expects_another_type) {
  settle("kb", "b");
  auto x = caf::make_counted<
    testing::noted<typed_invocation<std::vector<int>(int, int)>>>(2, 3);
  x->routing_key = "kb";
  submit("a", *nodes["a"]->routes.load()->functions.at("add").latest, x);
  go(20ms);
  ASSERT_TRUE(x->failure());
  EXPECT_EQ(x->failure()->what_happened(), effect::ran);
}

TEST_F(cluster_target_test, brings_errors_back_as_they_were) {
  settle("kb", "b");
  EXPECT_EQ(outcome_of("a", "fail", "kb", "no luck"), "std::runtime_error/ran");
  EXPECT_EQ(outcome_of("a", "add", "kb", "nonsense"), "bad_request/none");
}

TEST_F(cluster_target_test, runs_a_function_that_its_peer_does_not_have) {
  settle("kb", "b");
  auto table = std::make_shared<route_table>(*nodes["b"]->routes.load());
  table->functions.erase("where");
  nodes["b"]->routes.publish(table);
  EXPECT_EQ(outcome_of("a", "where", "kb"), "\"a\"");
}

TEST_F(cluster_target_test, says_that_its_peer_does_not_have_a_service) {
  settle("kb", "b");
  auto table = std::make_shared<route_table>(*nodes["b"]->routes.load());
  table->services.erase("tally");
  nodes["b"]->routes.publish(table);
  EXPECT_EQ(outcome_of("a", add_to("kb"), "1"), "not_found/none");
}

TEST_F(cluster_target_test, runs_what_cannot_leave_its_node_there) {
  settle("kb", "b");
  auto x = caf::make_counted<testing::noted<typed_invocation<int(int)>>>(4);
  x->routing_key = "kb";
  submit("a", *nodes["a"]->routes.load()->functions.at("plain").latest, x);
  go(20ms);
  // Without a signature it takes no calls at all; but it did not get lost.
  EXPECT_EQ(x->answers, 1);
}

// -- entities ------------------------------------------------------------------

TEST_F(cluster_target_test, calls_an_entity_at_its_owner) {
  settle("k", "b");
  auto x = call("a", add_to("k"), "2");
  go(20ms);
  EXPECT_EQ(x->outcome(), "2");
  EXPECT_EQ(x->revision, 1u);
  EXPECT_EQ(outcome_of("c", add_to("k"), "3"), "5");
  EXPECT_EQ(outcome_of("b", entity_call{"tally", "k", "get"}), "5");
}

TEST_F(cluster_target_test, takes_conditions_and_idempotency_keys_along) {
  settle("k", "b");
  EXPECT_EQ(outcome_of("a", entity_call{"tally", "k", "add", "\"7\""}, "2"),
            "revision_mismatch/none");
  entity_call once{"tally", "k", "add"};
  once.idempotency_key = "once";
  EXPECT_EQ(outcome_of("a", once, "2"), "2");
  EXPECT_EQ(outcome_of("c", once, "2"), "2");
  EXPECT_EQ(outcome_of("c", once, "3"), "idempotency_conflict/none");
}

TEST_F(cluster_target_test, finds_a_circle_of_calls_over_several_nodes) {
  settle("x", "b");
  settle("y", "c");
  testing::visit_plan circle{"x", 0, {{"y", 0, {{"x", 0, {}}}}}};
  auto x = call("a", entity_call{"visited", "x", "visit"}, json(circle).dump());
  go(50ms);
  EXPECT_EQ(x->outcome(), "call_cycle/ran");
  testing::visit_plan line{"x", 0, {{"y", 0, {{"z", 0, {}}}}}};
  settle("z", "a");
  EXPECT_EQ(
    outcome_of("a", entity_call{"visited", "x", "visit"}, json(line).dump()),
    "3");
}

TEST_F(cluster_target_test, lets_the_older_of_two_chains_wait_on_any_node) {
  settle("x", "b");
  settle("y", "c");
  // Each holds what the other one wants.
  testing::visit_plan older{"x", 5, {{"y", 0, {}}}};
  testing::visit_plan younger{"y", 5, {{"x", 0, {}}}};
  auto first =
    call("a", entity_call{"visited", "x", "visit"}, json(older).dump());
  go(2ms);
  auto second =
    call("a", entity_call{"visited", "y", "visit"}, json(younger).dump());
  go(50ms);
  EXPECT_EQ(first->outcome(), "2");
  EXPECT_EQ(second->outcome(), "busy_retry/ran");
}

// -- the wrong peer ------------------------------------------------------------

TEST_F(cluster_target_test, follows_a_shard_that_has_moved) {
  settle("k", "b");
  truth["k"] = {"c", 2};
  nodes["b"]->view = nodes["c"]->view = truth;
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "2");
  ASSERT_EQ(nodes["a"]->hints.size(), 1u);
  EXPECT_EQ(nodes["a"]->hints[0], (owner_hint{"c", 2}));
  // It knows now.
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "4");
  EXPECT_EQ(nodes["a"]->hints.size(), 1u);
}

TEST_F(cluster_target_test, refuses_an_older_epoch_without_starting_the_call) {
  settle("k", "b", 5);
  nodes["a"]->view["k"].epoch = 4;
  nodes["a"]->may_refresh = false;
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "not_owner/none");
  nodes["a"]->may_refresh = true;
  EXPECT_EQ(outcome_of("a", add_to("k"), "3"), "3");
}

TEST_F(cluster_target_test, runs_a_call_itself_that_came_back_to_it) {
  settle("k", "b");
  truth["k"] = {"a", 2};
  nodes["b"]->view = truth;
  std::string body("[\"raw\"]");
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "2");
  EXPECT_EQ(outcome_of("a", entity_call{"tally", "k", "get"}), "2");
}

TEST_F(cluster_target_test, gives_up_after_two_redirects) {
  settle("k", "b");
  // Everybody is behind: a ball that nobody keeps.
  truth["k"] = {"c", 2};
  nodes["a"]->view["k"] = {"b", 1};
  nodes["b"]->view["k"] = {"c", 2};
  nodes["c"]->view["k"] = {"b", 3};
  auto x = call("a", add_to("k"), "2");
  go(50ms);
  EXPECT_EQ(x->outcome(), "not_owner/none");
  EXPECT_EQ(nodes["a"]->hints.size(), 2u);
}

TEST_F(cluster_target_test, takes_the_arguments_along_when_it_is_redirected) {
  settle("k", "b");
  nodes["a"]->links["b"] = nodes["a"]->links["c"]; // a mistake in the map
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "not_owner/none");
  nodes["a"]->view["k"] = {"b", 1};
  truth["k"] = {"a", 9};
  EXPECT_EQ(outcome_of("a", add_to("k"), "7"), "7");
}

// -- peers that are lost -------------------------------------------------------

TEST_F(cluster_target_test, says_unknown_of_calls_whose_peer_died) {
  settle("k", "b");
  auto function = call("a", "sleep", "k", "1000");
  auto entity = call("a", entity_call{"tally", "k", "add_slowly"}, "2");
  go(10ms);
  net.kill("b");
  go(10ms);
  EXPECT_EQ(function->outcome(), "instance_lost/unknown");
  EXPECT_EQ(entity->outcome(), "outcome_unknown/unknown");
  EXPECT_EQ(nodes["a"]->log.back(), "down b: the peer closed the connection");
}

TEST_F(cluster_target_test, says_none_of_calls_that_never_left) {
  settle("k", "b");
  net.kill("b");
  go(10ms);
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "not_owner/none");
  // Whoever owns it now gets it.
  truth["k"] = {"c", 2};
  nodes["c"]->view = truth;
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "2");
}

TEST_F(cluster_target_test, ends_calls_to_a_peer_that_hangs) {
  settle("k", "b");
  net.pause("b");
  auto patient = call("a", add_to("k"), "2");
  auto hasty = call("a", add_to("k"), "2", 100ms);
  go(110ms);
  EXPECT_EQ(hasty->outcome(), "deadline_exceeded/unknown");
  EXPECT_EQ(patient->answers, 0);
  // Nobody else is held up.
  settle("kc", "c");
  EXPECT_EQ(outcome_of("a", "where", "kc"), "\"c\"");
  go(2s);
  EXPECT_EQ(patient->outcome(), "outcome_unknown/unknown");
  EXPECT_EQ(nodes["a"]->log.back(), "down b: no sign of life");
  // When it wakes it runs what it was sent; nobody hears of it.
  net.resume("b");
  go(5s);
  EXPECT_EQ(patient->answers, 1);
  EXPECT_EQ(hasty->answers, 1);
  EXPECT_EQ(nodes["a"]->log.back(), "up b");
}

TEST_F(cluster_target_test, comes_back_after_a_partition) {
  settle("k", "b");
  net.part_both("a", "b");
  auto x = call("a", add_to("k"), "2");
  go(3s);
  EXPECT_EQ(x->outcome(), "outcome_unknown/unknown");
  EXPECT_FALSE(nodes["a"]->links["b"]->up());
  net.heal();
  go(3s);
  EXPECT_TRUE(nodes["a"]->links["b"]->up());
  EXPECT_EQ(outcome_of("a", add_to("k"), "3"), "3");
}

TEST_F(cluster_target_test, bounds_what_is_under_way_to_one_peer) {
  net.options().in_flight_max = 3;
  settle("k", "b");
  std::vector<testing::noted_call_ptr> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(call("a", "sleep", "k", "10"));
  EXPECT_EQ(calls[3]->outcome(), "too_many_requests/none");
  EXPECT_EQ(calls[4]->outcome(), "too_many_requests/none");
  EXPECT_EQ(nodes["a"]->links["b"]->stats().in_flight, 3u);
  go(50ms);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(calls[i]->outcome(), "10");
  EXPECT_EQ(nodes["a"]->links["b"]->stats().in_flight, 0u);
}

TEST_F(cluster_target_test, refuses_a_run_that_was_declared_dead) {
  nodes["b"]->link->disconnect(nodes["a"]->self);
  go(10ms);
  settle("k", "b");
  EXPECT_EQ(outcome_of("a", add_to("k"), "2"), "not_owner/none");
  EXPECT_EQ(outcome_of("c", add_to("k"), "2"), "2");
}

TEST_F(cluster_target_test, brings_notices) {
  nodes["a"]->links["b"]->notify({"registry", "changed"});
  go(10ms);
  EXPECT_EQ(nodes["b"]->log.back(), "notice a registry changed");
}

// -- everything at once --------------------------------------------------------

class cluster_target_fault_test : public testing::cluster_fixture {
public:
  cluster_target_fault_test() : cluster_fixture(seed), random_(seed) {}

protected:
  /// Runs are counted by the call's own number.
  module counting() {
    module m;
    m.function("count", [this](context& ctx, int number) -> task<int> {
      ++runs_[number];
      if (number % 3 == 0)
        co_await ctx.sleep(std::chrono::milliseconds{number % 7});
      co_return number;
    });
    return m;
  }

  static inline const uint64_t seed = std::random_device{}();
  std::mt19937_64 random_;
  std::map<int, int> runs_;
};

TEST_F(cluster_target_fault_test, never_lies_about_a_call) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (auto id : {"a", "b", "c"})
    start(id, counting());
  connect_all();
  for (int i = 0; i < 16; ++i)
    settle("k" + std::to_string(i), std::string{"abc"}.substr(i % 3, 1));
  net.options().loss = 0.002;
  std::vector<std::pair<testing::noted_call_ptr, time_point>> calls;
  for (int round = 0; round < 300; ++round) {
    switch (random_() % 30) {
    case 0:
      net.part_both("a", "b");
      break;
    case 1:
      net.pause("c");
      break;
    case 2:
    case 3:
    case 4:
      net.heal();
      net.resume("c");
      break;
    default:
      break;
    }
    for (auto n = random_() % 10; n > 0; --n) {
      auto number = static_cast<int>(calls.size());
      auto timeout = std::chrono::milliseconds{20 + random_() % 3000};
      calls.emplace_back(call(random_() % 2 ? "a" : "b", "count",
                              "k" + std::to_string(random_() % 16),
                              std::to_string(number), timeout),
                         now() + timeout);
    }
    go(std::chrono::milliseconds{random_() % 40});
    for (auto& [x, deadline] : calls) {
      ASSERT_TRUE(x->answers == 1 || deadline + 10ms >= now())
        << "no answer by its deadline";
    }
  }
  net.options().loss = 0;
  net.heal();
  net.resume("c");
  go(5s);
  std::map<std::string, int> outcomes;
  for (size_t i = 0; i < calls.size(); ++i) {
    auto& x = *calls[i].first;
    auto runs = runs_[static_cast<int>(i)];
    ASSERT_EQ(x.answers, 1);
    ASSERT_LE(runs, 1) << "a call ran twice";
    if (!x.failure()) {
      EXPECT_EQ(runs, 1);
    } else if (x.failure()->what_happened() == effect::none) {
      EXPECT_EQ(runs, 0) << x.outcome();
    }
    ++outcomes[x.failure() ? x.outcome() : "done"];
  }
  std::cout << calls.size() << " calls; seed " << seed;
  for (auto& [what, n] : outcomes)
    std::cout << ", " << n << " " << what;
  std::cout << "; " << net.lost() << " frames lost\n";
  EXPECT_GT(outcomes["done"], static_cast<int>(calls.size() / 5));
  EXPECT_GT(outcomes.size(), 1u) << "no fault hit a call";
}

} // namespace
} // namespace troupe
