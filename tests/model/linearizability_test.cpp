// The checker that histories of durable services are held against: it has to
// accept what a correct object can do, and to find what a broken one did. Small
// histories are compared with a search through all orders.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/linearizability.hpp"
#include "tests/support/linearizability_specifications.hpp"

namespace troupe::testing {
namespace {

uint64_t seed_of_this_run() {
  const auto* given = std::getenv("TROUPE_SEED");
  auto seed = given != nullptr ? std::strtoull(given, nullptr, 10)
                               : std::random_device{}();
  std::cout << "TROUPE_SEED=" << seed << '\n';
  return seed;
}

// -- by hand -----------------------------------------------------------------

using counter_history = std::vector<operation<counter_specification>>;

operation<counter_specification> add(int64_t by, int64_t seen, uint64_t from,
                                     uint64_t to) {
  return {0, {by}, seen, from, to};
}

operation<counter_specification> lost(int64_t by, uint64_t from,
                                      uint64_t to = never) {
  return {0, {by}, std::nullopt, from, to};
}

operation<counter_specification> get(int64_t seen, uint64_t from, uint64_t to) {
  return {0, {0}, seen, from, to};
}

verdict judge(counter_history x) {
  return check_linearizable(std::move(x)).what;
}

TEST(linearizability, accepts_an_empty_history) {
  EXPECT_EQ(judge({}), verdict::linearizable);
}

TEST(linearizability, accepts_operations_one_after_the_other) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), add(2, 3, 3, 4), get(3, 5, 6)}),
            verdict::linearizable);
}

TEST(linearizability, accepts_either_order_of_what_overlaps) {
  EXPECT_EQ(judge({add(1, 3, 1, 4), add(2, 2, 2, 3)}), verdict::linearizable);
  EXPECT_EQ(judge({add(1, 1, 1, 4), add(2, 3, 2, 3)}), verdict::linearizable);
}

TEST(linearizability, rejects_an_order_against_time) {
  EXPECT_EQ(judge({add(1, 3, 1, 2), add(2, 2, 3, 4)}), verdict::violated);
}

TEST(linearizability, rejects_a_lost_update) {
  EXPECT_EQ(judge({add(1, 1, 1, 3), add(1, 1, 2, 4)}), verdict::violated);
}

TEST(linearizability, rejects_a_stale_read) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), get(0, 3, 4)}), verdict::violated);
  EXPECT_EQ(judge({add(1, 1, 1, 4), get(0, 2, 3)}), verdict::linearizable);
}

TEST(linearizability, rejects_reads_that_go_back) {
  EXPECT_EQ(judge({add(1, 1, 1, 9), get(1, 2, 3), get(0, 4, 5)}),
            verdict::violated);
}

TEST(linearizability, rejects_a_read_of_what_was_never_written) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), get(7, 3, 4)}), verdict::violated);
}

TEST(linearizability, rejects_an_effect_before_its_cause) {
  EXPECT_EQ(judge({get(1, 1, 2), add(1, 1, 3, 4)}), verdict::violated);
}

TEST(linearizability, rejects_a_double_effect_of_one_increment) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), get(2, 3, 4)}), verdict::violated);
  EXPECT_EQ(judge({lost(1, 1), get(2, 3, 4)}), verdict::violated);
}

TEST(linearizability, rejects_an_acknowledged_write_that_a_crash_lost) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), add(1, 2, 3, 4), lost(1, 5), get(1, 6, 7)}),
            verdict::violated);
}

// A failed operation is left out, so what it did has no cause.
TEST(linearizability, rejects_the_effect_of_an_operation_that_failed) {
  EXPECT_EQ(judge({add(1, 1, 1, 2), /* add 1, failed, */ get(2, 5, 6)}),
            verdict::violated);
}

TEST(linearizability, accepts_an_open_operation_that_takes_effect_later) {
  EXPECT_EQ(judge({lost(5, 1), get(0, 2, 3), get(5, 4, 5)}),
            verdict::linearizable);
}

TEST(linearizability, accepts_an_open_operation_that_never_takes_effect) {
  EXPECT_EQ(judge({lost(5, 1), get(0, 2, 3), add(1, 1, 4, 5)}),
            verdict::linearizable);
}

TEST(linearizability, rejects_an_open_operation_that_takes_effect_before) {
  EXPECT_EQ(judge({get(5, 1, 2), lost(5, 3)}), verdict::violated);
}

TEST(linearizability, rejects_an_open_operation_whose_effect_goes_away) {
  EXPECT_EQ(judge({lost(5, 1), get(5, 2, 3), get(0, 4, 5)}), verdict::violated);
}

TEST(linearizability, lets_an_open_operation_take_effect_until_it_is_closed) {
  EXPECT_EQ(judge({lost(5, 1, 4), get(0, 2, 3), get(5, 5, 6)}),
            verdict::linearizable);
  EXPECT_EQ(judge({lost(5, 1, 4), get(0, 5, 6), get(5, 7, 8)}),
            verdict::violated);
}

TEST(linearizability, needs_the_right_ones_of_many_open_operations) {
  counter_history x;
  for (int i = 0; i < 40; ++i)
    x.push_back(lost(i % 2 == 0 ? 1 : 1000, 1 + i));
  x.push_back(get(7012, 100, 101));
  EXPECT_EQ(judge(x), verdict::linearizable);
  x.push_back(get(20021, 102, 103)); // there are not so many
  EXPECT_EQ(judge(x), verdict::violated);
}

using register_history = std::vector<operation<register_specification>>;

operation<register_specification> set(std::string value, uint64_t expected,
                                      uint64_t from, uint64_t to) {
  return {0, {value, expected}, {{expected + 1, {}, false}}, from, to};
}

operation<register_specification> lost_set(std::string value, uint64_t expected,
                                           uint64_t from) {
  return {0, {value, expected}, std::nullopt, from, never};
}

operation<register_specification> refused_set(uint64_t expected,
                                              std::optional<uint64_t> seen,
                                              uint64_t from, uint64_t to) {
  return {0, {"x", expected}, {{seen, {}, true}}, from, to};
}

operation<register_specification> read(std::string value, uint64_t revision,
                                       uint64_t from, uint64_t to) {
  return {0, {}, {{revision, std::move(value), false}}, from, to};
}

verdict judge(register_history x) {
  return check_linearizable(std::move(x)).what;
}

TEST(linearizability, accepts_compare_and_set_by_revision) {
  EXPECT_EQ(judge({set("a", 0, 1, 2), set("b", 1, 3, 4), read("b", 2, 5, 6)}),
            verdict::linearizable);
}

TEST(linearizability, rejects_two_that_set_the_same_revision) {
  EXPECT_EQ(judge({set("a", 0, 1, 3), set("b", 0, 2, 4)}), verdict::violated);
}

TEST(linearizability, rejects_a_value_with_the_revision_of_another) {
  EXPECT_EQ(judge({set("a", 0, 1, 2), set("b", 1, 3, 4), read("a", 2, 5, 6)}),
            verdict::violated);
}

TEST(linearizability, accepts_an_open_set_only_at_its_revision) {
  EXPECT_EQ(judge({set("a", 0, 1, 2), lost_set("b", 1, 3), read("b", 2, 5, 6)}),
            verdict::linearizable);
  EXPECT_EQ(judge({set("a", 0, 1, 2), lost_set("b", 0, 3), read("b", 2, 5, 6)}),
            verdict::violated);
}

TEST(linearizability, takes_a_refusal_for_an_observation) {
  EXPECT_EQ(judge({set("a", 0, 1, 2), refused_set(0, 1, 3, 4)}),
            verdict::linearizable);
  EXPECT_EQ(judge({set("a", 0, 1, 2), refused_set(0, {}, 3, 4)}),
            verdict::linearizable);
  // its condition did hold
  EXPECT_EQ(judge({set("a", 0, 1, 2), refused_set(1, {}, 3, 4)}),
            verdict::violated);
  // a revision that it cannot have seen
  EXPECT_EQ(judge({set("a", 0, 1, 2), refused_set(0, 2, 3, 4)}),
            verdict::violated);
}

// -- what it says ------------------------------------------------------------

TEST(linearizability, shows_the_shortest_prefix_that_nothing_explains) {
  auto result = check_linearizable(
    counter_history{add(1, 1, 1, 2), add(1, 2, 3, 4), get(1, 5, 6),
                    add(1, 3, 7, 8), get(9, 9, 10)});
  EXPECT_EQ(result.what, verdict::violated);
  EXPECT_EQ(result.prefix, 3u);
  EXPECT_EQ(result.explanation, "no order of the first 3 operations explains\n"
                                "  [5, 6] client 0: get -> 1\n"
                                "before it: 2\n"
                                "all of them:\n"
                                "  [1, 2] client 0: increment 1 -> 1\n"
                                "  [3, 4] client 0: increment 1 -> 2\n"
                                "  [5, 6] client 0: get -> 1\n");
}

TEST(linearizability, says_when_it_gives_up) {
  counter_history x;
  for (int i = 0; i < 1000; ++i)
    x.push_back(add(1, i + 1, 2 * i + 1, 2 * i + 2));
  auto result = check_linearizable(x, 500);
  EXPECT_EQ(result.what, verdict::undecided);
  EXPECT_EQ(check_linearizable(x).what, verdict::linearizable);
}

// -- generated ---------------------------------------------------------------

/// Does the operations of some clients, one at a time, at a moment of its choice
/// between invocation and return; some are never answered.
template <class Spec>
class simulation {
public:
  using operation_type = operation<Spec>;
  using make_call = std::function<typename Spec::call(
    std::mt19937_64&, const typename Spec::state&)>;
  using answer = std::function<typename Spec::result(
    const typename Spec::state&, const typename Spec::call&)>;

  struct shape {
    uint32_t clients;
    size_t operations;
    unsigned lost_percent;
  };

  simulation(uint64_t seed, shape x, make_call make, answer run)
    : random_(seed), shape_(x), make_(std::move(make)), run_(std::move(run)),
      running_(x.clients) {}

  std::vector<operation_type> run() {
    while (!finished())
      step(static_cast<uint32_t>(random_() % shape_.clients));
    return history_;
  }

private:
  struct client {
    bool busy = false;
    bool is_done = false;
    bool is_lost = false;
    size_t index = 0;
  };

  bool finished() const {
    return history_.size() == shape_.operations
           && std::none_of(running_.begin(), running_.end(),
                           [](auto& x) { return x.busy; });
  }

  void step(uint32_t who) {
    auto& x = running_[who];
    if (!x.busy) {
      if (history_.size() < shape_.operations)
        begin(who);
    } else if (!x.is_done) {
      take_effect(x);
    } else {
      x.busy = false;
      if (!x.is_lost)
        history_[x.index].returned = ++time_;
    }
  }

  void begin(uint32_t who) {
    auto lost = random_() % 100 < shape_.lost_percent;
    running_[who] = {true, false, lost, history_.size()};
    history_.push_back(
      {who, make_(random_, state_), std::nullopt, ++time_, never});
    if (lost && random_() % 2 == 0) // it stays open, others go on
      running_[who].is_done = true;
  }

  void take_effect(client& x) {
    auto& op = history_[x.index];
    x.is_done = true;
    auto seen = run_(state_, op.call);
    if (auto next = Spec::apply(state_, op.call, seen))
      state_ = *next;
    if (!x.is_lost)
      op.result = seen;
  }

  std::mt19937_64 random_;
  shape shape_;
  make_call make_;
  answer run_;
  std::vector<client> running_;
  std::vector<operation_type> history_;
  typename Spec::state state_{};
  uint64_t time_ = 0;
};

counter_history simulate_counter(uint64_t seed,
                                 simulation<counter_specification>::shape x) {
  return simulation<counter_specification>{
    seed, x,
    [](auto& random, auto&) {
      auto dice = random() % 5;
      return counter_specification::call{dice < 2 ? 0 : dice < 4 ? 1 : 3};
    },
    [](auto& state, auto& call) { return state + call.by; }}
    .run();
}

register_history simulate_register(uint64_t seed,
                                   simulation<register_specification>::shape x,
                                   unsigned conditional_percent = 80) {
  int last = 0;
  return simulation<register_specification>{
    seed, x,
    [=, &last](auto& random, auto& state) {
      register_specification::call result;
      if (random() % 3 == 0)
        return result;
      result.value = "v" + std::to_string(++last);
      if (random() % 100 < conditional_percent)
        result.expected = state.revision + (random() % 4 == 0 ? 1 : 0);
      return result;
    },
    [](auto& state, auto& call) -> register_specification::result {
      if (!call.value)
        return {state.revision, state.value, false};
      if (call.expected && *call.expected != state.revision)
        return {state.revision, {}, true};
      return {state.revision + 1, {}, false};
    }}
    .run();
}

/// Tries all orders of all operations; of the open ones, each choice.
template <class Spec>
bool brute_force(const std::vector<operation<Spec>>& history) {
  std::vector<bool> used(history.size());
  std::function<bool(const typename Spec::state&)> search =
    [&](const typename Spec::state& now) {
      auto all = true;
      for (size_t i = 0; i < history.size(); ++i) {
        if (used[i])
          continue;
        all = all && !history[i].result;
        // whoever has returned before it was invoked comes first
        auto first = true;
        for (size_t k = 0; k < history.size(); ++k)
          first = first
                  && (used[k] || !history[k].result
                      || history[k].returned >= history[i].invoked);
        // what is closed took effect before that, or never
        for (size_t k = 0; k < history.size(); ++k)
          first =
            first && !(used[k] && history[k].invoked > history[i].returned);
        if (!first)
          continue;
        if (auto next = Spec::apply(now, history[i].call, history[i].result)) {
          used[i] = true;
          if (search(*next))
            return true;
          used[i] = false;
        }
      }
      return all;
    };
  return search(typename Spec::state{});
}

/// Lets an operation have seen something else, or have returned earlier.
void spoil(counter_history& x, std::mt19937_64& random) {
  auto& op = x[random() % x.size()];
  if (!op.result)
    op.result = 1;
  *op.result += random() % 2 == 0 ? 1 : -1;
}

void spoil(register_history& x, std::mt19937_64& random) {
  auto& op = x[random() % x.size()];
  auto& other = x[random() % x.size()];
  if (!op.result || op.result->refused)
    return;
  if (!op.call.value && other.call.value && random() % 2 == 0)
    op.result->value = *other.call.value;
  else
    op.result->revision = *op.result->revision + 1;
}

/// Closes some that are open.
template <class Spec>
void close_some(std::vector<operation<Spec>>& x, std::mt19937_64& random) {
  for (auto& op : x)
    if (!op.result && random() % 2 == 0)
      op.returned = op.invoked + 1 + random() % 12;
}

template <class Spec, class Simulate>
void compare_with_brute_force(Simulate simulate) {
  std::mt19937_64 random{seed_of_this_run()};
  size_t good = 0;
  size_t bad = 0;
  for (int i = 0; i < 4000; ++i) {
    auto clients = static_cast<uint32_t>(2 + random() % 3);
    auto history = simulate(random(), {clients, 1 + random() % 7, 20});
    ASSERT_EQ(judge(history), verdict::linearizable) << i;
    close_some<Spec>(history, random);
    for (auto changes = random() % 3; changes > 0; --changes)
      spoil(history, random);
    auto expected = brute_force<Spec>(history);
    ++(expected ? good : bad);
    auto result = check_linearizable(history);
    ASSERT_EQ(result.what, expected ? verdict::linearizable : verdict::violated)
      << i << '\n'
      << [&] {
           std::string text = result.explanation;
           for (auto& x : history)
             text += text_of(x) + '\n';
           return text;
         }();
  }
  EXPECT_GT(good, 400u);
  EXPECT_GT(bad, 400u);
}

TEST(linearizability, agrees_with_a_search_through_all_orders_of_a_counter) {
  compare_with_brute_force<counter_specification>(simulate_counter);
}

TEST(linearizability, agrees_with_a_search_through_all_orders_of_a_register) {
  compare_with_brute_force<register_specification>(
    [](uint64_t seed, simulation<register_specification>::shape x) {
      return simulate_register(seed, x);
    });
}

TEST(linearizability, accepts_thousands_of_operations_of_many_clients) {
  auto seed = seed_of_this_run();
  for (auto clients : {8u, 16u}) {
    auto counter =
      check_linearizable(simulate_counter(seed, {clients, 10'000, 3}));
    EXPECT_EQ(counter.what, verdict::linearizable) << counter.explanation;
    auto cas =
      check_linearizable(simulate_register(seed, {clients, 10'000, 3}, 100));
    EXPECT_EQ(cas.what, verdict::linearizable) << cas.explanation;
    std::cout << clients << " clients: " << counter.steps << " and "
              << cas.steps << " steps\n";
  }
}

TEST(linearizability, finds_one_wrong_answer_among_thousands) {
  std::mt19937_64 random{seed_of_this_run()};
  for (int i = 0; i < 20; ++i) {
    auto history = simulate_counter(random(), {8, 2'000, 0});
    auto& wrong = history[random() % history.size()];
    *wrong.result += 100; // further than eight clients can be apart
    EXPECT_EQ(judge(history), verdict::violated) << text_of(wrong);
  }
}

} // namespace
} // namespace troupe::testing
