// The actor in CAF's event loop that owns a node's connections: it greets, checks
// who is there, keeps links alive, moves frames, and never runs a handler.
//
// A node connects to each of its peers for the calls that it makes itself, twice:
// once for what is small, and heartbeats, once for what is large. Nobody has to
// agree on who of two connects, and a connection that breaks is made again by the
// one that needs it.
//
//   who connects           who listens
//   hello (calls)    ->                   identities, version, heartbeats
//                    <-    welcome        or refusal
//   hello (bulk)     ->
//                    <-    welcome        the link is up
//   call, bulk ...   ->
//                    <-    answer, bulk ...
//   heartbeat        <->                  on the calls connection
//                    <-    farewell       no more calls; what is under way is
//   (closes)                              answered first

#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>

#include <caf/io/broker.hpp>

#include "nodes/link/messages.hpp"

namespace troupe::link {

class link_broker final : public caf::io::broker {
public:
  /// What it shares with its cluster_link, which outlives it.
  struct environment {
    const session::surroundings& around;

    /// Set before the first connection.
    link_listener* listener = nullptr;
    dialer* doors = nullptr;

    /// Kept when it has ended.
    std::promise<void> ended;
  };

  link_broker(caf::actor_config& cfg, environment& env);

  const char* name() const override { return "link"; }

  void on_exit() override;

protected:
  caf::behavior make_behavior() override;

private:
  using clock = std::chrono::steady_clock;

  struct connection {
    caf::io::connection_handle handle;
    int fd = -1;
    std::shared_ptr<tls_session> tls;
    wire::lane lane = wire::lane::calls;

    /// Greeting and welcome are exchanged.
    bool open = false;

    /// What both sides speak then.
    uint32_t wire_version = 0;
    clock::time_point since;
    clock::time_point heard;

    /// The other connection of the session has ended: this one is read to its
    /// end, for there may be answers in it.
    bool ending = false;

    /// A part of a frame.
    std::string rest;

    /// "address:port" of the side that has connected, on the other one.
    std::string from;

    /// Set on the side that has connected.
    outbound_link_ptr link;
    uint64_t round = 0;
    session_ptr with;

    /// Bytes are not in the kernel yet; known of bulk connections.
    bool writing = false;

    /// Large payloads that are not all here.
    struct incomplete {
      wire::frame_kind kind = wire::frame_kind::call;
      wire::numbered_call call;
      wire::numbered_answer answer;
      uint64_t length = 0;

      std::string& bytes() {
        return kind == wire::frame_kind::call ? call.content.arguments.bytes
                                              : answer.content.result.bytes;
      }
    };

    std::unordered_map<uint64_t, incomplete> streams;
    uint64_t streams_length = 0;
  };

  /// The connections of a session.
  struct lanes {
    session_ptr who;
    outbound_link_ptr link; // of the side that has connected
    caf::io::connection_handle calls;
    caf::io::connection_handle bulk;

    /// One of the two nodes leaves: no new calls.
    bool ending = false;
  };

  /// A connection that the dialer makes.
  struct attempt {
    outbound_link_ptr link;
    wire::lane lane = wire::lane::calls;
    uint64_t round = 0;
  };

  /// What came together.
  struct arrivals {
    std::vector<incoming_call_ptr> calls;
    std::vector<wire::numbered_answer> answers;
  };

  class session_call;

  // -- connections -----------------------------------------------------------

  void dial(const outbound_link_ptr& link, wire::lane lane);
  void dial_done(dial_result& x);
  void adopt(dial_result& x, const attempt& why);
  void closed(caf::io::connection_handle handle);

  /// The other connection of the session of `x`; null if there is none.
  connection* partner(const connection& x);

  /// Ends it, and what depends on it.
  void drop(caf::io::connection_handle handle, const std::string& why);
  void abort(connection& x);

  /// Ends both connections of a session.
  void end_session(const session_ptr& who);
  connection* find(caf::io::connection_handle handle);

  // -- links -----------------------------------------------------------------

  void identify(const peer_identity& self);
  void want(const outbound_link_ptr& link);
  void unwant(const peer_identity& peer);
  void failed(const outbound_link_ptr& link, const std::string& why);
  void retry(const retry_due& x);

  /// Does not wait any longer before the next try to reach `peer`.
  void retry_now(const peer_identity& peer);

  // -- greeting --------------------------------------------------------------

  wire::greeting own_greeting() const;
  void say_hello(connection& x);
  void hear_hello(connection& x, const wire::greeting& theirs);
  void hear_welcome(connection& x, const wire::greeting& theirs);
  std::optional<std::string> objection(const wire::greeting& theirs) const;
  void refuse(connection& x, const std::string& why);

  /// Tells of somebody who has connected and does not fit.
  void tell_of_stranger(const std::string& from, std::string_view why);

  /// No new calls go over it; it ends when those under way are answered.
  /// @pre this node has connected
  void let_end(const session_ptr& with);

  /// Ends it if it is to end and nothing is under way.
  void end_if_idle(const session_ptr& with);
  void join(connection& x, session_ptr with);

  // -- frames ----------------------------------------------------------------

  void data(caf::io::new_data_msg& msg);
  void read(connection& x, std::string_view& bytes, arrivals& to);
  void read_frame(connection& x, const wire::frame& f, arrivals& to);
  void greet(connection& x, const wire::frame& f);
  void begin_stream(connection& x, std::string_view body);
  void continue_stream(connection& x, std::string_view body, arrivals& to);
  void deliver(connection& x, arrivals& what);
  void arrived(connection& x, wire::numbered_call call, arrivals& to);
  void flush_session(const session_ptr& who);
  void write_chunk(connection& x);

  // -- time ------------------------------------------------------------------

  void tick();
  void beat(connection& x);
  void begin_to_close(std::chrono::milliseconds time);
  void written(caf::io::connection_handle handle);
  void close_now();
  void end_if_closed();

  environment& env_;
  const link_options& options_;
  peer_identity self_;
  backoff backoff_;
  std::mt19937_64 random_;
  clock::time_point ticked_;
  std::unordered_map<caf::io::connection_handle, connection> connections_;
  std::map<session*, lanes> sessions_;
  std::map<uint64_t, attempt> attempts_;
  std::map<std::string, outbound_link_ptr> links_; // by node
  std::map<std::string, std::string> gone_;        // node, incarnation
  uint64_t next_attempt_ = 0;
  uint64_t next_round_ = 0;
  bool closing_ = false;
};

} // namespace troupe::link
