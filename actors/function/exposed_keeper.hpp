// Keeps one exposed actor alive and stands between it and its callers. The actor
// is any CAF actor: it knows nothing of deadlines, queues or quarantine, so all
// of that is here.
//
// # Calls
//
// A call becomes a request of the actor. At most `limits.concurrency` are with
// it, the ones that wait in its mailbox included, for that has no bound of its
// own; up to `limits.queue` wait here. A call that is late here never starts.
// When a call that was sent comes to its deadline it is forgotten; its place is
// free as soon as the actor is done with the message, answer or not. A late
// answer is dropped.
//
//   the actor ...                   the caller gets
//   answers                         the result
//   answers a caf::error            `handler_failed` (ran), its type the error's
//                                   category and name ("caf::sec::...")
//   throws, is killed, quits        `instance_lost` (unknown) for every message
//                                   that it had seen, `instance_lost` (none) for
//                                   those that waited in its mailbox
//
// # The end of the actor
//
// It is restarted for whatever reason it ended, as a `permanent` child of OTP:
// an actor under a name is there to stay. Every end counts, a normal one too,
// for one that quits at each message serves nobody. Below the intensity it is
// restarted after a short backoff, and calls wait for it. Past it the name is
// quarantined: calls fail fast. After the cool-down a fresh actor is started
// and one call is let in; when that is answered, or when the actor just stays
// up for a while, the name is back in service.
//
// # Stop
//
// An exit message with any reason but `normal` and `kill` stops it in order:
// waiting calls are answered `shutting_down`, the actor is told to exit, and
// killed if it does not in time. When the keeper itself is killed the actor is,
// too.

#pragma once

#include <deque>
#include <optional>
#include <random>
#include <unordered_map>

#include <caf/event_based_actor.hpp>

#include "actors/core/tree.hpp"
#include "actors/function/delivery.hpp"
#include "actors/function/exposed.hpp"
#include "actors/function/messages.hpp"
#include "actors/model/backoff.hpp"
#include "actors/model/quarantine.hpp"

namespace troupe {

struct exposed_options {
  quarantine_options quarantine = default_quarantine();

  /// Wait before a restart below the intensity.
  backoff_options backoff = default_backoff();

  /// An actor that was up for so long is taken for healthy.
  std::chrono::nanoseconds settled = defaults::exposed::settled;

  std::chrono::nanoseconds stop_limit = defaults::exposed::stop_limit;

  /// Seeds the jitter. Zero: from the system's random device.
  uint64_t seed = 0;

  static quarantine_options default_quarantine();

  static backoff_options default_backoff();
};

/// Understands (describe), (drain); see core/interfaces.hpp.
class exposed_keeper final : public caf::event_based_actor {
public:
  using super = caf::event_based_actor;

  exposed_keeper(caf::actor_config& cfg, exposed_target_ptr target,
                 exposed_options options);

  const char* name() const override { return "exposed"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

  using super::enqueue;

  /// Turns answers of the actor into messages, so that forgetting a request
  /// leaves nothing behind.
  void enqueue(caf::mailbox_element_ptr what,
               caf::execution_unit* host) override;

private:
  /// A request that the actor has.
  struct request {
    /// Null once nobody waits for it.
    admitted_call_ptr call;
    delivery_ptr message;
    std::string content_type;
    time_point began;
    bool probe = false;

    /// An error that may be the actor's last word.
    std::optional<caf::error> failure;
  };

  using request_map = std::unordered_map<uint64_t, request>;

  // -- the actor's life ------------------------------------------------------

  void start_actor();

  void ended(const caf::error& reason);

  /// The actor is gone: every call that it had is answered.
  void lose_requests();

  /// Restart, rest or probe: whatever the quarantine says.
  void follow_quarantine();

  void reopen();

  /// The probe came to nothing; the next call may try.
  void probe_again();

  void check_settled();

  // -- calls -----------------------------------------------------------------

  void take(exposed_call call);

  /// Sends waiting calls while the actor may have more.
  void pump();

  /// The call may still start. If not, it is answered.
  bool is_timely(exposed_call& call);

  void send_to_actor(exposed_call call);

  void answered(exposed_answer& answer);

  /// Answers the call of `i` and forgets it.
  void finish(request_map::iterator i);

  void fail(request_map::iterator i, const caf::error& reason);

  /// The actor is done with the message of `i`.
  void taken(uint64_t id);

  void count(const request& x, bool failed) noexcept;

  /// Drops calls that nobody waits for any more.
  void sweep();

  void arm_sweep();

  void refuse_queue(const error& reason);

  // -- the end ---------------------------------------------------------------

  void drain();

  void leave_if_drained();

  void stop(caf::error reason);

  /// The actor did not end in time.
  void insist();

  tree_node describe() const;

  time_point now() const noexcept { return home_system().clock().now(); }

  exposed_target_ptr target_;
  exposed_options options_;
  quarantine quarantine_;
  backoff backoff_;
  std::mt19937_64 random_;
  caf::actor actor_;
  bool closed_ = false; // the actor takes nothing any more
  time_point started_;
  uint32_t ends_in_a_row_ = 0;
  uint64_t timer_ = 0;
  std::string last_reason_;
  std::deque<exposed_call> queue_;
  request_map requests_;
  bool sweeping_ = false;
  bool draining_ = false;
  bool insisted_ = false;
  std::optional<caf::error> stopping_;
};

} // namespace troupe
