#include "actors/function/delivery.hpp"

#include <utility>

#include "actors/core/atoms.hpp"

namespace troupe {

void delivery::destroyed() noexcept {
  if (state_.exchange(state::taken) == state::watched)
    keeper_->enqueue(nullptr, caf::make_message_id(),
                     caf::make_message(atom::taken::value, request_), nullptr);
}

delivered_message::delivered_message(delivery_ptr watch,
                                     caf::strong_actor_ptr sender,
                                     caf::message_id id, caf::message content)
  : caf::mailbox_element(std::move(sender), id, {}), watch_(std::move(watch)),
    content_(std::move(content)) {}

delivered_message::~delivered_message() {
  watch_->destroyed();
}

caf::type_erased_tuple& delivered_message::content() {
  watch_->look();
  return content_;
}

const caf::type_erased_tuple& delivered_message::content() const {
  watch_->look();
  return content_;
}

caf::message delivered_message::move_content_to_message() {
  watch_->look();
  return std::move(content_);
}

caf::message delivered_message::copy_content_to_message() const {
  watch_->look();
  return content_;
}

} // namespace troupe
