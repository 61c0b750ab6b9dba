// A plain thread that waits for a callback.

#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "actors/core/expected.hpp"

namespace troupe {

/// What `ask` gives to its callback; `deadline_exceeded`, with `late` as its
/// message, after `longest`. Then `unwanted` gets what comes later, on the thread
/// that brings it.
template <class T, class F, class G>
expected<T> wait_for(std::chrono::milliseconds longest, const char* late, F ask,
                     G unwanted) {
  struct answer {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<expected<T>> value;
    bool gone = false;
  };
  auto shared = std::make_shared<answer>();
  ask([shared, unwanted](expected<T> x) {
    std::unique_lock guard{shared->mutex};
    if (shared->gone) {
      guard.unlock();
      return unwanted(x);
    }
    shared->value = std::move(x);
    shared->came.notify_one();
  });
  std::unique_lock guard{shared->mutex};
  if (!shared->came.wait_for(guard, longest,
                             [&] { return shared->value.has_value(); })) {
    shared->gone = true;
    return error{errc::deadline_exceeded, late};
  }
  return *std::move(shared->value);
}

} // namespace troupe
