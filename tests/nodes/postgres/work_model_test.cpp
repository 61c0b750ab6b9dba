// PostgreSQL against the model of all queues of work.

#include <optional>

#include <gtest/gtest.h>

#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe {
namespace {

struct in_postgres {
  postgres_store& open() {
    if (!store)
      store.emplace(url, testing::patient());
    return *store;
  }

  std::string url = testing::shared_postgres().new_database();
  std::optional<postgres_store> store;
};

using work_kinds = ::testing::Types<in_postgres>;

} // namespace
} // namespace troupe

#include "tests/support/work_model.hpp"

namespace troupe {
namespace {

TEST(postgres_work_model, a_store_that_was_opened_again_answers_as_the_model) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  work_requests random{seed};
  in_postgres kind;
  work_model expected;
  std::optional<work_report> last;
  for (int i = 0; i < 1000 && !::testing::Test::HasFatalFailure(); ++i) {
    work_step(*kind.open().work(), expected, random, last);
    if (random.below(50) == 0)
      kind.store.reset();
  }
}

} // namespace
} // namespace troupe
