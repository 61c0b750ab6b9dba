// Locks that live as long as the process.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "actors/core/lock_backend.hpp"
#include "nodes/store/lock_clock.hpp"

namespace troupe {

/// Calls back before its functions return.
class memory_lock_table final : public lock_table {
public:
  using clock = std::function<lock_time()>;

  explicit memory_lock_table(clock now = read_lock_clock)
    : now_(std::move(now)) {}

  void acquire(lock_request request, callback<lock_answer> done) override;

  void renew(lock_proof held, std::optional<std::chrono::milliseconds> ttl,
             callback<lock_answer> done) override;

  void release(lock_proof held, callback<lock_answer> done) override;

  void find(std::string name, callback<lock_row> done) override;

  /// Runs `f` while all of `proofs` are held; false if they are not.
  bool if_held(const std::vector<lock_proof>& proofs,
               const std::function<void()>& f);

private:
  /// Answers with what `f` makes of the record, which is made if it is missing.
  template <class F>
  lock_answer change(const std::string& name, F f);

  clock now_;
  std::mutex mutex_;
  std::map<std::string, lock_record> records_;
};

} // namespace troupe
