// For how long a store of a test waits. A machine that builds and tests at once
// may take seconds for what takes a millisecond else.

#pragma once

#include "nodes/store/postgres_options.hpp"

namespace troupe::testing {

/// For tests in which nothing hangs.
inline postgres_options patient() {
  using namespace std::chrono_literals;
  postgres_options result;
  result.statement_time = 60s;
  result.cluster_time = 60s;
  result.lock_time = 40s;
  result.cluster_lock_time = 40s;
  result.idle_in_transaction_time = 40s;
  result.connect_time = 60s;
  return result;
}

} // namespace troupe::testing
