// What commits of entities do to the work: it is accepted and withdrawn in their
// transaction, by statements that come after theirs and see which of them were
// done. So no answer has to come in between, and all goes out in one piece.

#pragma once

#include <vector>

#include "nodes/store/postgres_group.hpp"

namespace troupe {

struct postgres_commit_work {
  /// Those of `calls`.
  static std::vector<const postgres_statement*> statements();

  /// What comes after the call of `requests`; none if they bring no work.
  /// @pre as for `postgres_commits`
  static std::vector<postgres_call>
  calls(const std::vector<postgres_commits::request>& requests);
};

} // namespace troupe
