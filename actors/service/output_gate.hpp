// What an entity has to say, held back until the state that it saw is durable.
// The entity goes on with the next call while a commit is under way; each change
// gets a position in the order of changes, and each output the position of the
// last change that it saw. A commit makes all positions up to one durable, and
// with them the outputs that saw no more.

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "actors/service/ticket.hpp"

namespace troupe {

/// Something that leaves: the answer of a call, or a call to somebody else.
struct gated_output {
  /// The last change that it saw.
  uint64_t saw = 0;

  /// The call that is answered; null for a call to somebody else.
  ticket_ptr answer;

  /// Whether other calls have left while that call ran.
  bool has_called = false;

  invocation_ptr call;
  std::string name;
};

/// Plain bookkeeping; sends nothing itself.
class output_gate {
public:
  // -- positions -------------------------------------------------------------

  /// The last change that was made.
  uint64_t last() const noexcept { return last_; }

  /// The last one that is durable.
  uint64_t durable() const noexcept { return durable_; }

  /// A change was made.
  void changed() noexcept { ++last_; }

  /// All that was changed is durable.
  bool clean() const noexcept { return durable_ == last_; }

  // -- commits ---------------------------------------------------------------

  /// A commit is under way.
  bool committing() const noexcept { return committing_ != 0; }

  /// There are changes that no commit has taken along.
  bool wants_commit() const noexcept {
    return !committing() && durable_ != last_;
  }

  /// A commit takes all changes so far. @pre wants_commit
  void begin_commit() noexcept { committing_ = last_; }

  /// Which changes it took: all up to this one.
  uint64_t commit_position() const noexcept { return committing_; }

  /// What it took is durable.
  void commit_done() noexcept { durable_ = std::exchange(committing_, 0); }

  /// What is not durable never was.
  void forget() noexcept {
    last_ = durable_;
    committing_ = 0;
  }

  // -- outputs ---------------------------------------------------------------

  bool empty() const noexcept { return held_.empty(); }

  bool holds_answers() const noexcept {
    return std::any_of(held_.begin(), held_.end(), [](const gated_output& x) {
      return x.answer != nullptr;
    });
  }

  void hold(gated_output x) { held_.push_back(std::move(x)); }

  /// Hands out what saw durable changes only, in order.
  template <class F>
  void release(F f) {
    while (!held_.empty() && held_.front().saw <= durable_) {
      auto x = std::move(held_.front());
      held_.pop_front();
      f(std::move(x));
    }
  }

  /// Hands out all that is held, in order.
  template <class F>
  void drop(F f) {
    auto all = std::exchange(held_, {});
    for (auto& x : all)
      f(std::move(x));
  }

  /// Hands out those for which `which` holds.
  template <class Predicate, class F>
  void drop_if(Predicate which, F f) {
    std::deque<gated_output> rest;
    auto all = std::exchange(held_, {});
    for (auto& x : all)
      if (which(std::as_const(x)))
        f(std::move(x));
      else
        rest.push_back(std::move(x));
    held_ = std::move(rest);
  }

private:
  uint64_t last_ = 0;
  uint64_t durable_ = 0;
  uint64_t committing_ = 0;       // 0: none
  std::deque<gated_output> held_; // by what they saw
};

} // namespace troupe
