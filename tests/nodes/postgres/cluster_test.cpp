// What every table of leases and of shards keeps, kept by PostgreSQL.

#include <gtest/gtest.h>

#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe {
namespace {

struct in_postgres {
  std::string url = testing::shared_postgres().new_database();
  postgres_store stores[2]{postgres_store{url, testing::patient()},
                           postgres_store{url, testing::patient()}};

  lease_table& leases(int node) { return stores[node].leases(); }
  shard_table& shards(int node) { return stores[node].shards(); }
  state_store& store(int node) { return stores[node]; }
};

using cluster_kinds = ::testing::Types<in_postgres>;

} // namespace
} // namespace troupe

#include "tests/support/cluster_contract.hpp"
