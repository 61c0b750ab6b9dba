// A subscription's source at a server of NATS: a thread that receives while there
// is room, and one that says what became of the messages, since the client may
// block when it writes.

#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "actors/core/message_source.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/connection_watch.hpp"
#include "nodes/nats/session.hpp"

namespace troupe {

class nats_source final : public message_source {
public:
  /// @param sink outlives it
  /// @param watch is called on the source's own threads; may be empty
  nats_source(subscription what, message_sink& sink,
              connection_observer watch = {});

  nats_source(const nats_source&) = delete;

  ~nats_source() override;

  void start() override;

  void stop(std::chrono::milliseconds patience) override;

  source_status status() const override;

private:
  class engine;

  std::shared_ptr<engine> engine_;
  std::thread receiver_;
  std::thread answerer_;
};

} // namespace troupe
