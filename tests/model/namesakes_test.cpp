#include <map>
#include <random>

#include <gtest/gtest.h>

#include "actors/model/namesakes.hpp"

namespace troupe {
namespace {

TEST(namesakes, one_that_is_alone_need_not_wait) {
  namesakes x{2};
  x.look({});
  EXPECT_FALSE(x.must_wait());
  EXPECT_FALSE(x.alive());
}

TEST(namesakes, an_older_one_whose_counter_stands_still_may_be_dead) {
  namesakes x{2};
  for (int i = 0; i < 10; ++i) {
    x.look({{"older", 7}});
    EXPECT_TRUE(x.must_wait());
    EXPECT_FALSE(x.alive());
  }
  x.look({}); // it was declared dead
  EXPECT_FALSE(x.must_wait());
}

TEST(namesakes, one_that_was_declared_dead_is_gone) {
  namesakes x{2};
  x.look({{"older", 7}});
  x.gone("older");
  EXPECT_FALSE(x.must_wait());
}

TEST(namesakes, an_older_one_whose_counter_moves_is_alive) {
  namesakes x{2};
  x.look({{"older", 7}});
  for (uint64_t counter : {8, 9}) {
    x.look({{"older", counter}}); // what it had sent before it died?
    EXPECT_FALSE(x.alive());
  }
  x.look({{"older", 10}});
  EXPECT_TRUE(x.must_wait());
  EXPECT_EQ(x.alive(), "older");
  x.look({{"older", 10}}); // it was, not long ago
  EXPECT_EQ(x.alive(), "older");
}

TEST(namesakes, one_that_leaves_is_waited_for) {
  namesakes x{2};
  x.look({{"older", 7}});
  x.look({{"older", 20, true}});
  EXPECT_TRUE(x.must_wait());
  EXPECT_FALSE(x.alive());
  x.look({});
  EXPECT_FALSE(x.must_wait());
}

TEST(namesakes, a_younger_one_is_none_of_its_business) {
  namesakes x{2};
  x.look({});
  x.look({{"younger", 1}});
  x.look({{"younger", 20}});
  EXPECT_FALSE(x.must_wait());
  EXPECT_FALSE(x.alive());
}

TEST(namesakes, of_several_at_once_exactly_one_goes_on) {
  std::mt19937_64 random{3};
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, uint64_t> table;
    std::map<std::string, namesakes> runs;
    for (auto name : {"a", "b", "c", "d"})
      runs.emplace(name, 2);
    for (int i = 0; i < 60; ++i) {
      auto run = std::next(runs.begin(), static_cast<int>(random() % 4));
      ++table[run->first]; // renews, and sees all
      std::vector<namesakes::sighting> others;
      for (auto& [name, counter] : table)
        if (name != run->first)
          others.push_back({name, counter});
      run->second.look(others);
    }
    auto going_on = 0;
    for (auto& [name, x] : runs)
      going_on += !x.must_wait();
    EXPECT_EQ(going_on, 1);
  }
}

} // namespace
} // namespace troupe
