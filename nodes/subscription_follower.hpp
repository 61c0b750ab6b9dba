// Keeps the subscriptions of a node as they are declared at run time: looks at
// what the store has of them, again and again, so that every node of a cluster
// has them within seconds, and after a restart as well. A store that is away
// changes nothing.

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "actors/core/backends.hpp"
#include "actors/messages/subscription_book.hpp"
#include "nodes/secrets_folder.hpp"
#include "nodes/subscriptions.hpp"

namespace troupe {

struct follower_options {
  /// Between two looks. Lower it to have changes sooner, for more reads.
  std::chrono::milliseconds interval{1'000};

  /// What calls that run get when their subscription ends.
  std::chrono::milliseconds patience{5'000};

  /// As `subscription::cluster`.
  std::string cluster{};

  /// Where the files are that they name.
  secrets_folder secrets{};

  /// Is told of a subscription that this node cannot have, and why; on any
  /// thread. May be empty.
  std::function<void(const std::string& name, const std::string& why)>
    on_fault{};
};

/// Thread-safe but for its beginning.
class subscription_follower {
public:
  /// @param store outlives it, as does `to`
  subscription_follower(state_store& store, subscriptions& to,
                        follower_options options = {});

  subscription_follower(const subscription_follower&) = delete;

  ~subscription_follower();

  /// @pre `to` has started
  void start();

  /// Returns when it does nothing any more, which may take as long as `patience`.
  void stop();

private:
  struct shared;

  void run();

  /// What the store has; nothing if it does not answer, or this is to stop.
  std::optional<stored_state> look();

  void follow(const std::string& state);

  /// @throws std::invalid_argument
  subscription read(const std::string& name,
                    const subscription_fields& fields) const;

  state_store& store_;
  subscriptions& to_;
  const follower_options options_;
  const std::shared_ptr<shared> shared_;
  std::string last_; // the state that was followed last
  std::thread thread_;
};

} // namespace troupe
