// What goes over a link between two nodes, byte by byte. Nodes of two versions
// run side by side while a cluster is upgraded, so every message but the frame
// around it is a list of numbered fields: a reader skips the numbers that it
// does not know, and what is missing has its default. Numbers are never used
// twice. What needs more than a new field raises the version that two nodes
// agree on when they meet.
//
//   frame     4 bytes: how many follow; 1 byte: kind; body
//   body      fields: 1 byte number, varint length, value
//   value     bytes; or an integer as 1 to 10 bytes, 7 bits each, lowest first
//
// A frame of an unknown kind is skipped. A payload is the last field of its
// frame and goes untouched. Large ones go on the bulk connection: `bulk` says
// how long it is, `chunk`s bring it.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/cluster_link.hpp"
#include "actors/core/wire_version.hpp"

namespace troupe::wire {

/// Bytes of a frame's head.
inline constexpr size_t head_size = 5;

/// A frame that says that it is longer is no frame.
inline constexpr size_t frame_length_max = 1024 * 1024;

using buffer = std::vector<char>;

enum class frame_kind : uint8_t {
  /// Who calls, and how. The first frame of whoever connects.
  hello = 1,
  /// The answer: the connection is there.
  welcome,
  /// Or it is not, and why. The last frame of its connection.
  refusal,
  /// Nothing, so that the other one knows that this one is alive.
  heartbeat,
  call,
  answer,
  notice,
  /// A call or an answer whose payload comes in chunks.
  bulk,
  chunk,
  /// Nothing: this node leaves. It answers the calls that it has got, and wants
  /// no more of them.
  farewell,
};

/// What is the same on every node: local time + offset.
struct cluster_clock {
  std::chrono::nanoseconds offset{0};
};

// -- frames -------------------------------------------------------------------

struct frame {
  frame_kind kind;
  std::string_view body;
};

/// The frame at the front of `bytes`, which is cut off; nothing if it is not all
/// there yet.
/// @throws wire_error
std::optional<frame> next_frame(std::string_view& bytes);

/// The bytes are not what a node sends.
class wire_error : public std::exception {
public:
  explicit wire_error(const char* what) noexcept : what_(what) {}

  const char* what() const noexcept override { return what_; }

private:
  const char* what_;
};

/// A frame without a body.
void append_empty(buffer& out, frame_kind kind);

// -- meeting ------------------------------------------------------------------

/// What a connection is for. Large payloads have one of their own, so that
/// nothing small waits behind them.
enum class lane : uint8_t { calls = 1, bulk };

/// Both sides say it: whoever connects as `hello`, the other as `welcome`.
struct greeting {
  uint32_t version_min = oldest_beside(wire::version);
  uint32_t version_max = wire::version;

  /// Nodes of two clusters do not mix.
  std::string cluster;
  peer_identity from;

  /// Whom it wants to reach; others refuse.
  peer_identity to;
  wire::lane lane = lane::calls;

  /// Connections that belong together have the same.
  uint64_t session = 0;

  /// Must be the same on both sides: else one takes the other for dead.
  uint32_t heartbeat_interval_ms = 0;
  uint32_t heartbeat_timeout_ms = 0;

  friend bool operator==(const greeting&, const greeting&) = default;
};

void append_greeting(buffer& out, frame_kind kind, const greeting& x);

/// @throws wire_error
greeting read_greeting(std::string_view body);

/// Why `theirs` cannot be linked to `ours`; nothing if it can.
std::optional<std::string> mismatch(const greeting& ours,
                                    const greeting& theirs);

/// The version that both speak. @pre `!mismatch(ours, theirs)`
uint32_t agree(const greeting& ours, const greeting& theirs);

void append_refusal(buffer& out, std::string_view why);

/// @throws wire_error
std::string read_refusal(std::string_view body);

// -- calls --------------------------------------------------------------------

/// The lowest version in which it can be said. Who has agreed on less neither
/// sends nor takes it.
uint32_t version_for(const forwarded_call& call) noexcept;

/// `number` is the sender's name for the call while it is under way.
void append_call(buffer& out, uint64_t number, const forwarded_call& call,
                 time_point now, cluster_clock clock);

void append_answer(buffer& out, uint64_t number, const forwarded_answer& x);

struct numbered_call {
  uint64_t number = 0;
  forwarded_call content;
};

struct numbered_answer {
  uint64_t number = 0;
  forwarded_answer content;
};

/// @throws wire_error
numbered_call read_call(std::string_view body, time_point now,
                        cluster_clock clock);

/// @throws wire_error
numbered_answer read_answer(std::string_view body);

void append_notice(buffer& out, const peer_notice& x);

/// @throws wire_error
peer_notice read_notice(std::string_view body);

// -- large payloads -----------------------------------------------------------

/// The head of a large call or answer. `stream` names it on its connection.
struct bulk_head {
  uint64_t stream = 0;
  uint64_t payload_length = 0;

  /// `call` or `answer`.
  frame_kind kind = frame_kind::call;

  /// That frame's body, without the payload.
  std::string_view body;
};

/// As above, but with a payload that follows in chunks.
void append_bulk_call(buffer& out, uint64_t stream, uint64_t number,
                      const forwarded_call& call, time_point now,
                      cluster_clock clock);

void append_bulk_answer(buffer& out, uint64_t stream, uint64_t number,
                        const forwarded_answer& x);

/// @throws wire_error
bulk_head read_bulk(std::string_view body);

void append_chunk(buffer& out, uint64_t stream, std::string_view bytes);

struct chunk {
  uint64_t stream = 0;
  std::string_view bytes;
};

/// @throws wire_error
chunk read_chunk(std::string_view body);

} // namespace troupe::wire
