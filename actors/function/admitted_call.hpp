// A call that was let in, with the place it takes there. Messages die with the
// mailbox of an actor that ended: whatever call was in one still has to be
// answered, and its place has to be free again.

#pragma once

#include <atomic>
#include <cstdint>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/interfaces.hpp"

namespace troupe {

class admitted_call final : public caf::ref_counted {
public:
  /// @param places a counter of `owner` that counts `call` already
  admitted_call(call_target_ptr owner, std::atomic<uint32_t>& places,
                invocation_ptr call);

  /// Answers `shutting_down` if nobody took or answered the call.
  ~admitted_call() override;

  /// @pre neither taken nor answered
  invocation& call() noexcept { return *call_; }

  /// Hands the call out; its place is kept until `leave`.
  invocation_ptr take() noexcept { return std::move(call_); }

  /// Gives the place up.
  void leave() noexcept;

  /// Gives the place up, then answers: a caller that calls again finds room.
  void finish(caf::execution_unit* host) noexcept;

  void finish(error reason, caf::execution_unit* host);

private:
  call_target_ptr owner_;
  std::atomic<uint32_t>* places_;
  invocation_ptr call_;
};

using admitted_call_ptr = caf::intrusive_ptr<admitted_call>;

} // namespace troupe
