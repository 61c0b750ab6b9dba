// Processes that take turns at writing; here each has a `write_turn` of its own,
// which is as good: the locks belong to what was opened, not to the process.

#include "nodes/store/write_turn.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

TEST(write_turn, is_one_at_a_time) {
  testing::temporary_folder folder;
  write_turn first{folder.path()};
  write_turn second{folder.path()};
  EXPECT_TRUE(first.take(1s));
  EXPECT_FALSE(second.take(5ms));
  first.pass_on();
  EXPECT_TRUE(second.take(1s));
  EXPECT_FALSE(first.take(5ms));
}

TEST(write_turn, that_did_not_come_lets_others_pass) {
  testing::temporary_folder folder;
  write_turn first{folder.path()};
  write_turn second{folder.path()};
  write_turn third{folder.path()};
  EXPECT_TRUE(first.take(1s));
  EXPECT_FALSE(second.take(5ms)); // it was the next, and gave up
  first.pass_on();
  EXPECT_TRUE(third.take(1s));
}

TEST(write_turn, ends_with_whoever_has_it) {
  testing::temporary_folder folder;
  write_turn second{folder.path()};
  {
    write_turn first{folder.path()};
    EXPECT_TRUE(first.take(1s));
  }
  EXPECT_TRUE(second.take(1s));
}

TEST(write_turn, comes_to_all_who_want_to_write_without_a_pause) {
  testing::temporary_folder folder;
  constexpr int wanted = 50;
  std::atomic<bool> done{false};
  std::vector<std::thread> greedy;
  for (int i = 0; i < 3; ++i)
    greedy.emplace_back([&] {
      write_turn x{folder.path()};
      while (!done)
        if (x.take(5s)) {
          std::this_thread::sleep_for(200us); // a transaction
          x.pass_on();
        }
    });
  write_turn modest{folder.path()};
  int got = 0;
  for (int i = 0; i < wanted; ++i)
    if (modest.take(5s)) {
      ++got;
      modest.pass_on();
    }
  done = true;
  for (auto& x : greedy)
    x.join();
  EXPECT_EQ(got, wanted);
}

} // namespace
} // namespace troupe
