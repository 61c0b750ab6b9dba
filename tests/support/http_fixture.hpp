// A running HTTP server whose handler is a function of the test's.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "nodes/http/server.hpp"

namespace troupe::test {

/// A new seed, or TROUPE_TEST_SEED to repeat a failure; printed.
inline uint64_t seed_of_this_run() {
  const auto* given = std::getenv("TROUPE_TEST_SEED");
  auto seed = given != nullptr ? std::strtoull(given, nullptr, 10)
                               : std::random_device{}();
  std::cout << "TROUPE_TEST_SEED=" << seed << '\n';
  return seed;
}

/// Calls functions of the test's.
struct scripted_handler : http::handler {
  std::function<void(http::exchange&)> on_handle;
  std::function<void(http::exchange&)> on_aborted;

  void handle(http::exchange& x) override { on_handle(x); }

  void aborted(http::exchange& x) noexcept override {
    if (on_aborted)
      on_aborted(x);
  }
};

/// Answers with the request's method, path, query and body.
inline void echo(http::exchange& x) {
  auto& request = x.request();
  http::response answer;
  answer.body.append(request.method_name())
    .append(" ")
    .append(request.path())
    .append(" ")
    .append(request.query())
    .append(" ")
    .append(request.body());
  x.respond(std::move(answer));
}

/// Options for a test: any free port.
inline http::options free_port() {
  http::options result;
  result.port = 0;
  return result;
}

/// A value that another thread will give; waiting for it is bounded.
template <class T>
class awaited {
public:
  void set(T x) { promise_.set_value(std::move(x)); }

  T get() {
    if (future_.wait_for(std::chrono::seconds{20})
        != std::future_status::ready) {
      ADD_FAILURE() << "waited in vain";
      std::abort();
    }
    return future_.get();
  }

private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
};

/// A server that is running.
class running_server {
public:
  using function = std::function<void(http::exchange&)>;

  explicit running_server(function handle = echo, http::options x = free_port(),
                          function aborted = {})
    : server_(std::move(x), [=](http::io_thread&) {
        auto result = std::make_unique<scripted_handler>();
        result->on_handle = handle;
        result->on_aborted = aborted;
        return result;
      }) {
    server_.start();
  }

  uint16_t port() const { return server_.port(); }

  http::server* operator->() { return &server_; }

  /// What the server has done once it is done with what it does now.
  http::statistics settled_stats() {
    awaited<bool> done;
    server_.thread(0).post([&] { done.set(true); });
    done.get();
    return server_.stats();
  }

private:
  http::server server_;
};

} // namespace troupe::test
