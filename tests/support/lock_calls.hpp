// A table of locks from the outside in one thread: each call waits for its
// answer; and clocks that a test drives.

#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "actors/core/lock_backend.hpp"
#include "actors/model/lock_record.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe::testing {

/// The clocks of a machine, as the test says. Thread-safe.
class test_clock {
public:
  using milliseconds = std::chrono::milliseconds;

  void pass(milliseconds time) {
    since_boot_ += time.count();
    wall_ += time.count();
  }

  void set_wall(milliseconds to) { wall_ = to.count(); }

  milliseconds wall() const { return milliseconds{wall_}; }

  /// The machine is started anew; `off` passes meanwhile.
  void reboot(milliseconds off) {
    ++boot_;
    since_boot_ = 1;
    wall_ += off.count();
  }

  lock_time now() const {
    return {"boot " + std::to_string(boot_), milliseconds{since_boot_}, wall()};
  }

private:
  std::atomic<int> boot_{1};
  std::atomic<int64_t> since_boot_{5'000'000};
  std::atomic<int64_t> wall_{1'700'000'000'000};
};

inline std::future<expected<lock_answer>>
begin_acquire(lock_table& table, std::string name, std::string holder,
              std::chrono::milliseconds ttl) {
  return begin<expected<lock_answer>>([&](auto done) {
    table.acquire({std::move(name), std::move(holder), ttl}, std::move(done));
  });
}

inline lock_answer acquire(lock_table& table, std::string name,
                           std::string holder, std::chrono::milliseconds ttl) {
  return begin_acquire(table, std::move(name), std::move(holder), ttl)
    .get()
    .value();
}

inline lock_answer renew(lock_table& table, lock_proof held,
                         std::optional<std::chrono::milliseconds> ttl) {
  return begin<expected<lock_answer>>([&](auto done) {
           table.renew(std::move(held), ttl, std::move(done));
         })
    .get()
    .value();
}

inline lock_answer release(lock_table& table, lock_proof held) {
  return begin<expected<lock_answer>>(
           [&](auto done) { table.release(std::move(held), std::move(done)); })
    .get()
    .value();
}

inline lock_row find_lock(lock_table& table, std::string name) {
  return begin<expected<lock_row>>(
           [&](auto done) { table.find(std::move(name), std::move(done)); })
    .get()
    .value();
}

} // namespace troupe::testing
