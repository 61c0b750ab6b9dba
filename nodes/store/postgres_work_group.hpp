// Accepts and reports of many callers as one statement each: an array a column, a
// row a request. What waits behind one of another node's rows is in the order of
// ids, so that two nodes do not wait for each other.

#pragma once

#include <optional>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/work_queue.hpp"
#include "nodes/store/postgres_connection.hpp"

namespace troupe {

/// @pre no id is there twice, and no key of a target is
struct postgres_work_accepts {
  struct request {
    const work_request* what;

    /// It is accepted only if this was done in the same transaction.
    const work_report* parent = nullptr;

    /// The same for a commit of this entity.
    const entity_id* committed = nullptr;
  };

  /// For work that all begins at once, is short and has no key: most of it.
  static const postgres_statement plain;
  static const postgres_statement full;

  static postgres_call call(std::vector<request> requests);

  /// What each of `requests` is told, in their order; of no use for those with a
  /// parent, or a commit, that was refused.
  static std::vector<expected<work_accepted>>
  read(const std::vector<request>& requests, const postgres_rows& rows);
};

/// @pre no id is there twice
struct postgres_work_reports {
  struct request {
    const work_report* what;
    work_time now{};
  };

  /// For work that all ended, with a result or an error that somebody was told.
  static const postgres_statement plain;
  static const postgres_statement full;

  static postgres_call call(std::vector<request> requests);

  /// What became of each of `requests`, in their order.
  static std::vector<work_outcome> read(const std::vector<request>& requests,
                                        const postgres_rows& rows);
};

} // namespace troupe
