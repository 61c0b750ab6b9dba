// A thread with a connection of its own that asks independent questions, each a
// transaction: what comes in while it waits goes out together, in one pipeline.

#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/postgres_session.hpp"

namespace troupe {

/// What callers get while the server does not answer.
error postgres_unavailable(const std::string& why);

class postgres_asker {
public:
  struct question {
    postgres_transaction what;

    /// It only reads: if the connection is lost it is asked once more.
    bool is_repeatable = false;

    /// Called exactly once, with the rows of each call.
    std::function<void(expected<std::vector<postgres_rows>>)> done;
  };

  /// @throws error_exception `store_unavailable`
  postgres_asker(postgres_server& server, postgres_role role, size_t limit);

  postgres_asker(const postgres_asker&) = delete;
  postgres_asker& operator=(const postgres_asker&) = delete;

  /// Asks and answers what waits.
  ~postgres_asker();

  /// Asks `x`; it is answered in every case. Thread-safe.
  void ask(question x) { put(std::move(x), false); }

  /// The same, ahead of all that waits.
  void ask_first(question x) { put(std::move(x), true); }

  /// The timeline that answers are of. Only in a callback of this.
  const postgres_timeline& timeline() const noexcept {
    return session_.timeline();
  }

private:
  void put(question x, bool first);
  void work();
  void ask_all(std::vector<question> questions, bool may_repeat);

  postgres_session session_;
  batch_queue<question> queue_;
  std::thread thread_;
};

} // namespace troupe
