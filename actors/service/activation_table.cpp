#include "actors/service/activation_table.hpp"

namespace troupe {

activation_table::~activation_table() {
  for (auto& x : parts_)
    for (auto slot : x.slots)
      caf::intrusive_ptr_release(slot->control);
}

activation_table::visit activation_table::enter(std::string_view key,
                                                uint32_t pending_max,
                                                int64_t now) {
  auto& place = part_of(key);
  std::lock_guard guard{place.mutex};
  auto i = place.slots.find(key);
  if (i == place.slots.end() || (*i)->gone.load(std::memory_order_relaxed))
    return {};
  auto& slot = **i;
  slot.used.store(now, std::memory_order_relaxed);
  if (slot.pending.load(std::memory_order_relaxed) > pending_max)
    return {entry::full, activation_ref{&slot}};
  slot.pending.fetch_add(1);
  return {entry::entered, activation_ref{&slot}};
}

activation_ref activation_table::find(std::string_view key) const {
  auto& place = part_of(key);
  std::lock_guard guard{place.mutex};
  auto i = place.slots.find(key);
  return i != place.slots.end() ? activation_ref{*i} : activation_ref{};
}

void activation_table::add(activation_slot& slot) {
  activation_ref before;
  auto& place = part_of(slot.key);
  std::lock_guard guard{place.mutex};
  if (auto i = place.slots.find(&slot); i != place.slots.end()) {
    before = activation_ref{*i};
    caf::intrusive_ptr_release((*i)->control);
    place.slots.erase(i);
  }
  place.slots.insert(&slot);
  caf::intrusive_ptr_add_ref(slot.control);
}

bool activation_table::remove_if_idle(activation_slot& slot) {
  auto& place = part_of(slot.key);
  std::lock_guard guard{place.mutex};
  if (slot.pending.load() != 0)
    return false;
  take_out(place, slot);
  return true;
}

void activation_table::remove(activation_slot& slot) {
  auto& place = part_of(slot.key);
  std::lock_guard guard{place.mutex};
  take_out(place, slot);
}

void activation_table::take_out(part& place, activation_slot& slot) {
  auto i = place.slots.find(&slot);
  if (i == place.slots.end() || *i != &slot)
    return;
  place.slots.erase(i);
  caf::intrusive_ptr_release(slot.control);
}

} // namespace troupe
