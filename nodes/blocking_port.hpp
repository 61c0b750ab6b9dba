// A plain thread that waits for an answer. Usually the answer is there when the
// call returns, for the thread ran the handler itself.

#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "actors/core/invocation.hpp"

namespace troupe {

/// Lives on the stack of one blocking call.
class blocking_port final : public reply_port {
public:
  /// Waits until `call` is answered or its deadline has passed. The error to
  /// give then, or nothing if the answer is there.
  std::optional<error> wait(invocation& call);

  void answered(invocation& call, caf::execution_unit* host) noexcept override;

private:
  enum class state : uint8_t { open, waiting, done };

  std::atomic<state> state_{state::open};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool notified_ = false;
};

} // namespace troupe
