// Links without a network, for simulators and the test kit: the same frames, in
// an order that a seed decides, in a time that only moves when the test says so.
//
// It behaves as TCP does: what was sent arrives in its order, or the link breaks.
// A frame that is lost, or that meets a partition, is therefore followed by a
// silence and the end of the link once the heartbeat's time is up. Calls under
// way end as they do over sockets: `lost` if they have left, else `unsent`.
//
//   memory_network net{start, seed};
//   auto a = net.join({"a", "1"});
//   auto b = net.join({"b", "1"});
//   a->listen(...); b->listen(...);
//   auto link = a->connect({{"b", "1"}, b->address()});
//   while (auto due = net.next()) net.advance(*due);

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/cluster_link.hpp"

namespace troupe {

struct memory_network_options {
  /// What a frame takes, evenly from one to the other.
  std::chrono::nanoseconds delay_min = std::chrono::microseconds{50};
  std::chrono::nanoseconds delay_max = std::chrono::microseconds{500};

  /// Of all frames, so many are lost; 0 to 1.
  double loss = 0;

  /// A silence of this length ends a link.
  std::chrono::nanoseconds heartbeat_timeout = std::chrono::seconds{2};

  /// Between two tries to reach a peer.
  std::chrono::nanoseconds reconnect = std::chrono::milliseconds{100};

  uint32_t in_flight_max = 8192;
};

/// Not thread-safe: it belongs to the thread of the test. Outlives its links.
class memory_network {
public:
  memory_network(time_point start, uint64_t seed,
                 memory_network_options options = {});

  memory_network(const memory_network&) = delete;

  ~memory_network();

  // -- who is there ----------------------------------------------------------

  /// The links of one run of a node. Its address is its id.
  /// @param skew how far its clock is ahead
  std::unique_ptr<cluster_link> join(peer_identity self,
                                     std::chrono::nanoseconds skew = {});

  // -- faults ----------------------------------------------------------------

  /// Nothing goes from `from` to `to` any more.
  void part(const std::string& from, const std::string& to);

  /// Nothing goes between them any more.
  void part_both(const std::string& x, const std::string& y);

  /// Everything goes everywhere again.
  void heal();

  /// The process of the node is gone: its peers see their links break at once.
  void kill(const std::string& node);

  /// It stands still: what is sent to it waits, and its links break once they
  /// were silent for too long.
  void pause(const std::string& node);

  void resume(const std::string& node);

  memory_network_options& options() noexcept { return options_; }

  // -- time ------------------------------------------------------------------

  time_point now() const noexcept { return now_; }

  /// When something happens next; nothing if nothing will.
  std::optional<time_point> next() const;

  /// Moves the time on, and lets happen what is due until then.
  void advance(time_point to);

  /// Frames that arrived so far, and that did not.
  uint64_t delivered() const noexcept { return delivered_; }
  uint64_t lost() const noexcept { return lost_; }

private:
  class node_links;
  class memory_peer;
  class memory_call;

  /// Lets `what` happen after `delay`.
  void after(std::chrono::nanoseconds delay, std::function<void()> what);

  std::chrono::nanoseconds draw_delay();

  /// Whether a peer could be reached.
  bool goes_through(const std::string& from, const std::string& to);

  node_links* find(const peer_identity& who);

  /// Lets `arrive` happen at `to`, in the order of what goes by that link.
  void carry(const std::string& from, const std::string& to, memory_peer& by,
             uint64_t connection, std::function<void()> arrive);

  /// Links between the two hear nothing any more.
  void silence(const std::string& x, const std::string& y);

  void end_links_to(const peer_identity& who, const std::string& why);

  memory_network_options options_;
  std::mt19937_64 random_;
  time_point now_;
  uint64_t next_event_ = 0;
  std::map<std::pair<time_point, uint64_t>, std::function<void()>> events_;
  std::map<std::string, node_links*> nodes_; // the run that is there
  std::set<std::pair<std::string, std::string>> parted_;
  std::set<std::string> paused_;
  std::map<std::string, std::vector<std::function<void()>>> held_; // by node
  uint64_t delivered_ = 0;
  uint64_t lost_ = 0;
};

} // namespace troupe
