// Decides whether what concurrent clients saw of one object could have come from
// an object that does one operation at a time: whether there is an order of the
// operations, each somewhere between its invocation and its return, that a
// sequential specification explains. It is what "linearizable" means, and what
// tests of durable services ask of a recorded history.
//
// The search is that of Wing and Gong ("Testing and Verifying Concurrent
// Objects", JPDC 1993), done event by event as Lowe does ("Testing for
// Linearizability", 2017): operations are put in order only when one of them
// returns, and a configuration (state, what of the pending is in it) that was
// seen is not looked at again. Keys are checked apart from each other: a history
// is linearizable if the history of each key is (Horn and Kroening, "Faster
// Linearizability Checking via P-Compositionality", 2015).
//
// Two reductions keep histories of thousands of operations cheap:
// - what only observes is put in order as soon as it fits: nothing is gained by
//   waiting;
// - operations whose outcome is unknown and that ask for the same are one
//   operation and a number; those that cannot take effect any more are dropped.
//
// A specification is a struct of static functions:
//
//   struct counter_specification {
//     using state = ...;   // default constructed: the first; ordered
//     using call = ...;    // what is asked for; ordered
//     using result = ...;  // what was answered
//
//     /// The state after `x` was answered `seen` (nothing: that is not known)
//     /// in `now`; nothing if it cannot be so.
//     static std::optional<state> apply(const state& now, const call& x,
//                                       const std::optional<result>& seen);
//
//     /// `x`, answered so, never changes the state.
//     static bool observes(const call& x, const std::optional<result>& seen);
//
//     /// `x` may be answered so in `now` or in a state that may come after it.
//     static bool possible(const state& now, const call& x,
//                          const std::optional<result>& seen);
//
//     static std::string text(...); // of each of the three types
//   };

#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// The return of an operation that has none.
inline constexpr uint64_t never = std::numeric_limits<uint64_t>::max();

/// One operation of a history. Failed ones, which changed nothing and tell
/// nothing, are left out.
template <class Spec>
struct operation {
  uint32_t client = 0;

  typename Spec::call call;

  /// Nothing: whether it takes effect is not known. It may have done so at any
  /// time between `invoked` and `returned`, or never.
  std::optional<typename Spec::result> result;

  /// By a clock that says of any two moments which was first.
  uint64_t invoked = 0;
  uint64_t returned = never;
};

template <class Spec>
std::string text_of(const operation<Spec>& x) {
  auto answer = x.result ? Spec::text(*x.result) : "?";
  auto end = x.returned == never ? "" : std::to_string(x.returned);
  return "[" + std::to_string(x.invoked) + ", " + end + "] client "
         + std::to_string(x.client) + ": " + Spec::text(x.call) + " -> "
         + answer;
}

enum class verdict : uint8_t {
  linearizable,
  violated,
  /// The search was given up. No pass: nothing is known.
  undecided,
};

inline std::ostream& operator<<(std::ostream& out, verdict x) {
  switch (x) {
  case verdict::linearizable:
    return out << "linearizable";
  case verdict::violated:
    return out << "violated";
  case verdict::undecided:
    return out << "undecided";
  }
  return out;
}

struct check_result {
  verdict what = verdict::linearizable;

  /// Configurations that were looked at.
  size_t steps = 0;

  /// Operations that were invoked before the first moment that nothing explains.
  size_t prefix = 0;

  /// That prefix, for people.
  std::string explanation;
};

/// Steps after which a search is given up.
inline constexpr size_t check_steps_max = 20'000'000;

/// Checks the history of one object.
template <class Spec>
class linearizability_checker {
public:
  using operation_type = operation<Spec>;

  explicit linearizability_checker(std::vector<operation_type> history,
                                   size_t steps_max = check_steps_max)
    : history_(std::move(history)), steps_max_(steps_max) {
    std::stable_sort(history_.begin(), history_.end(),
                     [](auto& x, auto& y) { return x.invoked < y.invoked; });
  }

  check_result run() {
    find_kinds();
    possible_.insert(configuration{});
    for (auto& x : events()) {
      before_ = possible_;
      if (x.is_return)
        returned(x.index);
      else
        invoked(x.index);
      if (result_.what != verdict::linearizable)
        break;
    }
    return result_;
  }

private:
  using state_type = typename Spec::state;

  struct event {
    uint64_t time;
    bool is_return; // of two at the same time the invocation is first
    uint32_t index;

    friend auto operator<=>(const event&, const event&) = default;
  };

  /// One way in which it may have gone so far.
  struct configuration {
    state_type now{};

    /// Pending operations whose answers are known and that are in it; sorted.
    std::vector<uint32_t> done;

    /// Kinds of operations whose outcome is not known, and how many of each are
    /// not in it, but may come.
    std::map<uint32_t, uint32_t> left;

    friend auto operator<=>(const configuration&,
                            const configuration&) = default;
  };

  // -- preparation -----------------------------------------------------------

  std::vector<event> events() const {
    std::vector<event> result;
    for (uint32_t i = 0; i < history_.size(); ++i) {
      result.push_back({history_[i].invoked, false, i});
      if (history_[i].result || history_[i].returned != never)
        result.push_back({history_[i].returned, true, i});
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  /// Gives open operations that cannot be told apart one number.
  void find_kinds() {
    using key = std::pair<typename Spec::call, uint64_t>;
    std::map<key, uint32_t> known;
    kinds_.resize(history_.size());
    for (uint32_t i = 0; i < history_.size(); ++i)
      if (!history_[i].result)
        kinds_[i] =
          known.try_emplace({history_[i].call, history_[i].returned}, i)
            .first->second;
  }

  // -- events ----------------------------------------------------------------

  void invoked(uint32_t index) {
    auto& x = history_[index];
    if (!x.result && Spec::observes(x.call, x.result))
      return; // nobody knows what it saw
    if (x.result)
      pending_.push_back(index);
    std::set<configuration> next;
    for (auto config : possible_) {
      if (!x.result)
        ++config.left[kinds_[index]];
      if (tidy(config))
        next.insert(std::move(config));
    }
    advance(std::move(next), index);
  }

  void returned(uint32_t index) {
    std::set<configuration> next;
    if (history_[index].result) {
      next = with(index);
      std::erase(pending_, index);
    } else {
      // It took effect by now, or never will.
      for (auto config : search(nothing)) {
        config.left.erase(kinds_[index]);
        next.insert(std::move(config));
      }
    }
    if (result_.what != verdict::undecided)
      advance(std::move(next), index);
  }

  void advance(std::set<configuration> next, uint32_t index) {
    possible_ = std::move(next);
    if (possible_.empty())
      explain(index);
  }

  // -- the search ------------------------------------------------------------

  static constexpr uint32_t nothing = 0xFFFFFFFF;

  /// All configurations in which `index` is the last that was put in order, or
  /// was so before; without it, as it has returned.
  std::set<configuration> with(uint32_t index) {
    std::set<configuration> result;
    for (auto config : search(index))
      if (auto i = find(config, index); i != config.done.end()) {
        config.done.erase(i);
        result.insert(std::move(config));
      }
    return result;
  }

  /// All configurations that come from the possible ones by putting pending
  /// operations in order, not going on once `last` is in it.
  std::set<configuration> search(uint32_t last) {
    std::set<configuration> seen = possible_;
    std::vector<configuration> open{possible_.begin(), possible_.end()};
    while (!open.empty()) {
      auto config = std::move(open.back());
      open.pop_back();
      if (++result_.steps > steps_max_) {
        result_.what = verdict::undecided;
        result_.explanation =
          "given up after " + std::to_string(steps_max_) + " steps";
        return {};
      }
      if (is_in(config, last))
        continue;
      for (auto& next : successors(config))
        if (seen.insert(next).second)
          open.push_back(std::move(next));
    }
    return seen;
  }

  std::vector<configuration> successors(const configuration& from) const {
    std::vector<configuration> result;
    auto add = [&](configuration&& next) {
      if (tidy(next))
        result.push_back(std::move(next));
    };
    for (auto index : pending_) {
      auto& x = history_[index];
      if (is_in(from, index))
        continue;
      if (auto state = Spec::apply(from.now, x.call, x.result)) {
        configuration next{std::move(*state), from.done, from.left};
        put(next, index);
        add(std::move(next));
      }
    }
    for (auto& [kind, count] : from.left)
      if (auto state =
            Spec::apply(from.now, history_[kind].call, std::nullopt)) {
        configuration next{std::move(*state), from.done, from.left};
        if (--next.left[kind] == 0)
          next.left.erase(kind);
        add(std::move(next));
      }
    return result;
  }

  /// Puts in order what only observes and fits, and forgets what cannot come any
  /// more. False if one of those has been answered: it did come.
  bool tidy(configuration& x) const {
    for (auto index : pending_) {
      auto& op = history_[index];
      if (is_in(x, index))
        continue;
      if (!Spec::possible(x.now, op.call, op.result))
        return false;
      if (Spec::observes(op.call, op.result)
          && Spec::apply(x.now, op.call, op.result))
        put(x, index);
    }
    std::erase_if(x.left, [&](auto& kind) {
      return !Spec::possible(x.now, history_[kind.first].call, std::nullopt);
    });
    return true;
  }

  static auto find(const configuration& x, uint32_t index) {
    return std::find(x.done.begin(), x.done.end(), index);
  }

  static bool is_in(const configuration& x, uint32_t index) {
    return find(x, index) != x.done.end();
  }

  static void put(configuration& x, uint32_t index) {
    x.done.insert(std::lower_bound(x.done.begin(), x.done.end(), index), index);
  }

  // -- for people ------------------------------------------------------------

  void explain(uint32_t index) {
    constexpr size_t lines = 16;
    auto& failing = history_[index];
    auto end = std::min(failing.returned, last_moment(index));
    auto last =
      std::upper_bound(history_.begin(), history_.end(), end,
                       [](uint64_t time, auto& x) { return time < x.invoked; });
    result_.what = verdict::violated;
    result_.prefix = static_cast<size_t>(last - history_.begin());
    auto& to = result_.explanation;
    to = "no order of the first " + std::to_string(result_.prefix)
         + " operations explains\n  " + text_of(failing) + "\nbefore it:";
    std::set<std::string> states;
    for (auto& x : before_)
      states.insert(Spec::text(x.now));
    for (auto& x : states)
      to += " " + x + (x == *states.rbegin() ? "" : " or");
    auto first = result_.prefix > lines ? result_.prefix - lines : 0;
    to += first > 0 ? "\nthe last of them:" : "\nall of them:";
    for (auto i = first; i < result_.prefix; ++i)
      to += "\n  " + text_of(history_[i]);
    to += '\n';
  }

  /// An operation can be impossible as soon as it is invoked.
  uint64_t last_moment(uint32_t index) const {
    auto is_pending =
      std::find(pending_.begin(), pending_.end(), index) != pending_.end();
    return is_pending ? history_[index].invoked : never;
  }

  std::vector<operation_type> history_;
  size_t steps_max_;
  std::vector<uint32_t> kinds_;   // by index, of open operations
  std::vector<uint32_t> pending_; // answered later, and not at this moment
  std::set<configuration> possible_;
  std::set<configuration> before_;
  check_result result_;
};

template <class Spec>
check_result check_linearizable(std::vector<operation<Spec>> history,
                                size_t steps_max = check_steps_max) {
  return linearizability_checker<Spec>{std::move(history), steps_max}.run();
}

} // namespace troupe::testing
