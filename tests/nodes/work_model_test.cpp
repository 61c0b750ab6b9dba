// The queues of one machine against the model of all queues.

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

#include "tests/support/work_model.hpp"

namespace troupe {
namespace {

TEST(sqlite_work_model, a_store_that_was_opened_again_answers_as_the_model) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  work_requests random{seed};
  in_sqlite kind;
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
