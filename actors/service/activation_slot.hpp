// What the host and the callers of an activation see of it without asking it. It
// is a part of the actor, so that an entity that sleeps costs one object.

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include <boost/intrusive/list_hook.hpp>
#include <caf/actor_control_block.hpp>

#include "actors/core/invocation.hpp"

namespace troupe {

struct method_definition;

class activation_slot {
public:
  activation_slot(std::string entity_key, uint32_t shard_of_key,
                  caf::actor_control_block* actor)
    : key(std::move(entity_key)), shard(shard_of_key), control(actor) {}

  activation_slot(const activation_slot&) = delete;
  activation_slot& operator=(const activation_slot&) = delete;

  const std::string key;

  /// The shard that it is in.
  const uint32_t shard;

  /// The actor that this is a part of.
  caf::actor_control_block* const control;

  /// Calls that it got and nobody answered yet. Rises under the lock of its part
  /// of the table only.
  std::atomic<uint32_t> pending{0};

  /// It ended.
  std::atomic<bool> gone{false};

  /// When it got its last call, in ns of the clock.
  std::atomic<int64_t> used{0};

  /// The method it is in; null if none.
  std::atomic<const method_definition*> method{nullptr};

  /// Since when, in ns of the clock.
  std::atomic<int64_t> running_since{0};

  // -- the host's own --------------------------------------------------------

  /// Its place among the host's activations, the one used longest ago first.
  boost::intrusive::list_member_hook<> by_use;

  /// `used` when it got that place.
  int64_t placed = 0;

protected:
  ~activation_slot() = default;
};

/// Keeps the actor of a slot.
class activation_ref {
public:
  activation_ref() noexcept = default;

  explicit activation_ref(activation_slot* slot) noexcept : slot_(slot) {
    if (slot_)
      caf::intrusive_ptr_add_ref(slot_->control);
  }

  activation_ref(const activation_ref& other) noexcept
    : activation_ref(other.slot_) {}

  activation_ref(activation_ref&& other) noexcept
    : slot_(std::exchange(other.slot_, nullptr)) {}

  activation_ref& operator=(activation_ref other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }

  ~activation_ref() {
    if (slot_)
      caf::intrusive_ptr_release(slot_->control);
  }

  explicit operator bool() const noexcept { return slot_ != nullptr; }

  activation_slot* get() const noexcept { return slot_; }

  activation_slot* operator->() const noexcept { return slot_; }

  activation_slot& operator*() const noexcept { return *slot_; }

private:
  activation_slot* slot_ = nullptr;
};

} // namespace troupe
