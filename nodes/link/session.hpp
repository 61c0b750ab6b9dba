// Two nodes that have met: a connection for what is small, one for what is
// large, and what is under way between them. Callers and handlers of any thread
// leave their frames here, and the broker, on the event loop's thread, picks up
// all that has come together.

#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_clock.hpp>
#include <caf/ref_counted.hpp>

#include "actors/cluster/wire.hpp"
#include "actors/core/cluster_link.hpp"
#include "nodes/link/options.hpp"

namespace troupe::link {

class session;

using session_ptr = caf::intrusive_ptr<session>;

/// A call that did not come back.
struct lost_call {
  outgoing_call_ptr call;

  /// The peer may have got all of it.
  bool left = false;
};

/// Thread-safe. Whoever connected sends calls and gets answers; the other side
/// gets calls and sends answers.
class session final : public caf::ref_counted {
public:
  /// What all sessions of a node share; outlives them.
  struct surroundings {
    const link_options& options;
    const caf::actor_clock& clock;
    wire::cluster_clock time;
  };

  session(const surroundings& around, caf::actor broker, peer_identity peer,
          uint64_t number)
    : around_(around), broker_(std::move(broker)), peer_(std::move(peer)),
      number_(number) {}

  const peer_identity& peer() const noexcept { return peer_; }

  /// Names it among the sessions of its peer.
  uint64_t number() const noexcept { return number_; }

  // -- for callers and handlers ----------------------------------------------

  enum class sent { yes, full, closed, given_up };

  /// Anything but `yes`: the call is as it was.
  sent send(const outgoing_call_ptr& call, turn* together);

  void answer(uint64_t number, forwarded_answer x);

  void notify(const peer_notice& notice);

  uint32_t in_flight() const;

  uint64_t bytes_in_flight() const;

  // -- for the broker --------------------------------------------------------

  /// What is to be written now is put behind `out`. What comes later wakes the
  /// broker.
  void take_small(wire::buffer& out);

  /// The next piece of what is large; false if there is nothing.
  bool take_chunk(wire::buffer& out);

  /// The calls that were answered; null where nobody waits.
  std::vector<outgoing_call_ptr>
  take_answered(const std::vector<wire::numbered_answer>& answers);

  /// Nothing is sent any more; answers may still come.
  void seal();

  /// Nothing goes or comes any more. Returns the calls under way.
  std::vector<lost_call> close();

private:
  /// A call under way, in a slot; its number is generation and slot.
  struct entry {
    outgoing_call_ptr call;
    uint64_t bytes = 0;
    uint32_t generation = 0;

    /// It left with this batch.
    uint64_t batch = never;
  };

  /// A call or an answer with a large payload.
  struct large {
    uint64_t stream = 0;
    uint64_t number = 0;
    outgoing_call_ptr call; // or else
    forwarded_answer answer;
    size_t offset = 0;

    const std::string& bytes() const {
      return call ? call->content.arguments.bytes : answer.result.bytes;
    }
  };

  static constexpr uint64_t never = UINT64_MAX;

  uint64_t add(const outgoing_call_ptr& call, uint64_t bytes);
  entry* find(uint64_t number);
  outgoing_call_ptr remove(uint64_t number);

  /// The peer takes only so many bytes of payloads that are not all there.
  bool may_begin() const;

  /// Puts it in front of those that are sent, unless nobody waits any more.
  void begin(large x, wire::buffer& out);

  /// @pre `guard` is locked; unlocks it
  void wake(std::unique_lock<std::mutex> guard, turn* together);

  const surroundings& around_;
  const caf::actor broker_;
  const peer_identity peer_;
  const uint64_t number_;
  mutable std::mutex mutex_; // guards what follows
  bool closed_ = false;
  bool woken_ = false;
  wire::buffer small_;
  std::deque<large> large_;   // not begun
  std::deque<large> streams_; // begun
  uint64_t streams_bytes_ = 0;
  uint64_t next_stream_ = 0;
  uint64_t batch_ = 0;
  std::vector<entry> entries_;
  std::vector<uint32_t> free_;
  uint32_t in_flight_ = 0;
  uint64_t bytes_in_flight_ = 0;
};

} // namespace troupe::link
