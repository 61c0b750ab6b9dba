#include "actors/model/deadline_wheel.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

using time_point = deadline_wheel::time_point;

const time_point start{1h};

TEST(deadline_wheel, ends_nothing_before_its_deadline) {
  deadline_wheel wheel{start, 5ms, 8};
  wheel_hook hook;
  wheel.add(hook, start + 7ms);
  EXPECT_EQ(wheel.expire(start + 6ms, [](wheel_hook&) {}), 0u);
  EXPECT_TRUE(hook.linked());
  EXPECT_EQ(wheel.expire(start + 10ms, [](wheel_hook&) {}), 1u);
  EXPECT_FALSE(hook.linked());
  EXPECT_TRUE(wheel.empty());
}

TEST(deadline_wheel, ends_what_was_late_already_with_the_next_tick) {
  deadline_wheel wheel{start, 5ms, 8};
  wheel.expire(start + 1s, [](wheel_hook&) {});
  wheel_hook past, before_all;
  wheel.add(past, start + 10ms);
  wheel.add(before_all, start - 1h);
  EXPECT_EQ(wheel.expire(start + 1005ms, [](wheel_hook&) {}), 2u);
}

TEST(deadline_wheel, keeps_what_is_due_some_turns_later) {
  deadline_wheel wheel{start, 5ms, 8}; // a turn is 40 ms
  wheel_hook hook;
  wheel.add(hook, start + 100ms);
  EXPECT_EQ(wheel.expire(start + 95ms, [](wheel_hook&) {}), 0u);
  EXPECT_EQ(wheel.expire(start + 100ms, [](wheel_hook&) {}), 1u);
}

TEST(deadline_wheel, forgets_what_was_removed) {
  deadline_wheel wheel{start, 5ms, 8};
  wheel_hook hook;
  wheel.add(hook, start + 5ms);
  wheel.remove(hook);
  wheel.remove(hook); // twice is nothing
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.expire(start + 1s, [](wheel_hook&) {}), 0u);
}

TEST(deadline_wheel, lets_the_callback_add_and_remove_others) {
  deadline_wheel wheel{start, 5ms, 8};
  wheel_hook a, b, c;
  wheel.add(a, start + 5ms);
  wheel.add(b, start + 5ms);
  auto calls = 0;
  EXPECT_EQ(wheel.expire(start + 5ms,
                         [&](wheel_hook& hook) {
                           if (++calls == 1) {
                             wheel.remove(&hook == &a ? b : a);
                             wheel.add(c, start + 10ms);
                           }
                         }),
            1u);
  EXPECT_EQ(wheel.size(), 1u);
  EXPECT_EQ(wheel.expire(start + 10ms, [](wheel_hook&) {}), 1u);
}

TEST(deadline_wheel, says_how_long_the_tick_lasts) {
  deadline_wheel wheel{start, 5ms, 8};
  EXPECT_EQ(wheel.until_next_tick(start), 5ms);
  EXPECT_EQ(wheel.until_next_tick(start + 3ms), 2ms);
  EXPECT_EQ(wheel.until_next_tick(start + 5ms), 5ms);
}

struct entry : wheel_hook {
  time_point deadline;
  time_point due; // the deadline, or when it was added if that was later
};

/// A wheel beside a naive model of it.
class model {
public:
  model(uint64_t seed, std::chrono::nanoseconds tick, size_t slots)
    : random_(seed), tick_(tick), wheel_(start, tick, slots) {
    for (int i = 0; i < 200; ++i)
      entries_.push_back(std::make_unique<entry>());
  }

  void step() {
    auto& x = *entries_[random_() % entries_.size()];
    switch (random_() % 8) {
    case 0:
      advance(tick_ * (random_() % 3000)); // more than a turn
      break;
    case 1:
    case 2:
      advance(std::chrono::nanoseconds{random_() % (2 * tick_.count())});
      break;
    case 3:
      wheel_.remove(x);
      waiting_.erase(&x);
      break;
    default:
      if (!x.linked())
        add(x);
    }
    ASSERT_EQ(wheel_.size(), waiting_.size());
  }

private:
  void add(entry& x) {
    auto far = random_() % 4 == 0 ? 5000 : 50;
    x.deadline = now_ + tick_ * (random_() % far)
                 + std::chrono::nanoseconds{random_() % tick_.count()}
                 - tick_ * 5;
    x.due = std::max(x.deadline, now_);
    wheel_.add(x, x.deadline);
    waiting_.insert(&x);
  }

  void advance(std::chrono::nanoseconds d) {
    now_ += d;
    wheel_.expire(now_, [&](wheel_hook& hook) {
      auto& x = static_cast<entry&>(hook);
      EXPECT_LE(x.deadline, now_) << "early";
      EXPECT_EQ(waiting_.erase(&x), 1u) << "twice, or removed";
    });
    for (auto x : waiting_)
      EXPECT_GT(x->due, now_ - tick_) << "later than one tick";
  }

  std::mt19937_64 random_;
  std::chrono::nanoseconds tick_;
  deadline_wheel wheel_;
  time_point now_ = start;
  std::vector<std::unique_ptr<entry>> entries_;
  std::set<entry*> waiting_;
};

TEST(deadline_wheel, is_never_early_and_at_most_a_tick_late) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (size_t slots : {1, 8, 512}) {
    model x{seed + slots, 5ms, slots};
    for (int i = 0; i < 20'000 && !::testing::Test::HasFailure(); ++i)
      x.step();
  }
}

} // namespace
} // namespace troupe
