// How a node speaks to other nodes. Whoever decides where a call goes must not
// know sockets, and must be able to run in virtual time over a network that
// delays, loses and parts: so the way to a peer is a backend. nodes/link/ has it
// over CAF's middleman, cluster/memory_link.hpp in memory for simulators and the
// test kit.
//
// A peer is one *run* of a node: a node that was restarted, or that rejoined
// after it was declared dead, is another peer. A link to the wrong run is never
// up, so that no call reaches somebody who only has the right address.
//
// Whether a peer is alive is not for links to say. `peer_up` and `peer_down` are
// hints: they start a check of the membership, never replace it.

#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/backends.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/invocation.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

class turn;

// -- who ----------------------------------------------------------------------

/// One run of one node.
struct peer_identity {
  /// The node's id.
  std::string node;

  /// Differs for each run of it.
  std::string incarnation;

  friend bool operator==(const peer_identity&, const peer_identity&) = default;
  friend auto operator<=>(const peer_identity&, const peer_identity&) = default;
};

/// "node/incarnation"
std::string to_string(const peer_identity& x);

/// Where to find it.
struct peer_endpoint {
  peer_identity who;

  /// "address:port" of its cluster port.
  std::string address;

  friend bool operator==(const peer_endpoint&, const peer_endpoint&) = default;
};

// -- what goes over -----------------------------------------------------------

/// The shard that a call is for, and the ownership that its sender knows.
struct shard_claim {
  uint32_t shard = 0;
  uint64_t epoch = 0;

  friend bool operator==(const shard_claim&, const shard_claim&) = default;
};

/// A call on its way to a peer. Times are the local clock's: they go over as the
/// time that is left, and as a time that is the same on every node.
struct forwarded_call {
  invocation_id id;

  /// The function or exposed actor; empty for a call of a service.
  std::string function;
  std::string qualifier;

  /// Set for calls of a service.
  std::optional<entity_call> entity;

  /// Set if only the owner of a shard may run it.
  std::optional<shard_claim> shard;

  std::string routing_key;
  std::string trace;
  time_point deadline;

  /// Who began the chain of calls: wait-die compares it on every node.
  call_root root;

  /// The entities that wait for it, the innermost first.
  std::vector<entity_id> path;

  payload arguments;
};

/// Who owns a shard, as far as somebody knows.
struct owner_hint {
  /// The node's id; empty: unknown.
  std::string node;
  uint64_t epoch = 0;

  friend bool operator==(const owner_hint&, const owner_hint&) = default;
};

/// What came of a call.
struct forwarded_answer {
  enum class outcome : uint8_t {
    /// `result` is there.
    done = 1,
    /// `failure` is there.
    failed,
    /// The receiver does not own the shard, or has another epoch. The call was
    /// not started. `owner` says what it knows.
    wrong_owner,
    /// It never left: there is no link, or it ended before. Not started.
    unsent,
    /// The link ended while the call was under way: it may have run.
    lost,
  };

  outcome what = outcome::done;
  payload result;
  std::optional<error> failure;

  /// The revision of the entity's state that the answer saw.
  std::optional<uint64_t> revision;

  owner_hint owner;
};

/// A short text without an answer: best effort, in order while the link is up.
struct peer_notice {
  std::string topic;
  std::string body;
};

// -- sending ------------------------------------------------------------------

/// A call that this node sends. The link keeps it until it was answered.
class outgoing_call : public caf::ref_counted {
public:
  forwarded_call content;

  /// It is about to leave: from now on the peer may run it. False: nobody waits
  /// any more, then it is dropped and not answered. Must not block.
  virtual bool leave() noexcept = 0;

  /// Comes exactly once after it was sent, unless `leave` said no; on any thread
  /// and maybe before `send` returns. Must not block.
  /// @param host the execution unit of that thread, or null
  virtual void answered(forwarded_answer answer,
                        caf::execution_unit* host) noexcept = 0;
};

using outgoing_call_ptr = caf::intrusive_ptr<outgoing_call>;

/// What one link did and does.
struct link_stats {
  bool up = false;
  uint64_t calls = 0;
  uint64_t refused = 0; // past the bounds
  uint64_t lost = 0;    // under way when the link ended
  uint64_t connects = 0;
  uint32_t in_flight = 0;
  uint64_t bytes_in_flight = 0;

  /// What both sides agreed on last; 0: there was no link yet.
  uint32_t wire_version = 0;
};

/// The way to one peer. Thread-safe, never blocks.
class peer_link : public caf::ref_counted {
public:
  virtual const peer_endpoint& where() const noexcept = 0;

  /// A call that is sent now has a chance.
  virtual bool up() const noexcept = 0;

  /// Sends `call`, or answers it at once: `unsent` without a link,
  /// `too_many_requests` past the bounds.
  /// @param together null, or what the calling thread does once for all that
  ///        came to it together: then the peer is woken once for all of it
  virtual void send(outgoing_call_ptr call, turn* together) = 0;

  virtual void notify(peer_notice notice) = 0;

  virtual link_stats stats() const = 0;

  /// Why the last try to make it failed, or how it ended; empty if it is up, or
  /// none has failed yet.
  virtual std::string failure() const = 0;
};

using peer_link_ptr = caf::intrusive_ptr<peer_link>;

// -- receiving ----------------------------------------------------------------

/// A call that a peer has sent.
class incoming_call : public caf::ref_counted {
public:
  forwarded_call content;
  peer_identity from;

  /// The first answer counts. From any thread, by one at a time; never blocks. If
  /// the link has ended nobody hears of it. A call that dies without an answer
  /// gets `unanswered`.
  virtual void answer(forwarded_answer answer) noexcept = 0;
};

using incoming_call_ptr = caf::intrusive_ptr<incoming_call>;

/// What is answered for a call that nobody took on.
forwarded_answer unanswered();

/// Hears what comes over links. Called from threads of the link; must neither
/// block nor throw.
class link_listener {
public:
  virtual ~link_listener() = default;

  /// Calls that came together.
  virtual void received(std::vector<incoming_call_ptr> calls) noexcept = 0;

  virtual void noticed(const peer_identity& from,
                       peer_notice notice) noexcept = 0;

  /// A hint: the link that this node asked for is there.
  virtual void peer_up(const peer_identity& peer) noexcept = 0;

  /// A hint: it is gone, or cannot be made. Comes once for each `peer_up`, and
  /// once if the first tries fail; not after a `disconnect`.
  virtual void peer_down(const peer_identity& peer,
                         std::string_view why) noexcept = 0;

  /// Somebody at `address` wanted to connect to this node, and does not fit it:
  /// another CA, no TLS, another cluster.
  virtual void refused(std::string_view address,
                       std::string_view why) noexcept = 0;
};

// -- all links of a node ------------------------------------------------------

/// Thread-safe, never blocks but in `stop`.
class cluster_link {
public:
  virtual ~cluster_link() = default;

  /// Where peers reach this node: "address:port".
  virtual std::string address() const = 0;

  /// Takes calls from now on. `listener` outlives `stop`.
  virtual void listen(link_listener& listener) = 0;

  /// This node goes by another incarnation from now on: who asks for an earlier
  /// one is refused, and links of its own introduce themselves anew. What is
  /// under way ends as if they had broken.
  virtual void identify(peer_identity self) = 0;

  /// Makes a link to that run of the node, and makes it again whenever it
  /// breaks, until `disconnect`. The same link for the same endpoint; an older
  /// run's link of the same node ends. @pre it listens
  virtual peer_link_ptr connect(const peer_endpoint& peer) = 0;

  /// That run is gone: no more tries, and its calls in flight end. Calls that
  /// come from it are refused from now on.
  virtual void disconnect(const peer_identity& peer) = 0;

  /// Every link that is wanted.
  virtual std::vector<peer_link_ptr> links() const = 0;

  /// Nobody can connect any more, and the address is free for another process;
  /// links that are there go on.
  virtual void accept_no_more() = 0;

  /// Closes everything after what is to be sent was sent, or the time is up.
  /// Answers what is in flight. Nothing is heard afterwards.
  virtual void stop(std::chrono::milliseconds time) = 0;
};

} // namespace troupe
