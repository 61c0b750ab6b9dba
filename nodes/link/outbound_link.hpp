// The link that this node asked for: the same object while connections come and
// go, so that whoever routes calls may keep it.

#pragma once

#include <atomic>
#include <mutex>

#include "actors/core/cluster_link.hpp"
#include "nodes/link/session.hpp"

namespace troupe::link {

class outbound_link final : public peer_link {
public:
  explicit outbound_link(peer_endpoint where) : where_(std::move(where)) {}

  // -- peer_link -------------------------------------------------------------

  const peer_endpoint& where() const noexcept override { return where_; }

  bool up() const noexcept override {
    return up_.load(std::memory_order_acquire);
  }

  void send(outgoing_call_ptr call, turn* together) override;

  void notify(peer_notice notice) override;

  link_stats stats() const override;

  std::string failure() const override;

  // -- for the broker --------------------------------------------------------

  /// @param wire_version what both sides speak
  void established(session_ptr by, uint32_t wire_version);

  /// The peer ends in order: no new calls.
  void ending() noexcept { up_.store(false, std::memory_order_release); }

  /// The connections are gone: answers what is under way.
  void broken();

  /// There is none, for that reason.
  void failed(std::string_view why);

  /// What the broker knows of it; touched by its thread only.
  struct progress {
    /// The number of the try that is under way or up; what belongs to another
    /// one is of no interest.
    uint64_t round = 0;

    /// In a row, since it was up.
    uint32_t failures = 0;
    bool wanted = true;

    /// The last try has failed, and it is not yet time for the next.
    bool waiting = false;

    /// Its first connection is there, the second is not yet.
    session_ptr joining;

    /// The listener heard `peer_down` and not `peer_up` since.
    bool reported_down = false;
  };

  progress state;

private:
  session_ptr current() const;

  const peer_endpoint where_;
  std::atomic<bool> up_{false};
  std::atomic<uint64_t> calls_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint64_t> connects_{0};
  std::atomic<uint32_t> wire_version_{0};
  mutable std::mutex mutex_; // guards what follows
  session_ptr session_;
  std::string failure_;
};

using outbound_link_ptr = caf::intrusive_ptr<outbound_link>;

} // namespace troupe::link
