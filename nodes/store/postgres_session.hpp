// A connection that is made again when it is lost: at most one try at a time,
// and between tries that fail longer and longer pauses, so that many nodes do
// not fall over a server that has just come up. Meanwhile nobody waits: what is
// asked fails at once.

#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "actors/core/errors.hpp"
#include "nodes/store/postgres_server.hpp"

namespace troupe {

/// Of one thread, once it is open.
class postgres_session {
public:
  postgres_session(postgres_server& server, postgres_role role);

  /// @throws error_exception `store_unavailable`: there is no connection
  void open();

  /// Whether there is a connection; tries to make one if it is time to.
  bool is_ready();

  /// The same, but not if there is none.
  bool is_open();

  /// Sends `xs` and waits; see `postgres_connection::run`.
  /// @pre `is_ready()`
  std::vector<postgres_outcome>
  run(const std::vector<postgres_transaction>& xs);

  /// The connection is not to be used any more: the next one is checked anew.
  void drop(const std::string& why);

  /// Why there is none.
  const std::string& trouble() const noexcept { return trouble_; }

  /// What the last connection was on.
  const postgres_timeline& timeline() const noexcept { return link_.timeline; }

  postgres_server& server() noexcept { return server_; }

private:
  using time_point = std::chrono::steady_clock::time_point;

  void try_to_connect();
  void failed(const std::string& why);

  postgres_server& server_;
  postgres_role role_;
  backoff backoff_;
  std::mt19937_64 random_{std::random_device{}()};
  postgres_link link_;
  uint32_t tries_ = 0;
  time_point next_try_{};
  std::string trouble_;
};

} // namespace troupe
