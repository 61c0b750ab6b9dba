// One message on its way through the mailbox of a user's actor. Nobody outside
// an actor can see how many messages wait in front of it, and CAF bounds no
// mailbox; but CAF destroys a message when the actor is done with it, and that
// this element tells.

#pragma once

#include <atomic>
#include <cstdint>

#include <caf/actor.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/ref_counted.hpp>

namespace troupe {

/// What the sender keeps of a message.
class delivery final : public caf::ref_counted {
public:
  /// @param keeper gets (taken, request) if it asked for it
  /// @param request the response id of the message
  delivery(caf::actor keeper, uint64_t request)
    : keeper_(std::move(keeper)), request_(request) {}

  /// The actor is done with the message, or ended. If not, the keeper will be
  /// told. If the actor did not survive the message, its DOWN was sent before.
  bool taken() noexcept {
    auto expected = state::waiting;
    return !state_.compare_exchange_strong(expected, state::watched)
           && expected == state::taken;
  }

  /// The actor has looked at the message. If it ends without, it never ran.
  bool seen() const noexcept { return seen_.load(std::memory_order_relaxed); }

  // -- for the message -------------------------------------------------------

  void look() noexcept { seen_.store(true, std::memory_order_relaxed); }

  /// The message is destroyed.
  void destroyed() noexcept;

private:
  enum class state : uint8_t { waiting, watched, taken };

  caf::actor keeper_;
  uint64_t request_;
  std::atomic<state> state_{state::waiting};
  std::atomic<bool> seen_{false};
};

using delivery_ptr = caf::intrusive_ptr<delivery>;

/// The message itself.
class delivered_message final : public caf::mailbox_element {
public:
  delivered_message(delivery_ptr watch, caf::strong_actor_ptr sender,
                    caf::message_id id, caf::message content);

  ~delivered_message() override;

  caf::type_erased_tuple& content() override;

  const caf::type_erased_tuple& content() const override;

  caf::message move_content_to_message() override;

  caf::message copy_content_to_message() const override;

private:
  delivery_ptr watch_;
  caf::message content_;
};

} // namespace troupe
