// What the queues of one machine keep of what all queues keep.

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

#include "tests/support/work_contract.hpp"
