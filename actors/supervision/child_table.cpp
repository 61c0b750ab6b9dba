#include "actors/supervision/child_table.hpp"

#include <cassert>
#include <utility>

namespace troupe {

child_info child::info() const {
  return {spec.id, spec.kind, spec.restart, state,
          handle,  restarts,  last_reason};
}

child* child_table::find(const std::string& id) {
  auto i = by_id_.find(id);
  return i != by_id_.end() ? &*i->second : nullptr;
}

child* child_table::find(const caf::actor_addr& address) {
  auto i = by_address_.find(address);
  return i != by_address_.end() ? i->second : nullptr;
}

child& child_table::append(child_spec spec) {
  assert(find(spec.id) == nullptr);
  auto& x = children_.emplace_back();
  x.spec = std::move(spec);
  by_id_.emplace(x.spec.id, std::prev(children_.end()));
  return x;
}

void child_table::bind(child& x, caf::actor handle) {
  assert(!x.handle && handle);
  by_address_.emplace(handle.address(), &x);
  x.handle = std::move(handle);
}

void child_table::unbind(child& x) {
  assert(x.handle);
  by_address_.erase(x.handle.address());
  x.handle = nullptr;
}

void child_table::erase(child& x) {
  if (x.handle)
    unbind(x);
  auto i = by_id_.find(x.spec.id);
  assert(i != by_id_.end());
  auto position = i->second;
  by_id_.erase(i);
  children_.erase(position);
}

} // namespace troupe
