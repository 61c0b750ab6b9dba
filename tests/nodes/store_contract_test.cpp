// What the stores of one machine keep of what every store keeps.

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

struct in_memory {
  memory_store store;
};

struct in_sqlite {
  testing::temporary_folder folder;
  sqlite_store store{folder.path()};
};

using store_kinds = ::testing::Types<in_memory, in_sqlite>;

} // namespace
} // namespace troupe

#include "tests/support/store_contract.hpp"
