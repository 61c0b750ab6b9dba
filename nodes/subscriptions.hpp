// The subscriptions of a node: for each an intake and a source of messages, made
// when the node serves and ended before it goes. Those of the options are there
// all the time; those that were declared at run time come and go.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/codec.hpp"
#include "actors/core/message_source.hpp"
#include "actors/messages/message_intake.hpp"
#include "actors/messages/subscription.hpp"
#include "actors/messages/subscription_book.hpp"
#include "nodes/broker_log.hpp"
#include "nodes/delay_line.hpp"

namespace troupe {

class assembly;

/// One subscription as an operator sees it.
struct subscription_view {
  std::shared_ptr<const subscription> what;

  /// With `--subscribe`; else at run time.
  bool is_option = false;

  /// This node has it: it alone, or as one of a group.
  bool is_here = false;

  source_status source;
  uint64_t succeeded = 0;
  uint64_t retried = 0;
  uint64_t dead = 0;
  std::string last_failure{};
};

json to_json(const subscription_view& x);

/// One that was declared at run time, and that this node cannot have.
struct passed_over_subscription {
  std::string name;
  subscription_fields fields;
  std::string why;
};

/// Its `state`.
inline constexpr std::string_view passed_over = "passed_over";

json to_json(const passed_over_subscription& x);

/// Thread-safe but for its beginning and its end.
class subscriptions {
public:
  using log_writer = std::function<void(broker_log::level, const std::string&)>;

  /// @param actors outlives it
  /// @param write is told of brokers that come and go, on any thread
  subscriptions(assembly& actors, const std::vector<subscription>& all,
                log_writer write);

  subscriptions(const subscriptions&) = delete;

  /// As `stop`, without patience.
  ~subscriptions();

  /// @pre what they call is there, and the node is up
  void start();

  /// No more messages come; those that wait for another attempt are given back,
  /// those that run get `patience`.
  void stop(std::chrono::milliseconds patience);

  std::vector<subscription_view> list() const;

  /// Whether it is one of the options.
  bool is_option(const std::string& name) const;

  /// What was declared at run time is this from now on: begins those that are
  /// new, ends those that are not wanted any more, so that their brokers collect
  /// no more for them, and does both with one that has changed. Calls that run get `patience`. The name of an option is
  /// passed over. From one thread, which is done with it before `stop`.
  /// @pre it has started
  void follow(const std::vector<subscription>& declared,
              std::chrono::milliseconds patience);

  /// What is passed over from now on, as far as an operator can tell.
  void pass_over(std::vector<passed_over_subscription> all);

  std::vector<passed_over_subscription> all_passed_over() const;

private:
  class entry;
  using entries = std::vector<std::shared_ptr<entry>>;

  entries all() const;

  static void stop(const entries& which, std::chrono::milliseconds patience);

  assembly& actors_;
  std::unique_ptr<delay_line> delays_; // outlives the entries
  broker_log log_;                     // as well
  mutable std::mutex mutex_;           // guards what follows
  entries entries_;
  std::vector<passed_over_subscription> passed_over_;
};

} // namespace troupe
