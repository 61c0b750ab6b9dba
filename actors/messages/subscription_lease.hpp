// Which node of a cluster has a subscription that only one may have: who holds a
// lock of the store of its name. A node that dies leaves it after its time.
//
// Two nodes may think for a moment that they have it. Nothing is lost or done
// twice by that: the broker ends the older of two connections with one client
// id, and brings what that did not acknowledge to the other.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "actors/core/lock_backend.hpp"

namespace troupe {

struct lease_options {
  /// How long a node that died keeps it. Lower it to have messages sooner again,
  /// at the cost of a store that stands still for so long being taken for dead.
  std::chrono::milliseconds ttl{4'000};

  /// Does something after a while, on one thread; or never, once it is stopped.
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after;

  /// The steady clock, by default.
  std::function<std::chrono::steady_clock::time_point()> now =
    std::chrono::steady_clock::now;

  /// It is this node's, and then not any more; by turns, on the thread of
  /// `after`.
  std::function<void()> on_gained;
  std::function<void()> on_lost;
};

/// Thread-safe.
class subscription_lease
  : public std::enable_shared_from_this<subscription_lease> {
public:
  /// @param table outlives every callback
  /// @param subscription its name
  subscription_lease(lock_table& table, const std::string& subscription,
                     lease_options options);

  /// Begins to ask for it.
  void start();

  /// Gives it up, if it is this node's, so that another has it at once. Nobody
  /// is told of that.
  void stop();

  bool is_held() const;

private:
  using clock = std::chrono::steady_clock;

  void step();
  void ask();
  void renew();
  void asked(clock::time_point sent, const expected<lock_answer>& answer);
  void renewed(clock::time_point sent, const expected<lock_answer>& answer);
  void lose();

  lock_table& table_;
  const std::string name_;
  const lease_options options_;

  mutable std::mutex mutex_; // guards what follows
  bool runs_ = false;
  std::string holder_;
  std::optional<lock_proof> held_;
  clock::time_point valid_until_{};
  clock::time_point next_{};
  bool asks_ = false; // a question is under way

  /// What was told last; of the thread of `after`.
  bool was_told_ = false;
};

} // namespace troupe
