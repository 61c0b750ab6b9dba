#include "nodes/store/batch_queue.hpp"

#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace std::literals;

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool put(batch_queue<int>& to, int x) {
  return to.push(x);
}

bool put_first(batch_queue<int>& to, int x) {
  return to.push_first(x);
}

std::vector<int> pop(batch_queue<int>& from, size_t most) {
  std::vector<int> result;
  from.pop_within(result, most, 0ms);
  return result;
}

TEST(batch_queue, gives_what_came_in_its_order_and_no_more_than_is_asked_for) {
  batch_queue<int> queue{10};
  for (int i = 1; i <= 5; ++i)
    EXPECT_TRUE(put(queue, i));
  EXPECT_THAT(pop(queue, 2), ElementsAre(1, 2));
  EXPECT_TRUE(put(queue, 6));
  EXPECT_THAT(pop(queue, 10), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(pop(queue, 10), IsEmpty());
}

TEST(batch_queue, puts_ahead_of_all_what_is_to_be_first) {
  batch_queue<int> queue{10};
  EXPECT_TRUE(put(queue, 1));
  EXPECT_TRUE(put(queue, 2));
  EXPECT_TRUE(put_first(queue, 3));
  EXPECT_TRUE(put_first(queue, 4));
  EXPECT_THAT(pop(queue, 3), ElementsAre(4, 3, 1));
  EXPECT_TRUE(put_first(queue, 5));
  EXPECT_THAT(pop(queue, 3), ElementsAre(5, 2));
}

TEST(batch_queue, leaves_to_its_owner_what_it_has_no_room_for) {
  batch_queue<std::unique_ptr<int>> queue{1};
  auto one = std::make_unique<int>(1);
  auto two = std::make_unique<int>(2);
  auto three = std::make_unique<int>(3);
  EXPECT_TRUE(queue.push(one));
  EXPECT_FALSE(one);
  EXPECT_FALSE(queue.push(two));
  EXPECT_FALSE(queue.push_patient(two));
  ASSERT_TRUE(two);
  EXPECT_EQ(*two, 2);
  EXPECT_TRUE(queue.push_first(three)) << "also if it is full";
  queue.close();
  EXPECT_FALSE(queue.push_first(two));
  EXPECT_TRUE(two);
  std::vector<std::unique_ptr<int>> rest;
  EXPECT_TRUE(queue.pop(rest, 10)) << "what is there is still taken";
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(*rest[0], 3);
  EXPECT_EQ(*rest[1], 1);
  EXPECT_FALSE(queue.pop(rest, 10));
}

TEST(batch_queue, knows_whether_somebody_waits_for_what_was_taken) {
  batch_queue<int> queue{10};
  int report = 1;
  EXPECT_TRUE(queue.push_patient(report));
  EXPECT_THAT(pop(queue, 10), ElementsAre(1));
  EXPECT_TRUE(queue.is_patient());
  EXPECT_TRUE(queue.push_patient(report));
  EXPECT_TRUE(put(queue, 2));
  EXPECT_THAT(pop(queue, 10), ElementsAre(1, 2));
  EXPECT_FALSE(queue.is_patient());
}

TEST(batch_queue, is_what_a_plain_queue_is_whatever_is_put_and_taken) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    auto below = [&](unsigned bound) { return random() % bound; };
    batch_queue<int> queue{50};
    std::deque<int> expected;
    for (int i = 0; i < 5'000; ++i) {
      auto what = below(10);
      if (what < 5) {
        auto fits = expected.size() < 50;
        ASSERT_EQ(put(queue, i), fits);
        if (fits)
          expected.push_back(i);
      } else if (what < 6) {
        ASSERT_TRUE(put_first(queue, i));
        expected.push_front(i);
      } else {
        auto got = pop(queue, 1 + below(12));
        for (auto x : got) {
          ASSERT_FALSE(expected.empty());
          ASSERT_EQ(x, expected.front());
          expected.pop_front();
        }
      }
    }
    ASSERT_THAT(pop(queue, 1000),
                ::testing::ElementsAreArray(expected.begin(), expected.end()));
  }
}

TEST(batch_queue, wakes_who_pops_for_each_that_many_threads_put) {
  constexpr int threads = 4;
  constexpr int each = 20'000;
  batch_queue<std::pair<int, int>> queue{threads * each};
  std::vector<std::thread> putters;
  for (int t = 0; t < threads; ++t)
    putters.emplace_back([&queue, t] {
      for (int i = 0; i < each; ++i) {
        std::pair x{t, i};
        EXPECT_TRUE(i % 3 == 0 ? queue.push_patient(x) : queue.push(x));
        if (i % 100 == 0) // sometimes let it fall asleep
          std::this_thread::yield();
      }
    });
  std::vector<int> next(threads);
  std::vector<std::pair<int, int>> batch;
  for (int left = threads * each; left > 0;) {
    ASSERT_TRUE(queue.pop(batch, 64));
    for (auto [t, i] : batch)
      ASSERT_EQ(next[static_cast<size_t>(t)]++, i);
    left -= static_cast<int>(batch.size());
  }
  for (auto& x : putters)
    x.join();
  EXPECT_THAT(next, ::testing::Each(each));
}

} // namespace
} // namespace troupe
