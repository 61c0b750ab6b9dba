// Who hands something over while a publisher ends is answered too: else an attempt
// of the queue would wait for its answer for ever.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <thread>
#include <utility>
#include <vector>

#include "nodes/events/http_poster.hpp"
#include "nodes/mqtt/publisher.hpp"
#include "nodes/nats/publisher.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

constexpr int senders = 3;

/// One sender hands over so many at most.
constexpr int sends_max = 1000;

struct counts {
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  std::atomic<bool> is_over{false}; // somebody was told that it ends

  template <class T>
  std::function<void(expected<T>)> answer() {
    return [this](const expected<T>& what) {
      if (!what && what.error().code() == errc::shutting_down)
        is_over = true;
      ++answered;
    };
  }
};

/// Threads send until they are told that it ends, which it does meanwhile.
void expect_all_answered(const std::function<void(counts&)>& send,
                         const std::function<void()>& stop) {
  counts seen;
  std::vector<std::thread> threads;
  for (int i = 0; i < senders; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < sends_max && !seen.is_over; ++j) {
        ++seen.asked;
        send(seen);
      }
    });
  while (seen.asked == 0)
    std::this_thread::yield();
  stop();
  for (auto& x : threads)
    x.join();
  EXPECT_GT(seen.asked, 0);
  EXPECT_EQ(seen.answered, seen.asked);
}

} // namespace

TEST(publisher_end, of_mqtt_leaves_nobody_without_an_answer) {
  for (int i = 0; i < 100; ++i) {
    mqtt::publisher to{parse_broker("mqtt://127.0.0.1:1").first, {}};
    expect_all_answered(
      [&](counts& seen) {
        to.send(
          [](mqtt::protocol) {
            return mqtt::publish{.topic = "a", .body = "1"};
          },
          seen.answer<payload>());
      },
      [&] { to.stop(0ms); });
  }
}

TEST(publisher_end, of_nats_leaves_nobody_without_an_answer) {
  for (int i = 0; i < 100; ++i) {
    nats::publisher to{parse_broker("nats://127.0.0.1:1").first, {}};
    expect_all_answered(
      [&](counts& seen) {
        to.publish({"a", {}, "1", "1"}, seen.answer<payload>());
      },
      [&] { to.stop(0ms); });
  }
}

TEST(publisher_end, of_http_leaves_nobody_without_an_answer) {
  for (int i = 0; i < 20; ++i) {
    http_poster to{{}};
    expect_all_answered(
      [&](counts& seen) {
        to.post({"http://127.0.0.1:1/", {}, "1"}, seen.answer<unsigned>());
      },
      [&] { to.stop(0ms); });
  }
}

} // namespace troupe::test
