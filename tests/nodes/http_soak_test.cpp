// Goal: no order of sends, half-closes, resets, late answers and shutdown makes
// the server lose an exchange, answer one twice, or touch one that is gone.
// Method: clients that behave at random against a handler that answers at
// random (at once, by a timer, from another thread's message, or when told
// that the client went away), from a seed that is printed. Meant to be run
// under the sanitizers too.

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/http_fixture.hpp"
#include "tests/support/raw_client.hpp"

using namespace std::literals;

namespace troupe::test {

namespace {

/// Over all threads: exchanges that were handed over, and what became of them.
struct ledger {
  std::atomic<uint64_t> handled{0};
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> thrown{0};
  std::atomic<uint64_t> left_open{0};
  std::atomic<uint64_t> aborted{0};
};

class moody_handler : public http::handler {
public:
  moody_handler(http::io_thread& thread, ledger& book, uint64_t seed)
    : thread_(thread), book_(book), random_(seed) {}

  ~moody_handler() override { book_.left_open += open_.size(); }

  void handle(http::exchange& x) override {
    ++book_.handled;
    switch (random_() % 4) {
    case 0:
      return answer(x);
    case 1:
      x.tag = next_++;
      open_.insert(x.tag);
      thread_.after(std::chrono::microseconds{random_() % 3000},
                    [this, &x, tag = x.tag] { answer_open(x, tag); });
      return;
    case 2:
      x.tag = next_++;
      open_.insert(x.tag);
      thread_.post([this, &x, tag = x.tag] { answer_open(x, tag); });
      return;
    default:
      ++book_.thrown;
      throw std::runtime_error("in a bad mood");
    }
  }

  void aborted(http::exchange& x) noexcept override {
    ++book_.aborted;
    EXPECT_EQ(open_.count(x.tag), 1u);
    if (random_() % 2 == 0)
      answer_open(x, x.tag);
  }

private:
  void answer_open(http::exchange& x, uint64_t tag) {
    if (open_.erase(tag) == 1)
      answer(x);
  }

  void answer(http::exchange& x) {
    ++book_.answered;
    http::response answer;
    answer.body = std::move(x.request().body());
    x.respond(std::move(answer));
  }

  http::io_thread& thread_;
  ledger& book_;
  std::mt19937_64 random_;
  uint64_t next_ = 1;
  std::set<uint64_t> open_;
};

void behave_at_random(uint16_t port, uint64_t seed, int connections) {
  std::mt19937_64 random{seed};
  for (int i = 0; i < connections; ++i) {
    try {
      raw_client client{port};
      auto requests = 1 + random() % 4;
      std::string all;
      for (uint64_t r = 0; r < requests; ++r) {
        std::string body(random() % (random() % 8 == 0 ? 200'000 : 300), 'b');
        all += "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
               + std::to_string(body.size()) + "\r\n\r\n" + body;
      }
      if (random() % 4 == 0)
        all.resize(1 + random() % all.size());
      client.send(all);
      switch (random() % 4) {
      case 0:
        client.reset();
        break;
      case 1:
        client.half_close();
        client.read_rest();
        break;
      case 2:
        client.half_close();
        client.read();
        break;
      default:
        break; // closes with answers unread
      }
    } catch (const std::runtime_error&) {
      return; // the server has stopped
    }
  }
}

} // namespace

TEST(http_soak, answers_each_exchange_once_whatever_clients_do) {
  auto seed = seed_of_this_run();
  ledger book;
  auto options = free_port();
  options.threads = 2;
  options.read_ahead_bytes_max = 1000;
  options.linger_time = 10ms;
  std::atomic<uint64_t> thread{0};
  http::server server{options, [&](http::io_thread& t) {
                        return std::make_unique<moody_handler>(t, book,
                                                               seed + thread++);
                      }};
  server.start();
  std::vector<std::thread> clients;
  for (uint64_t c = 0; c < 3; ++c)
    clients.emplace_back(behave_at_random, server.port(), seed * 31 + c, 150);
  for (auto& x : clients)
    x.join();
  server.stop_accepting();
  EXPECT_TRUE(server.drain(20s));
  auto requests = server.stats().requests;
  server.stop();
  EXPECT_EQ(book.handled, requests);
  EXPECT_GT(book.answered, 0u);
  EXPECT_GT(book.aborted, 0u);
  EXPECT_EQ(book.answered + book.thrown + book.left_open, book.handled);
}

TEST(http_soak, stops_under_load_without_harm) {
  auto seed = seed_of_this_run();
  for (uint64_t round = 0; round < 10; ++round) {
    ledger book;
    auto options = free_port();
    options.threads = 2;
    http::server server{options, [&](http::io_thread& t) {
                          return std::make_unique<moody_handler>(t, book,
                                                                 seed + round);
                        }};
    server.start();
    std::thread client{behave_at_random, server.port(), seed + round, 1000};
    while (server.stats().requests < 40)
      std::this_thread::yield();
    if (round % 2 == 0)
      server.stop_accepting();
    if (round % 3 == 0)
      server.drain(0ms);
    server.stop();
    client.join();
    EXPECT_GT(book.handled, 0u);
    EXPECT_EQ(book.answered + book.thrown + book.left_open, book.handled);
  }
}

} // namespace troupe::test
