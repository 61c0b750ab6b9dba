#include "actors/model/slots.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(slots, are_closed_at_first) {
  slots x{130};
  EXPECT_EQ(x.size(), 130u);
  EXPECT_EQ(x.free(), 0u);
  EXPECT_FALSE(x.claim());
  EXPECT_FALSE(x.claim_exactly(0));
}

TEST(slots, are_claimed_once_each) {
  slots x{130};
  for (size_t i = 0; i < 130; ++i)
    x.release(i);
  EXPECT_EQ(x.free(), 130u);
  std::set<size_t> seen;
  while (auto i = x.claim())
    seen.insert(*i);
  EXPECT_EQ(seen.size(), 130u);
  EXPECT_EQ(*seen.rbegin(), 129u);
  EXPECT_EQ(x.free(), 0u);
}

TEST(slots, give_the_hinted_one_if_it_is_free) {
  slots x{200};
  for (size_t i : {3, 70, 150})
    x.release(i);
  EXPECT_EQ(x.claim(70), 70u);
  EXPECT_EQ(x.claim(70), 150u); // the next word
  EXPECT_EQ(x.claim(10'000), 3u);
}

TEST(slots, are_claimed_by_number) {
  slots x{70};
  x.release(69);
  EXPECT_FALSE(x.claim_exactly(68));
  EXPECT_TRUE(x.claim_exactly(69));
  EXPECT_FALSE(x.claim_exactly(69));
}

TEST(slots, agree_with_a_set_under_random_operations) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  for (size_t count : {1, 63, 64, 65, 200}) {
    slots x{count};
    std::set<size_t> free;
    for (int step = 0; step < 5'000; ++step) {
      auto index = random() % count;
      switch (random() % 4) {
      case 0:
        x.release(index);
        free.insert(index);
        break;
      case 1:
        ASSERT_EQ(x.claim_exactly(index), free.erase(index) == 1);
        break;
      default:
        auto claimed = x.claim(random() % (count + 10));
        ASSERT_EQ(claimed.has_value(), !free.empty());
        ASSERT_EQ(claimed ? free.erase(*claimed) : 1u, 1u);
      }
      ASSERT_EQ(x.free(), free.size());
    }
  }
}

TEST(slots, have_one_owner_at_a_time_whoever_claims) {
  constexpr size_t count = 70;
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  slots x{count};
  std::vector<int> owned(count); // not atomic: the claim guards it
  std::atomic<int> clashes{0};
  for (size_t i = 0; i < count; ++i)
    x.release(i);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, random = std::mt19937_64{seed + t}]() mutable {
      std::vector<size_t> mine;
      for (int step = 0; step < 20'000; ++step) {
        auto hint = random() % count;
        if (random() % 2 == 0 && mine.size() < 30) {
          auto index =
            random() % 2 == 0
              ? x.claim(hint)
              : (x.claim_exactly(hint) ? std::optional{hint} : std::nullopt);
          if (!index)
            continue;
          clashes += owned[*index]++ != 0;
          mine.push_back(*index);
        } else if (!mine.empty()) {
          clashes += --owned[mine.back()] != 0;
          x.release(mine.back());
          mine.pop_back();
        }
      }
      for (auto i : mine) {
        --owned[i];
        x.release(i);
      }
    });
  for (auto& t : threads)
    t.join();
  EXPECT_EQ(clashes, 0);
  EXPECT_EQ(x.free(), count);
  EXPECT_TRUE(
    std::all_of(owned.begin(), owned.end(), [](int n) { return n == 0; }));
}

} // namespace
} // namespace troupe
