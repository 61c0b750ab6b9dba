// The stores of one machine against the model of all stores.

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

/// Closed and opened again on the way.
struct in_sqlite {
  sqlite_store& open() {
    if (!store)
      store.emplace(folder.path());
    return *store;
  }
  testing::temporary_folder folder;
  std::optional<sqlite_store> store;
};

using model_kinds = ::testing::Types<in_memory, in_sqlite>;

} // namespace
} // namespace troupe

#include "tests/support/store_model.hpp"

namespace troupe {
namespace {

TEST(sqlite_model, a_store_that_was_opened_again_answers_as_the_model_does) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  requests random{seed};
  in_sqlite kind;
  model expected;
  for (int i = 0; i < 1000 && !::testing::Test::HasFatalFailure(); ++i) {
    step(kind.open(), expected, random);
    if (random.below(50) != 0)
      continue;
    kind.store.reset();
    expected.forget_uncommitted();
  }
}

} // namespace
} // namespace troupe
