// Locks in a PostgreSQL server, by the rules of model/lock_record.hpp, and by the
// server's clock: all nodes see the same, and it may be set. Set back by so much,
// a lock lasts that much longer; its token fences all the same.
//
// A change and the look at what it left are one transaction, in which the row is
// locked. A commit that is bound to a lock holds its row too (postgres_group.hpp):
// it comes before or after.

#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "actors/core/lock_backend.hpp"
#include "nodes/store/postgres_asker.hpp"

namespace troupe {

/// Callbacks come from the thread of its `postgres_asker`.
class postgres_lock_table final : public lock_table {
public:
  /// @param clock in place of the server's, if it is set
  postgres_lock_table(postgres_asker& asker,
                      std::function<std::chrono::milliseconds()> clock)
    : asker_(asker), clock_(std::move(clock)) {}

  void acquire(lock_request request, callback<lock_answer> done) override;

  void renew(lock_proof held, std::optional<std::chrono::milliseconds> ttl,
             callback<lock_answer> done) override;

  void release(lock_proof held, callback<lock_answer> done) override;

  void find(std::string name, callback<lock_row> done) override;

  /// For the connection of the asker.
  static std::vector<const postgres_statement*> statements();

private:
  /// Runs `call`, which gives a row if it was done.
  void change(postgres_call call, const std::string& name,
              callback<lock_answer> done);

  postgres_call look(const std::string& name) const;

  /// Null: the server's.
  postgres_value now() const;

  postgres_asker& asker_;
  std::function<std::chrono::milliseconds()> clock_;
};

} // namespace troupe
