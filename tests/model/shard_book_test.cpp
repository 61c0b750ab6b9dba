#include <map>

#include <gtest/gtest.h>

#include "actors/model/shard_book.hpp"

namespace troupe {
namespace {

class shard_book_test : public ::testing::Test {
protected:
  shard_book_test() {
    book.on_change = [this](uint32_t shard, uint64_t epoch) {
      served[shard] = epoch;
    };
    book.begin("me");
  }

  shard_book book{4};
  std::map<uint32_t, uint64_t> served;
};

TEST_F(shard_book_test, serves_what_the_table_says_is_its_own) {
  EXPECT_TRUE(book.learn(1, "me", 3, 0));
  EXPECT_TRUE(book.learn(2, "you", 3, 0));
  EXPECT_EQ(served[1], 3u);
  EXPECT_EQ(served[2], 0u);
}

TEST_F(shard_book_test, old_rows_that_come_late_change_nothing) {
  book.learn(1, "me", 3, 0);
  book.learn(1, "you", 4, 0);
  EXPECT_FALSE(book.learn(1, "me", 3, 0));
  EXPECT_FALSE(book.learn(1, "me", 4, 0));
  EXPECT_EQ(served[1], 0u);
}

TEST_F(shard_book_test, what_is_given_away_is_not_served) {
  book.learn(1, "me", 3, 0);
  book.leaving(1, true);
  EXPECT_EQ(served[1], 0u);
  EXPECT_TRUE(book.is_mine(1));
  book.leaving(1, false);
  EXPECT_EQ(served[1], 3u);
}

TEST_F(shard_book_test,
       a_move_without_an_answer_stops_it_until_another_is_done) {
  book.learn(1, "me", 3, 0);
  book.leaving(1, true);
  book.doubt(1);
  book.leaving(1, false);
  EXPECT_EQ(served[1], 0u);
  EXPECT_FALSE(book.learn(1, "me", 3, 0)); // the table as it was: no proof
  EXPECT_EQ(served[1], 0u);
  book.learn(1, "me", 4, 0);
  EXPECT_EQ(served[1], 4u);
}

TEST_F(shard_book_test, another_run_of_the_node_owns_nothing) {
  book.learn(1, "me", 3, 0);
  book.begin("me again");
  EXPECT_EQ(served[1], 0u);
  EXPECT_FALSE(book.is_mine(1));
  EXPECT_EQ(book[1].owner, "me");
}

} // namespace
} // namespace troupe
