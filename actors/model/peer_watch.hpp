// Which peers are dead, as one node sees it: those whose counter stood still
// for long enough of the node's own clock, while it looked all the time. It
// never compares clocks of two machines, and it draws no conclusion from a time
// in which it did not look: after its own pause, or after the store was away,
// all begins anew. So an outage of the store is no mass takeover.
//
// The time that a counter stood still is taken from the arrival of the first
// view that showed it to the departure of the last question: both make it
// shorter than it was.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/model/boot_time.hpp"

namespace troupe {

struct peer_watch_options {
  /// A counter that stood still for so long is that of a dead node, if this one
  /// looked all the time. Longer than
  /// a lease by what clocks may differ in, and by the way to the store.
  std::chrono::nanoseconds dead_after = std::chrono::seconds{3};

  /// One that stood still for so long gets no new work.
  std::chrono::nanoseconds suspect_after = std::chrono::milliseconds{1500};

  /// Between two looks; after a longer time without one all begins anew.
  std::chrono::nanoseconds gap_max = std::chrono::milliseconds{1200};

  /// After a gap a peer may stand still for longer by as much as the gap, and by
  /// so much at most: what kept this node from looking may keep the peer from
  /// renewing, for as long as it takes to connect to a store again.
  std::chrono::nanoseconds patience_max = std::chrono::seconds{3};
};

class peer_watch {
public:
  explicit peer_watch(peer_watch_options options) : options_(options) {}

  /// A peer in a view.
  struct sighting {
    std::string_view name;
    uint64_t counter = 0;
  };

  /// A view came: it was asked for at `asked`, and is here at `now`. Peers that
  /// are not in it are forgotten. Views are given in the order in which they
  /// were taken.
  void look(const std::vector<sighting>& view, boot_time asked, boot_time now);

  /// Its counter, if it is to be declared dead.
  std::optional<uint64_t> dead(const std::string& name) const;

  /// Since when its counter stands still; nothing if it is not known.
  std::optional<boot_time> still_since(const std::string& name) const;

  /// It has not moved for a while.
  bool suspect(const std::string& name) const;

  /// When the next peer will be dead if it does not move; nothing if there is
  /// no peer.
  std::optional<boot_time> next_verdict() const;

private:
  struct peer {
    uint64_t counter = 0;
    boot_time since;
    std::chrono::nanoseconds still{0};

    /// Has not moved since this node looked again: so much longer it may.
    std::chrono::nanoseconds patience{0};
    bool seen = false;
  };

  peer_watch_options options_;
  /// Also finds what is no std::string.
  struct name_hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::unordered_map<std::string, peer, name_hash, std::equal_to<>> peers_;
  std::optional<boot_time> last_look_;
};

} // namespace troupe
