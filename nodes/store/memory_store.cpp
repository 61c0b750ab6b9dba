#include "nodes/store/memory_store.hpp"

#include <utility>

namespace troupe {

void memory_store::load(entity_id entity, load_callback done) {
  std::optional<stored_state> found;
  {
    std::lock_guard guard{mutex_};
    if (auto i = entities_.find(entity); i != entities_.end())
      found = i->second;
  }
  done(std::move(found));
}

void memory_store::commit(commit_request request, commit_callback done) {
  done(apply(std::move(request)));
}

commit_outcome memory_store::apply(commit_request request) {
  std::lock_guard guard{mutex_};
  auto i = entities_.find(request.entity);
  auto revision = i != entities_.end() ? i->second.revision : 0;
  if (revision != request.base)
    return commit_outcome::refused;
  entities_.insert_or_assign(std::move(request.entity),
                             std::move(request.next));
  return commit_outcome::done;
}

} // namespace troupe
