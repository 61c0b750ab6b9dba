#include "actors/model/work_lanes.hpp"

#include <random>

#include <gtest/gtest.h>

#include "tests/support/history.hpp"

namespace troupe::testing {
namespace {

using std::chrono::milliseconds;
using room = work_lanes::room;
using time = work_lanes::time_point;

constexpr time now{milliseconds{1'000'000}};
constexpr milliseconds second{1000};

using rooms = std::vector<room>;

TEST(work_lanes, let_new_work_begin_while_there_is_room) {
  work_lanes lanes{{2, 10}};
  EXPECT_TRUE(lanes.begin("a", now));
  EXPECT_TRUE(lanes.begin("a", now));
  EXPECT_FALSE(lanes.begin("a", now));
  EXPECT_TRUE(lanes.begin("b", now));
  lanes.ended("a");
  EXPECT_TRUE(lanes.begin("a", now));
  EXPECT_EQ(lanes.busy(), 3u);
}

TEST(work_lanes, share_the_room_of_the_node) {
  work_lanes lanes{{4, 5}};
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(lanes.begin("a", now));
  EXPECT_TRUE(lanes.begin("b", now));
  EXPECT_FALSE(lanes.begin("b", now));
}

TEST(work_lanes, let_nothing_overtake_what_is_due) {
  work_lanes lanes{{4, 8}};
  lanes.waits("a", now);
  EXPECT_FALSE(lanes.begin("a", now));
  EXPECT_TRUE(lanes.begin("b", now));
}

TEST(work_lanes, are_not_held_up_by_what_is_not_due) {
  work_lanes lanes{{4, 8}};
  lanes.waits("a", now + second);
  EXPECT_TRUE(lanes.begin("a", now));
  EXPECT_FALSE(lanes.begin("a", now + second));
}

TEST(work_lanes, fetch_what_there_is_room_for) {
  work_lanes lanes{{4, 6}};
  lanes.waits("a", now);
  lanes.waits("b", now);
  EXPECT_EQ(lanes.fetch(now), (rooms{{"a", 4}, {"b", 2}}));
  EXPECT_EQ(lanes.fetch(now), rooms{}) << "both are being fetched from";
  lanes.fetched({"a", 4}, 4);
  lanes.fetched({"b", 2}, 1);
  EXPECT_EQ(lanes.busy(), 5u);
}

TEST(work_lanes, fetch_at_the_time_that_is_due) {
  work_lanes lanes{{4, 8}};
  EXPECT_EQ(lanes.next_due(), std::nullopt);
  lanes.waits("a", now + second);
  lanes.waits("a", now + 2 * second);
  EXPECT_EQ(lanes.next_due(), now + second);
  EXPECT_EQ(lanes.fetch(now), rooms{});
  EXPECT_EQ(lanes.fetch(now + second), (rooms{{"a", 4}}));
  EXPECT_EQ(lanes.next_due(), std::nullopt) << "while it is being fetched from";
}

TEST(work_lanes, know_of_nothing_more_once_they_got_less_than_they_asked_for) {
  work_lanes lanes{{4, 8}};
  lanes.waits("a", now);
  lanes.fetch(now);
  lanes.fetched({"a", 4}, 3);
  EXPECT_TRUE(lanes.begin("a", now));
}

TEST(work_lanes, still_wait_if_they_got_all_that_they_asked_for) {
  work_lanes lanes{{4, 8}};
  lanes.waits("a", now);
  lanes.fetch(now);
  lanes.fetched({"a", 4}, 4);
  EXPECT_FALSE(lanes.begin("a", now));
  lanes.ended("a");
  EXPECT_EQ(lanes.fetch(now), (rooms{{"a", 1}}));
}

TEST(work_lanes, fetch_many_together) {
  work_lanes lanes{{100, 1000}};
  lanes.waits("a", now);
  lanes.fetch(now);
  lanes.fetched({"a", 100}, 100);
  for (int i = 0; i < 24; ++i)
    lanes.ended("a");
  EXPECT_EQ(lanes.fetch(now), rooms{}) << "for 24 it is not worth it";
  lanes.ended("a");
  EXPECT_EQ(lanes.fetch(now), (rooms{{"a", 25}}));
}

TEST(work_lanes, take_turns_when_the_node_is_short_of_room) {
  work_lanes lanes{{2, 2}};
  std::vector<std::string> served;
  for (int i = 0; i < 4; ++i) {
    for (auto lane : {"a", "b"})
      lanes.waits(lane, now);
    auto asked = lanes.fetch(now);
    ASSERT_EQ(asked.size(), 1u);
    served.push_back(asked[0].lane);
    lanes.fetched(asked[0], 2);
    lanes.ended(asked[0].lane);
    lanes.ended(asked[0].lane);
  }
  EXPECT_EQ(served, (std::vector<std::string>{"a", "b", "a", "b"}));
}

TEST(work_lanes, believe_what_the_store_says) {
  work_lanes lanes{{4, 8}};
  lanes.waits("a", now);
  lanes.looked({{"b", now}});
  EXPECT_EQ(lanes.fetch(now), (rooms{{"b", 4}}));
}

// Whatever happens, no bound is overstepped, and what has ended leaves room.
TEST(work_lanes, keep_their_bounds) {
  auto seed = history_seed();
  std::mt19937_64 random{seed};
  for (int run = 0; run < 200; ++run) {
    work_lanes_options options{1 + static_cast<uint32_t>(random() % 5),
                               1 + static_cast<uint32_t>(random() % 9)};
    work_lanes lanes{options};
    std::map<std::string, uint32_t> running;
    rooms fetching;
    auto sum = [&] {
      uint32_t result = 0;
      for (auto& [name, n] : running)
        result += n;
      for (auto& x : fetching)
        result += x.most;
      return result;
    };
    for (int step = 0; step < 300; ++step) {
      std::string lane{static_cast<char>('a' + random() % 3)};
      switch (random() % 5) {
      case 0:
        running[lane] += lanes.begin(lane, now);
        break;
      case 1:
        lanes.waits(lane, now + (random() % 2) * second);
        break;
      case 2:
        if (running[lane] > 0) {
          --running[lane];
          lanes.ended(lane);
        }
        break;
      case 3:
        for (auto& x : lanes.fetch(now))
          fetching.push_back(x);
        break;
      default:
        if (!fetching.empty()) {
          auto x = fetching.back();
          fetching.pop_back();
          auto got = static_cast<uint32_t>(random() % (x.most + 1));
          lanes.fetched(x, got);
          running[x.lane] += got;
        }
      }
      ASSERT_EQ(lanes.busy(), sum());
      ASSERT_LE(lanes.busy(), options.node_max);
      for (auto& [name, n] : running)
        ASSERT_LE(n, options.lane_max);
    }
    for (auto& x : fetching)
      lanes.fetched(x, 0);
    for (auto& [name, n] : running)
      for (; n > 0; --n)
        lanes.ended(name);
    ASSERT_EQ(lanes.busy(), 0u);
  }
}

} // namespace
} // namespace troupe::testing
