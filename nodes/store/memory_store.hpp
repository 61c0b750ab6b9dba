// State that lives as long as the process: for tests, and for nodes whose
// services are caches. It keeps the whole contract but for durability.

#pragma once

#include <map>
#include <mutex>

#include "actors/core/backends.hpp"

namespace troupe {

/// Calls back before `load` and `commit` return.
class memory_store final : public state_store {
public:
  void load(entity_id entity, load_callback done) override;

  void commit(commit_request request, commit_callback done) override;

  std::string describe() const override { return "memory:"; }

private:
  commit_outcome apply(commit_request request);

  std::mutex mutex_;
  std::map<entity_id, stored_state> entities_;
};

} // namespace troupe
