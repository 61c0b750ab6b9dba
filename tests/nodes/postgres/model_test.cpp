// PostgreSQL against the model of all stores.

#include <optional>

#include <gtest/gtest.h>

#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe {
namespace {

/// Closed and opened again on the way.
struct in_postgres {
  postgres_store& open() {
    if (!store)
      store.emplace(url, testing::patient());
    return *store;
  }

  std::string url = testing::shared_postgres().new_database();
  std::optional<postgres_store> store;
};

using model_kinds = ::testing::Types<in_postgres>;

} // namespace
} // namespace troupe

#include "tests/support/store_model.hpp"

namespace troupe {
namespace {

/// Whoever opens it is not alone with it, so that nothing is forgotten.
TEST(postgres_model, a_store_that_was_opened_again_answers_as_the_model_does) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  requests random{seed};
  in_postgres kind;
  model expected;
  for (int i = 0; i < 1000 && !::testing::Test::HasFatalFailure(); ++i) {
    step(kind.open(), expected, random);
    if (random.below(50) == 0)
      kind.store.reset();
  }
}

} // namespace
} // namespace troupe
