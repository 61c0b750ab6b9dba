// Who of those who wait for a lock asks for it, and when.

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "actors/model/lock_line.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using time_point = lock_line::time_point;

class lock_line_test : public ::testing::Test {
protected:
  std::optional<uint64_t> ask() {
    auto first = line.ask(now);
    return first ? std::optional{first->id} : std::nullopt;
  }

  bool add(uint64_t id, std::chrono::milliseconds wait = 1min) {
    return line.add({id, now + wait}, now);
  }

  std::vector<uint64_t> held(std::chrono::milliseconds left) {
    std::vector<uint64_t> result;
    for (auto& x : line.held(left, now, random))
      result.push_back(x.id);
    return result;
  }

  using ids = std::vector<uint64_t>;

  lock_line line{{10ms, 250ms}};
  std::mt19937_64 random{1};
  time_point now{1h};
};

TEST_F(lock_line_test, asks_for_the_first_at_once_and_for_one_at_a_time) {
  EXPECT_TRUE(add(1));
  EXPECT_TRUE(add(2));
  EXPECT_EQ(ask(), 1u);
  EXPECT_EQ(ask(), std::nullopt);
  EXPECT_EQ(line.next_look(), std::nullopt);
  EXPECT_TRUE(line.granted());
  EXPECT_EQ(ask(), 2u);
}

TEST_F(lock_line_test, asks_again_after_a_pause_that_grows) {
  add(1);
  for (auto longest : {10ms, 20ms, 40ms, 80ms, 160ms, 250ms, 250ms}) {
    ASSERT_EQ(ask(), 1u);
    EXPECT_EQ(held(10min), ids{});
    ASSERT_TRUE(line.next_look());
    EXPECT_GT(*line.next_look(), now);
    EXPECT_LE(*line.next_look(), now + longest);
    EXPECT_EQ(ask(), std::nullopt);
    now = *line.next_look();
  }
}

TEST_F(lock_line_test, asks_when_the_time_of_the_holder_is_over) {
  add(1);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(ask(), 1u);
    held(5ms);
    EXPECT_LE(*line.next_look(), now + 5ms);
    now = *line.next_look();
  }
}

TEST_F(lock_line_test, asks_at_once_when_it_was_released) {
  add(1);
  ask();
  held(10min);
  line.released();
  EXPECT_EQ(ask(), 1u);
  line.released(); // the answer may be from before
  held(10min);
  EXPECT_EQ(ask(), 1u);
}

TEST_F(lock_line_test, whoever_does_not_wait_hears_at_once_that_others_do) {
  add(1);
  ask();
  EXPECT_TRUE(add(2, 0ms)) << "nobody knows yet whether it is held";
  EXPECT_EQ(held(10min), ids{2});
  EXPECT_FALSE(add(3, 0ms));
  EXPECT_GT(line.left(now), 9min);
}

TEST_F(lock_line_test, lets_those_go_who_have_waited_for_long_enough) {
  add(1, 1s);
  add(2, 1ms);
  add(3, 1s);
  ask();
  held(10min);
  EXPECT_LE(*line.next_look(), now + 1ms);
  now += 1ms;
  auto late = line.expire(now);
  if (late.empty()) // it was time to ask
    EXPECT_EQ(ask(), 1u);
  else
    EXPECT_EQ(late, (std::vector<lock_line::waiter>{{2, now}}));
}

TEST_F(lock_line_test, a_grant_for_one_that_went_is_nobodys) {
  add(1);
  add(2);
  ask();
  EXPECT_TRUE(line.remove(1));
  EXPECT_FALSE(line.remove(1));
  EXPECT_FALSE(line.granted());
  EXPECT_EQ(ask(), 2u);
  line.remove(2);
  EXPECT_FALSE(line.empty()) << "the store is being asked";
  held(1s);
  EXPECT_TRUE(line.empty());
}

TEST_F(lock_line_test, tries_again_when_the_store_did_not_answer) {
  add(1, 1s);
  add(2, 0ms);
  ask();
  auto late = line.failed(now, random);
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(late[0].id, 2u);
  now = *line.next_look();
  EXPECT_EQ(ask(), 1u);
}

// Whatever happens: those who come in time are asked for in the order in which
// they came, each is answered once, and the line never stands still while
// somebody waits.
TEST_F(lock_line_test, keeps_its_order_and_forgets_nobody) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 chance{seed};
  uint64_t next = 0;
  uint64_t last_granted = 0;
  std::set<uint64_t> there;
  auto gone = [&](const std::vector<lock_line::waiter>& late) {
    for (auto& x : late) {
      ASSERT_EQ(there.erase(x.id), 1u);
      ASSERT_LE(x.until, now);
    }
  };
  for (int i = 0; i < 20'000; ++i) {
    switch (chance() % 8) {
    case 0:
    case 1:
      if (add(++next, std::chrono::milliseconds{chance() % 100}))
        there.insert(next);
      break;
    case 2:
      if (!there.empty() && chance() % 4 == 0) {
        ASSERT_TRUE(line.remove(*there.begin()));
        there.erase(there.begin());
      }
      break;
    case 3:
      line.released();
      break;
    case 4:
      gone(line.expire(now));
      break;
    case 5:
      now += std::chrono::milliseconds{chance() % 30};
      break;
    default:
      if (line.asking()) {
        auto id = *line.asking();
        if (chance() % 3 == 0) {
          ASSERT_EQ(line.granted(), there.erase(id) == 1);
          ASSERT_GT(id, last_granted);
          last_granted = id;
        } else if (chance() % 4 == 0) {
          gone(line.failed(now, random));
        } else {
          gone(
            line.held(std::chrono::milliseconds{chance() % 50}, now, random));
        }
      } else if (auto first = line.ask(now)) {
        ASSERT_EQ(first->id, *there.begin());
      }
    }
    ASSERT_EQ(line.size(), there.size());
    ASSERT_EQ(line.next_look().has_value(), !line.asking() && !there.empty());
    if (line.next_look()) {
      ASSERT_LE(*line.next_look(), now + 250ms);
    }
  }
}

} // namespace
} // namespace troupe
