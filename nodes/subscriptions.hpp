// The subscriptions of a node: for each an intake and a source of messages, made
// when the node serves and ended before it goes.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/core/codec.hpp"
#include "actors/core/message_source.hpp"
#include "actors/messages/message_intake.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/delay_line.hpp"

namespace troupe {

class assembly;

/// One subscription as an operator sees it.
struct subscription_view {
  const subscription* what = nullptr;

  /// This node has it: it alone, or as one of a group.
  bool is_here = false;

  source_status source;
  uint64_t succeeded = 0;
  uint64_t retried = 0;
  uint64_t dead = 0;
  std::string last_failure{};
};

json to_json(const subscription_view& x);

/// Thread-safe but for its beginning and its end.
class subscriptions {
public:
  /// @param actors outlives it
  subscriptions(assembly& actors, const std::vector<subscription>& all);

  subscriptions(const subscriptions&) = delete;

  /// As `stop`, without patience.
  ~subscriptions();

  /// @pre what they call is there, and the node is up
  void start();

  /// No more messages come; those that wait for another attempt are given back,
  /// those that run get `patience`.
  void stop(std::chrono::milliseconds patience);

  std::vector<subscription_view> list() const;

private:
  class entry;

  std::unique_ptr<delay_line> delays_;
  std::vector<std::unique_ptr<entry>> entries_; // outlived by delays_
};

} // namespace troupe
