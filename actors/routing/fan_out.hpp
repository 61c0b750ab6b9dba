// One call over many inputs: ordinary calls, so many at a time, until all of
// them are answered or their time is up. Whoever owns a fan-out drives it: it
// begins calls when it is told to `step`, and says when it wants to be told so
// again. So the same code serves an I/O thread, a thread that waits, and tests.
//
//   - Never more than `parallel` calls are under way.
//   - Each input is answered once, in the order in which the calls end.
//   - At the deadline what has not begun never does (effect `none`), and what is
//     under way ends with the effect that it has.
//   - A call that finds no room anywhere waits until another one of the same
//     fan-out has ended: a small queue makes it slower, not full of errors.
//   - Calls of functions are spread over the nodes: each has a routing key of its
//     own, unless it came with one.
//
// Handlers run on the scheduler's threads, never on the one that steps: they are
// to run beside each other.

#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/routing/call_port.hpp"

namespace troupe {

class turn;

struct fan_out_options {
  /// More would only wait in the queues of others.
  static constexpr size_t parallel_max = 1024;

  /// Calls under way at once, 1 to `parallel_max`.
  size_t parallel = 64;

  /// When the last answer is there. By the clock of the actor system.
  time_point deadline;
};

// -- answers on their way back -------------------------------------------------

/// Where the answers of a fan-out come together. Thread-safe; its calls keep it.
class fan_out_inbox final : public caf::ref_counted {
public:
  /// @param most answers at once
  /// @param wake see `fan_out`
  fan_out_inbox(size_t most, std::function<void()> wake);

  /// The call in that slot is answered.
  void put(size_t slot) noexcept;

  /// The slots whose calls are answered since the last time; good until the next.
  const std::vector<size_t>& take();

  /// Nobody is interested any more.
  void close() noexcept;

private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<size_t> answered_;
  std::vector<size_t> taken_;
  bool closed_ = false;
};

/// What a fan-out needs of its calls. They may be answered after it has ended.
class fan_out_member : public reply_port {
public:
  void bind(caf::intrusive_ptr<fan_out_inbox> inbox, size_t slot) noexcept {
    inbox_ = std::move(inbox);
    slot_ = slot;
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    inbox_->put(slot_);
  }

private:
  caf::intrusive_ptr<fan_out_inbox> inbox_;
  size_t slot_ = 0;
};

/// A call of a fan-out.
template <class Call>
class fanned final : public Call, public fan_out_member {
public:
  template <class... Ts>
  explicit fanned(Ts&&... xs) : Call(std::forward<Ts>(xs)...) {
    this->port = this;
  }
};

// -- what is called ------------------------------------------------------------

/// The inputs, and what becomes of them. Used by the owner's thread only.
class fan_out_work {
public:
  virtual ~fan_out_work() = default;

  /// How many inputs there are.
  virtual size_t size() const = 0;

  /// Who takes the next call: asked for each, since it may be another one after
  /// an update.
  virtual expected<call_target_ptr> target(call_port& port) = 0;

  /// The call of input `i`, a `fanned`. May be asked for anew if it found no
  /// room. What it throws is the answer.
  virtual invocation_ptr make(size_t i) = 0;

  /// The call of input `i` is answered.
  virtual void done(size_t i, invocation& call) = 0;

  /// Input `i` was not called.
  virtual void failed(size_t i, error reason) = 0;
};

// -- the fan-out ---------------------------------------------------------------

/// Not thread-safe.
class fan_out {
public:
  /// @param port, work outlive it
  /// @param wake called on any thread when there is something to do for `step`;
  ///        also late, when the fan-out is gone
  fan_out(call_port& port, fan_out_work& work, fan_out_options options,
          std::function<void()> wake);

  fan_out(const fan_out&) = delete;

  /// As `stop`.
  ~fan_out();

  /// Takes answers and begins calls, a bounded number. To be called at first,
  /// when woken, and at the deadline. Returns whether there is more to begin at
  /// once: then call it again soon.
  /// @param together null if the thread has no turns
  bool step(turn* together = nullptr);

  /// What waits does not begin any more, but fails with `reason`; what runs goes
  /// on. The fan-out may be done then.
  void drop_waiting(const error& reason);

  /// Every input is answered.
  bool done() const noexcept { return ended_ == work_.size(); }

  /// Calls that are under way.
  size_t running() const noexcept { return running_; }

  /// Nobody waits any more: what has not begun is dropped, what runs goes on and
  /// is not heard of.
  void stop() noexcept;

private:
  struct slot {
    invocation_ptr call; // null: free
    size_t index = 0;
  };

  /// Calls that one step begins at most: it may not hold its thread up.
  static constexpr size_t begun_max = 128;

  bool may_begin() const noexcept;
  void begin(turn* together);
  void submit(size_t index, turn* together);
  void collect();
  void end(size_t index, invocation& call);
  void end_late();
  void fail_left(const error& reason);

  call_port& port_;
  fan_out_work& work_;
  const fan_out_options options_;
  caf::intrusive_ptr<fan_out_inbox> inbox_;
  std::vector<slot> slots_;
  std::vector<size_t> free_;
  std::vector<size_t> turned_away_; // inputs that found no room
  size_t room_;                     // calls for which there seems to be room
  size_t next_ = 0;                 // the first input that was never begun
  size_t running_ = 0;
  size_t ended_ = 0;
  bool stopped_ = false;
};

} // namespace troupe
