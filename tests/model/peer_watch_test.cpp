#include <gtest/gtest.h>

#include "actors/model/own_lease.hpp"
#include "actors/model/peer_watch.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

boot_time at(std::chrono::nanoseconds x) {
  return boot_time{1h + x};
}

/// Looks at `counter` of "b" each half second, from `begin` to `end`.
void look(peer_watch& watch, uint64_t counter, std::chrono::nanoseconds begin,
          std::chrono::nanoseconds end) {
  for (auto t = begin; t <= end; t += 500ms)
    watch.look({{"b", counter}}, at(t), at(t + 5ms));
}

TEST(peer_watch, one_whose_counter_stands_still_is_dead_after_three_seconds) {
  peer_watch watch{{}};
  look(watch, 7, 0s, 3s);
  EXPECT_FALSE(watch.dead("b")); // it was there 5 ms after the first question
  watch.look({{"b", 7}}, at(3005ms), at(3010ms));
  EXPECT_EQ(watch.dead("b"), 7u);
}

TEST(peer_watch, says_when_the_next_one_may_be_dead) {
  peer_watch watch{{}};
  EXPECT_FALSE(watch.next_verdict());
  look(watch, 7, 0s, 1s);
  watch.look({{"b", 7}, {"c", 1}}, at(1500ms), at(1505ms));
  EXPECT_EQ(watch.next_verdict(), at(3005ms));
  EXPECT_EQ(watch.still_since("c"), at(1505ms));
}

TEST(peer_watch, one_that_renews_lives) {
  peer_watch watch{{}};
  for (uint64_t i = 0; i < 100; ++i) {
    look(watch, i, i * 2s, i * 2s + 1500ms);
    EXPECT_FALSE(watch.dead("b"));
  }
}

TEST(peer_watch, one_that_stands_still_for_a_while_is_suspect) {
  peer_watch watch{{}};
  EXPECT_TRUE(watch.suspect("b")); // nothing is known of it
  look(watch, 7, 0s, 1s);
  EXPECT_FALSE(watch.suspect("b"));
  look(watch, 7, 1500ms, 2s);
  EXPECT_TRUE(watch.suspect("b"));
  look(watch, 8, 2500ms, 2500ms);
  EXPECT_FALSE(watch.suspect("b"));
}

TEST(peer_watch, a_time_without_looks_proves_nothing) {
  peer_watch watch{{}};
  look(watch, 7, 0s, 2s);
  look(watch, 7, 60s, 62s);
  EXPECT_FALSE(watch.dead("b"));
  look(watch, 7, 62500ms, 66500ms);
  EXPECT_TRUE(watch.dead("b"));
}

TEST(peer_watch, who_was_away_gives_the_others_as_long_to_come_back) {
  peer_watch watch{{}};
  look(watch, 7, 0s, 2s);
  look(watch, 7, 4s, 8500ms); // two seconds without a look, and three
  EXPECT_EQ(watch.next_verdict(), at(4005ms + 3s + 1995ms + 5ms));
  EXPECT_FALSE(watch.dead("b"));
  look(watch, 7, 9s, 9500ms);
  EXPECT_TRUE(watch.dead("b"));
}

TEST(peer_watch, who_came_back_has_no_longer_than_others) {
  peer_watch watch{{}};
  look(watch, 7, 0s, 2s);
  look(watch, 8, 60s, 63s);
  EXPECT_EQ(watch.next_verdict(), at(63005ms));
  look(watch, 8, 63500ms, 63500ms);
  EXPECT_TRUE(watch.dead("b"));
}

TEST(peer_watch, a_first_look_has_no_gap_before_it) {
  peer_watch watch{{}};
  look(watch, 7, 60s, 63500ms);
  EXPECT_TRUE(watch.dead("b"));
}

TEST(peer_watch, the_time_of_an_answer_on_its_way_does_not_count) {
  peer_watch watch{{}};
  watch.look({{"b", 7}}, at(0s), at(1s));
  watch.look({{"b", 7}}, at(1s), at(2s));
  watch.look({{"b", 7}}, at(2s), at(3s));
  watch.look({{"b", 7}}, at(3s), at(4s)); // between 1 s and 3 s is known
  EXPECT_FALSE(watch.dead("b"));
}

TEST(peer_watch, one_that_went_and_came_back_is_new) {
  peer_watch watch{{}};
  look(watch, 7, 0s, 2s);
  watch.look({}, at(2500ms), at(2505ms));
  EXPECT_FALSE(watch.dead("b"));
  look(watch, 7, 3s, 5s);
  EXPECT_FALSE(watch.dead("b"));
}

// -- own_lease ---------------------------------------------------------------

TEST(own_lease, lasts_from_when_the_renewal_was_sent) {
  own_lease lease{2s};
  EXPECT_FALSE(lease.valid(at(0s)));
  lease.renewed(at(0s)); // whenever the answer came
  EXPECT_TRUE(lease.valid(at(1999ms)));
  EXPECT_FALSE(lease.valid(at(2s)));
}

TEST(own_lease, an_older_answer_that_comes_later_shortens_nothing) {
  own_lease lease{2s};
  lease.renewed(at(1s));
  lease.renewed(at(500ms));
  EXPECT_TRUE(lease.valid(at(2999ms)));
}

TEST(own_lease, ends_at_once_when_it_is_told_so) {
  own_lease lease{2s};
  lease.renewed(at(1s));
  lease.end();
  EXPECT_FALSE(lease.valid(at(1s)));
}

TEST(own_lease, is_over_before_anybody_can_call_the_node_dead) {
  // Whatever the way to the store takes: the observer sees the renewal at the
  // earliest when it was sent, and waits for longer.
  for (auto way : {0ms, 1ms, 500ms, 1900ms, 5000ms}) {
    own_lease lease{2s};
    peer_watch watch{{}};
    lease.renewed(at(0s));
    auto t = std::chrono::nanoseconds{way};
    while (!watch.dead("b")) {
      watch.look({{"b", 1}}, at(t), at(t));
      t += 100ms;
    }
    EXPECT_FALSE(lease.valid(at(t - 100ms)));
  }
}

} // namespace
} // namespace troupe
