// What the tables of one machine keep of what all tables of leases and shards
// keep.

#include <cstdio>
#include <memory>

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"
#include "nodes/store/sqlite_leases.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

struct in_memory {
  std::shared_ptr<memory_shard_table> table =
    std::make_shared<memory_shard_table>();
  memory_lease_table all_leases;
  memory_store store_{table};

  lease_table& leases(int) { return all_leases; }
  shard_table& shards(int) { return *table; }
  state_store& store(int) { return store_; }
};

struct in_sqlite {
  static sqlite_options options() {
    sqlite_options result;
    result.use = folder_use::shared;
    return result;
  }

  testing::temporary_folder folder;
  sqlite_store stores[2]{sqlite_store{folder.path(), options()},
                         sqlite_store{folder.path(), options()}};
  sqlite_lease_table tables[2]{sqlite_lease_table{folder.path()},
                               sqlite_lease_table{folder.path()}};

  lease_table& leases(int node) { return tables[node]; }
  shard_table& shards(int node) { return stores[node].shards(); }
  state_store& store(int node) { return stores[node]; }
};

using cluster_kinds = ::testing::Types<in_memory, in_sqlite>;

} // namespace
} // namespace troupe

#include "tests/support/cluster_contract.hpp"

namespace troupe {
namespace {

// -- what only one kind has --------------------------------------------------

TEST(sqlite_leases, a_process_that_ended_is_proven_dead) {
  testing::temporary_folder folder;
  sqlite_lease_table observer{folder.path()};
  {
    sqlite_lease_table table{folder.path()};
    auto done = testing::begin<expected<lease_view>>(
      [&](auto f) { table.renew(row("a"), std::move(f)); });
    EXPECT_EQ(done.get().value().counter, 1u);
    EXPECT_FALSE(observer.proven_dead("a"));
  }
  EXPECT_TRUE(observer.proven_dead("a"));
}

TEST(sqlite_leases, a_child_that_executes_something_keeps_no_lock) {
  testing::temporary_folder folder;
  sqlite_lease_table observer{folder.path()};
  std::FILE* child = nullptr;
  {
    sqlite_lease_table table{folder.path()};
    auto done = testing::begin<expected<lease_view>>(
      [&](auto f) { table.renew(row("a"), std::move(f)); });
    EXPECT_TRUE(done.get());
    child = popen("cat >/dev/null", "w"); // lives until it is closed
    ASSERT_NE(child, nullptr);
  }
  EXPECT_TRUE(observer.proven_dead("a"));
  pclose(child);
}

} // namespace
} // namespace troupe
