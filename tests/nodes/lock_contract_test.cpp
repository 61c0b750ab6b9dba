// What the locks of one machine keep of what all locks keep.

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/lock_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

struct in_memory {
  testing::test_clock clock;
  memory_store store{
    std::make_shared<memory_shard_table>(),
    std::make_shared<memory_lock_table>([this] { return clock.now(); })};

  void pass(std::chrono::milliseconds time) { clock.pass(time); }
};

struct in_sqlite {
  testing::test_clock clock;
  testing::temporary_folder folder;
  sqlite_store store{folder.path(), options()};

  sqlite_options options() {
    sqlite_options result;
    result.lock_clock = [this] { return clock.now(); };
    return result;
  }

  void pass(std::chrono::milliseconds time) { clock.pass(time); }
};

using lock_kinds = ::testing::Types<in_memory, in_sqlite>;

} // namespace
} // namespace troupe

#include "tests/support/lock_contract.hpp"
