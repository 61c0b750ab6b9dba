// What concurrent clients asked an object for and were answered, as it happened:
// what the linearizability checker judges. An operation ends in one of three
// ways, and an error's `effect` says in which:
//
//   completed  there is a result
//   failed     effect `none` or `ran`: it changed nothing, so it is left out
//   unknown    it may have taken effect, or may yet
//
// so that an effect that is not what happened shows as a violation.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/linearizability.hpp"

namespace troupe::testing {

struct history_counts {
  size_t operations = 0;
  size_t completed = 0;
  size_t failed = 0;

  /// Answered so, or not answered.
  size_t unknown = 0;

  double unknown_percent() const {
    return operations == 0 ? 0.0 : 100.0 * unknown / operations;
  }

  history_counts& operator+=(const history_counts& x) {
    operations += x.operations;
    completed += x.completed;
    failed += x.failed;
    unknown += x.unknown;
    return *this;
  }
};

inline std::ostream& operator<<(std::ostream& out, const history_counts& x) {
  return out << x.operations << " operations: " << x.completed << " completed, "
             << x.failed << " failed, " << x.unknown << " unknown ("
             << x.unknown_percent() << " %)";
}

/// Why operations came to nothing, and how many: by the type of the error.
struct history_reasons : std::map<std::string, size_t> {};

inline std::ostream& operator<<(std::ostream& out, const history_reasons& x) {
  auto separator = "";
  for (auto& [reason, count] : x) {
    out << separator << count << " " << reason;
    separator = ", ";
  }
  return out;
}

/// Thread-safe.
template <class Spec>
class history {
public:
  using id = size_t;

  using clock = std::chrono::steady_clock;

  /// To be called before the operation can have any effect.
  id begin(uint32_t client, std::string key, typename Spec::call call) {
    std::lock_guard guard{mutex_};
    ++counts_.operations;
    records_.push_back({std::move(key),
                        {client, std::move(call), std::nullopt, ++time_, never},
                        status::running,
                        clock::now(),
                        {},
                        {}});
    return records_.size() - 1;
  }

  void completed(id x, typename Spec::result seen) {
    std::lock_guard guard{mutex_};
    ++counts_.completed;
    auto& record = end(x, status::completed);
    record.what.result = std::move(seen);
    record.what.returned = ++time_;
  }

  /// @param why is counted
  /// @param more for people
  void failed(id x, std::string why = "failed", std::string more = {}) {
    std::lock_guard guard{mutex_};
    ++counts_.failed;
    end(x, status::failed, std::move(why), std::move(more));
  }

  void unknown(id x, std::string why = "unknown", std::string more = {}) {
    std::lock_guard guard{mutex_};
    ++counts_.unknown;
    end(x, status::unknown, std::move(why), std::move(more));
  }

  /// By an error's `effect`.
  void ended(id x, std::string_view effect, std::string why,
             std::string more = {}) {
    if (effect == "none" || effect == "ran")
      failed(x, std::move(why), std::move(more));
    else
      unknown(x, std::move(why), std::move(more));
  }

  /// Whatever could still bring an operation about that is unknown by now is
  /// gone: those took effect by now, or never will.
  void close_unknown() {
    std::lock_guard guard{mutex_};
    ++time_;
    for (; closed_ < records_.size(); ++closed_) {
      auto& x = records_[closed_];
      EXPECT_NE(x.how, status::running) << text_of(x.what);
      if (x.how == status::unknown)
        x.what.returned = time_;
    }
  }

  history_counts counts() const {
    std::lock_guard guard{mutex_};
    return counts_;
  }

  /// How many operations were under way when a fault began, at `from`, and either
  /// have no result or were held up until it was over, at `to`.
  size_t hit(clock::time_point from, clock::time_point to) const {
    std::lock_guard guard{mutex_};
    return static_cast<size_t>(
      std::count_if(records_.begin(), records_.end(), [=](auto& x) {
        return x.how != status::running && x.began < from && x.ended > from
               && (x.how != status::completed || x.ended > to);
      }));
  }

  /// The longest operation that has ended.
  clock::duration longest() const {
    std::lock_guard guard{mutex_};
    clock::duration result{};
    for (auto& x : records_)
      if (x.how != status::running)
        result = std::max(result, x.ended - x.began);
    return result;
  }

  history_reasons reasons() const {
    std::lock_guard guard{mutex_};
    return reasons_;
  }

  /// All of it, for people: the operations in the order in which they began,
  /// with the seconds since `start`.
  void print(std::ostream& out, clock::time_point start) const {
    std::lock_guard guard{mutex_};
    auto seconds = [&](clock::time_point x) {
      return std::chrono::duration<double>(x - start).count();
    };
    out << std::fixed << std::setprecision(4);
    for (auto& x : records_)
      out << seconds(x.began) << " to " << seconds(x.ended) << " " << x.key
          << " " << text_of(x.what) << " " << x.why << '\n';
  }

  /// What the checker takes; an operation that still runs is an open one.
  std::map<std::string, std::vector<operation<Spec>>> by_key() const {
    std::lock_guard guard{mutex_};
    std::map<std::string, std::vector<operation<Spec>>> result;
    for (auto& x : records_)
      if (x.how != status::failed)
        result[x.key].push_back(x.what);
    return result;
  }

private:
  enum class status : uint8_t { running, completed, failed, unknown };

  struct record {
    std::string key;
    operation<Spec> what;
    status how;
    clock::time_point began;
    clock::time_point ended;
    std::string why; // it came to nothing
  };

  record& end(id x, status how, const std::string& why = {},
              const std::string& more = {}) {
    auto& result = records_.at(x);
    EXPECT_EQ(result.how, status::running)
      << "ended twice: " << text_of(result.what);
    result.how = how;
    result.ended = clock::now();
    if (!why.empty())
      ++reasons_[why];
    result.why = why + (more.empty() ? "" : " " + more);
    return result;
  }

  mutable std::mutex mutex_;
  std::vector<record> records_;
  size_t closed_ = 0; // those before are closed
  uint64_t time_ = 0;
  history_counts counts_;
  history_reasons reasons_;
};

/// Whether the history of each key is linearizable, and why not. Undecided is
/// no success.
template <class Spec>
::testing::AssertionResult is_linearizable(const history<Spec>& x) {
  for (auto& [key, operations] : x.by_key()) {
    auto result = check_linearizable(operations);
    if (result.what != verdict::linearizable)
      return ::testing::AssertionFailure()
             << "the history of '" << key << "' is " << result.what << ": "
             << result.explanation;
  }
  return ::testing::AssertionSuccess();
}

// -- how long and with which chances -----------------------------------------

/// A number from the environment, or `otherwise`.
inline uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const auto* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

/// A new seed, or TROUPE_SEED to repeat a failure; printed.
inline uint64_t history_seed() {
  auto seed = number_from_environment("TROUPE_SEED", std::random_device{}());
  std::cout << "TROUPE_SEED=" << seed << '\n';
  return seed;
}

} // namespace troupe::testing
