// What happens to the messages of one subscription: each becomes a call, and its
// broker is told to forget it once what came of that call is durable.
//
// A message with an identity changes an entity once, however often it comes: the
// identity is the idempotency key of the call, recorded with the state that it
// changed. A call that fails is tried again here, with pauses, while the message
// stays in flight: so the pauses hold the broker back as well. When it has no
// attempts left, or none would help, the message is a dead letter in the work
// queue, where an operator finds it.
//
// Calls begin in the order in which messages came, also those of one key. A call
// that is tried again begins after others that came later, unless there is one
// message in flight at a time.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include <caf/fwd.hpp>

#include "actors/core/message_source.hpp"
#include "actors/core/route_table.hpp"
#include "actors/core/work_id.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe {

/// What an intake needs of its surroundings.
struct intake_surroundings {
  /// Keeps a message as a dead letter; answered when that is durable. A repeat
  /// with the same idempotency key is the same letter.
  std::function<void(work_request, error, work_queue::callback<work_accepted>)>
    bury;

  /// Does something after a while, on any thread; or never, once the intake is
  /// paused for good.
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after;

  /// The wall clock.
  std::function<work_time()> clock;

  /// For pauses; 0: another one for each.
  uint64_t seed = 0;
};

/// Since the program started.
struct intake_counts {
  /// Attempts that failed and are made again.
  std::atomic<uint64_t> retried{0};

  /// Messages whose call was answered.
  std::atomic<uint64_t> succeeded{0};

  /// Messages that became dead letters.
  std::atomic<uint64_t> dead{0};
};

/// Thread-safe. What it has begun keeps it alive.
class message_intake final
  : public message_sink,
    public std::enable_shared_from_this<message_intake> {
public:
  /// @param env outlives every call, as does `sys`
  message_intake(caf::actor_system& sys, const call_environment& env,
                 subscription what, intake_surroundings around);

  message_intake(const message_intake&) = delete;

  void take(incoming_message message, callback done) override;

  /// Messages that wait for another attempt are given back at once, and what
  /// comes as well; calls that run go on. Until `resume`.
  void pause();

  void resume();

  const subscription& what() const noexcept { return what_; }

  const intake_counts& counts() const noexcept { return counts_; }

  /// Why the last attempt failed that did; empty: none did.
  std::string last_error() const;

private:
  class attempt;
  struct held;
  using held_ptr = std::shared_ptr<held>;

  bool is_paused() const;
  void begin(const held_ptr& x);
  expected<call_target_ptr> find_target() const;
  void ended(const held_ptr& x, attempt& call);
  void failed(const held_ptr& x, const error& why);
  void bury(const held_ptr& x, const error& why);
  static void tell_absence(held& x, const error& why);

  /// Does `then` after a while, unless the message is given back before.
  void wait(const held_ptr& x, std::chrono::milliseconds time,
            std::function<void()> then);

  void finish(const held_ptr& x, message_verdict verdict);
  void give_back(const held_ptr& x);

  caf::actor_system& sys_;
  const call_environment& env_;
  const subscription what_;
  const intake_surroundings around_;
  intake_counts counts_;

  mutable std::mutex mutex_; // guards what follows
  std::mt19937_64 random_;
  work_ids ids_;
  bool paused_ = false;
  std::set<held_ptr> waiting_; // for another attempt
  std::string last_error_;
};

} // namespace troupe
