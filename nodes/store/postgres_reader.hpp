// What a PostgreSQL store is asked without a change of anything. Each query is a
// transaction of its own, so that it sees every commit that was acknowledged
// before it.

#pragma once

#include "actors/core/backends.hpp"
#include "nodes/store/postgres_asker.hpp"

namespace troupe {

/// Thread-safe; callbacks come from its thread.
class postgres_reader {
public:
  template <class T>
  using callback = state_store::callback<T>;

  /// @throws error_exception `store_unavailable`
  explicit postgres_reader(postgres_server& server);

  void load(const entity_id& entity, callback<stored_state> done);

  void find_outcome(const entity_id& entity, const std::string& id,
                    callback<std::optional<recorded_outcome>> done);

  void list(const list_request& request,
            callback<std::vector<listed_entity>> done);

  /// For whoever asks on the same connection.
  postgres_asker& asker() noexcept { return asker_; }

private:
  /// Asks one query, and answers with what `decode` makes of its rows.
  template <class T, class Decode>
  void ask(postgres_call query, callback<T> done, Decode decode);

  postgres_asker asker_;
};

} // namespace troupe
