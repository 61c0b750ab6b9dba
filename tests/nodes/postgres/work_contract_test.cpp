// What every queue of work keeps, kept by PostgreSQL, and of work that comes with
// commits.

#include <gtest/gtest.h>

#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe {
namespace {

struct in_postgres {
  postgres_store& open() { return store; }

  postgres_store store{testing::shared_postgres().new_database(),
                       testing::patient()};
};

using work_kinds = ::testing::Types<in_postgres>;

} // namespace
} // namespace troupe

#include "tests/support/commit_work_contract.hpp"
#include "tests/support/work_contract.hpp"
