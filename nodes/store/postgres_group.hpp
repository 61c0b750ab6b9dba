// Requests of many entities as one statement each: an array a column, a row a
// request. So a group costs the server one statement and one fsync, and if the
// statement is the whole transaction, it begins and ends on the server: a node
// that stops in between holds no row. Commits that bring work are the exception.
//
// Rows are locked in the order of their keys, so that two nodes do not wait for
// each other.

#pragma once

#include <optional>
#include <vector>

#include "actors/core/backends.hpp"
#include "nodes/store/postgres_connection.hpp"

namespace troupe {

/// Makes a node's claim of each entity, if its shard is owned as it says.
/// @pre no entity is there twice
struct postgres_claims {
  struct request {
    const entity_id* entity;
    fencing_token token;
    const std::optional<shard_ownership>* owned;
  };

  static const postgres_statement statement;

  static postgres_call call(std::vector<request> requests);

  /// What each of `requests` found, in their order; nothing for one that does
  /// not own the shard.
  static std::vector<std::optional<claimed_state>>
  read(const std::vector<request>& requests, const postgres_rows& rows);
};

/// Commits of entities.
/// @pre no entity is there twice, and none records an id twice
struct postgres_commits {
  using request = const commit_request*;

  /// For those that change states only.
  static const postgres_statement plain;

  /// For all.
  static const postgres_statement full;

  static postgres_call call(const std::vector<request>& requests);

  /// What became of each of `requests`: done, refused or lock_lost.
  static std::vector<commit_outcome> read(const std::vector<request>& requests,
                                          const postgres_rows& rows);
};

/// Forgets entities that were claimed and never committed.
struct postgres_releases {
  struct request {
    const entity_id* entity;
    fencing_token token;
  };

  static const postgres_statement statement;

  static postgres_call call(const std::vector<request>& requests);
};

} // namespace troupe
