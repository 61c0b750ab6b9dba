// What the bench says about the machine: judged from numbers, and counted while
// something is done.

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "apps/bench/child_process.hpp"
#include "apps/bench/machine_use.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::bench {

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Some tenths of a second of the processor.
const std::string spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; ";

machine_use two_cores_use(double busy, std::optional<disk_use> disk) {
  machine_use result;
  result.seconds = 1;
  result.cores = 2;
  result.busy = busy;
  result.nodes = 0.5;
  result.clients = 0.25;
  result.disk = disk;
  return result;
}

TEST(machine_use, says_that_cores_were_full_and_who_had_them) {
  auto x = bound_of(two_cores_use(0.92, disk_use{0.95, 700}));
  EXPECT_THAT(x,
              StartsWith("bound by the cores: 2 cores 92 % busy: nodes 50 %, "
                         "load generator 25 %, others 17 %; "));
  EXPECT_THAT(x, HasSubstr("disk 95 % busy, 700 flushes/s"));
}

TEST(machine_use, does_not_blame_the_nodes_for_what_others_do) {
  auto x = two_cores_use(1, disk_use{0.1, 10});
  x.nodes = 0.1;
  EXPECT_THAT(bound_of(x), StartsWith("bound by other work on the machine: "));
  x.store = 0.5;
  EXPECT_THAT(bound_of(x), StartsWith("bound by the cores: "));
  EXPECT_THAT(bound_of(x), HasSubstr("store 50 %, others 15 %"));
}

TEST(machine_use, says_that_the_disk_was_full_if_the_cores_were_not) {
  EXPECT_THAT(bound_of(two_cores_use(0.7, disk_use{0.95, 700})),
              StartsWith("bound by the disk: "));
}

TEST(machine_use, does_not_call_full_what_is_not) {
  EXPECT_THAT(bound_of(two_cores_use(0.7, disk_use{0.5, 700})),
              StartsWith("bound by waiting, nothing is full: "));
  auto unknown = bound_of(two_cores_use(0.7, {}));
  EXPECT_THAT(unknown, StartsWith("bound by waiting"));
  EXPECT_THAT(unknown, HasSubstr("disk not counted"));
}

TEST(machine_meter, counts_the_children_of_a_store) {
  testing::temporary_folder folder;
  machine_meter meter{{}, folder.path(), ::getpid()};
  child_process child{{"sh", "-c", spin + "echo done; exec sleep 60"}, -1};
  std::string line;
  ASSERT_TRUE(child.read_line(line));
  auto family = meter.used();
  // This process did nothing but wait for it.
  EXPECT_GT(family.core_seconds(family.store), 0.02);
}

TEST(machine_meter, counts_nodes_and_clients_apart) {
  testing::temporary_folder folder;
  // It says that it is done, and lives until it is killed.
  child_process node{{"sh", "-c", spin + "echo done; exec sleep 60"}, -1};
  machine_meter meter{{node.id()}, folder.path()};
  std::string line;
  ASSERT_TRUE(node.read_line(line));
  auto first = meter.used();
  EXPECT_GT(first.core_seconds(first.nodes), 0);
  EXPECT_LE(first.core_seconds(first.nodes), first.seconds * 1.1);
  EXPECT_EQ(first.clients, 0);
  child_process client{{"sh", "-c", spin}, -1};
  ASSERT_EQ(client.finish(line), 0);
  auto second = meter.used();
  EXPECT_GT(second.core_seconds(second.clients), 0);
  EXPECT_GT(second.busy, 0);
  EXPECT_LE(second.busy, 1);
}

} // namespace

} // namespace troupe::bench
