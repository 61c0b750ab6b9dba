// What the queues of one machine keep of what all queues keep, and the stores of
// work that comes with commits.

#include <optional>

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

struct in_memory {
  memory_store& open() { return store; }
  memory_store store;
};

struct in_sqlite {
  sqlite_store& open() {
    if (!store)
      store.emplace(folder.path());
    return *store;
  }
  testing::temporary_folder folder;
  std::optional<sqlite_store> store;
};

using work_kinds = ::testing::Types<in_memory, in_sqlite>;

} // namespace
} // namespace troupe

#include "tests/support/commit_work_contract.hpp"
#include "tests/support/work_contract.hpp"
