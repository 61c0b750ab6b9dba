// The bench's own client against a server that answers as the test wants.

#include <atomic>
#include <numeric>

#include <gtest/gtest.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/load.hpp"
#include "tests/support/http_fixture.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds short_time{100};

/// A server that counts what it was asked.
class counting_server {
public:
  explicit counting_server(const std::function<void(http::response&)>& fill)
    : server_(test::free_port(), [this, fill](auto&) {
        auto result = std::make_unique<test::scripted_handler>();
        result->on_handle = [this, fill](http::exchange& x) {
          ++calls_;
          http::response answer;
          fill(answer);
          x.respond(std::move(answer));
        };
        return result;
      }) {
    server_.start();
  }

  uint16_t port() const { return server_.port(); }

  uint64_t calls() const { return calls_; }

private:
  std::atomic<uint64_t> calls_{0};
  http::server server_;
};

TEST(load, counts_every_answer_once) {
  counting_server server{[](auto& answer) { answer.body = "five!"; }};
  auto results =
    run_load(server.port(), {{post("/a", "x"), 2}, {post("/b", "y"), 1, 1000}},
             short_time);
  EXPECT_EQ(results[0].answers() + results[1].answers(), server.calls());
  for (auto& x : results) {
    EXPECT_GT(x.answers(), 0u);
    EXPECT_EQ(x.broken, 0u);
    EXPECT_EQ(x.latencies_us.size(), x.answers());
  }
}

TEST(load, tells_refusals_with_a_retry_after_from_those_without) {
  std::atomic<int> turn{0};
  counting_server server{[&](auto& answer) {
    auto n = ++turn % 3;
    answer.status = n == 0 ? 200 : 429;
    if (n == 1)
      answer.add("Retry-After", "1");
  }};
  auto x = run_load(server.port(), {{post("/", "x"), 1}}, short_time).front();
  auto refused = x.answers_by_status[429];
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(x.with_retry_after, (refused + 1) / 2);
  EXPECT_EQ(x.latencies_us.size(), x.answers() - refused);
  EXPECT_EQ(x.broken, 0u);
}

TEST(load, takes_bodies_that_come_in_many_pieces) {
  counting_server server{
    [](auto& answer) { answer.body = std::string(3'000'000, 'x'); }};
  auto x = run_load(server.port(), {{post("/", std::string(100'000, 'y')), 2}},
                    short_time)
             .front();
  EXPECT_GT(x.answers(), 0u);
  EXPECT_EQ(x.answers(), server.calls());
  EXPECT_EQ(x.broken, 0u);
}

TEST(load, says_that_nobody_listens) {
  EXPECT_THROW(run_load(1, {{post("/", "x"), 1}}, short_time), cannot_measure);
}

TEST(load, finds_percentiles) {
  load_result x;
  x.latencies_us.resize(101);
  std::iota(x.latencies_us.rbegin(), x.latencies_us.rend(), 0);
  EXPECT_DOUBLE_EQ(x.percentile(50), 50);
  EXPECT_DOUBLE_EQ(x.percentile(99), 99);
  EXPECT_DOUBLE_EQ(x.percentile(100), 100);
}

} // namespace

} // namespace troupe::bench
