#include "nodes/http/io_thread.hpp"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

using namespace std::literals;

namespace troupe::test {

using http::io_thread;

TEST(io_thread, runs_what_was_posted_in_its_order) {
  io_thread loop;
  std::vector<int> ran;
  for (int i = 0; i < 100; ++i)
    loop.post([&ran, i] { ran.push_back(i); });
  loop.post([&] { loop.stop(); });
  loop.run();
  ASSERT_EQ(ran.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(io_thread, loses_nothing_that_many_threads_post) {
  constexpr int threads = 4, posts = 20'000;
  io_thread loop;
  std::vector<int> next(threads);
  int left = threads * posts;
  auto in_order = true;
  std::vector<std::thread> posters;
  for (size_t t = 0; t < threads; ++t)
    posters.emplace_back([&, t] {
      for (int i = 0; i < posts; ++i)
        loop.post([&, t, i] {
          in_order &= next[t]++ == i;
          if (--left == 0)
            loop.stop();
        });
    });
  loop.run();
  for (auto& x : posters)
    x.join();
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(in_order);
}

TEST(io_thread, turns_after_each_wake_and_sees_what_was_written_before) {
  io_thread loop;
  constexpr int last = 20'000;
  std::atomic<int> written{0};
  std::atomic<int> seen{0};
  loop.on_turn([&] {
    seen = written.load();
    if (seen == last)
      loop.stop();
    return false;
  });
  std::thread waker{[&] {
    for (int i = 1; i <= last; ++i) {
      written = i;
      loop.wake();
      if (i % 7 == 0) // sometimes let it fall asleep
        while (seen < i)
          std::this_thread::yield();
    }
  }};
  loop.run();
  waker.join();
  EXPECT_EQ(seen, last);
}

TEST(io_thread, fires_timers_in_the_order_of_their_times) {
  io_thread loop;
  std::vector<int> fired;
  loop.after(20ms, [&] {
    fired.push_back(3);
    loop.stop();
  });
  loop.after(1ms, [&] { fired.push_back(1); });
  loop.after(5ms, [&] { fired.push_back(2); });
  loop.run();
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

TEST(io_thread, forgets_a_cancelled_timer) {
  io_thread loop;
  auto fired = false;
  auto id = loop.after(1ms, [&] { fired = true; });
  loop.after(10ms, [&] { loop.stop(); });
  loop.cancel(id);
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(io_thread, lets_a_timer_set_another) {
  io_thread loop;
  int fired = 0;
  std::function<void()> again = [&] {
    if (++fired == 5)
      loop.stop();
    else
      loop.after(0ms, again);
  };
  loop.after(0ms, again);
  loop.run();
  EXPECT_EQ(fired, 5);
}

TEST(io_thread, destroys_what_it_never_ran) {
  auto owned = std::make_shared<int>(1);
  {
    io_thread loop;
    loop.post([owned] {});
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(io_thread, knows_whether_it_is_current) {
  io_thread loop;
  auto inside = false;
  loop.post([&] {
    inside = loop.is_current();
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(inside);
  EXPECT_FALSE(loop.is_current());
}

} // namespace troupe::test
