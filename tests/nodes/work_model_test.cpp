// The queues of one machine against the model of all queues.

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"

namespace troupe {
namespace {

struct in_memory {
  memory_store& open() { return store; }
  memory_store store;
};

using work_kinds = ::testing::Types<in_memory>;

} // namespace
} // namespace troupe

#include "tests/support/work_model.hpp"
