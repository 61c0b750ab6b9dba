#include "nodes/store/postgres_reader.hpp"

#include <algorithm>

#include "nodes/store/key_prefix.hpp"
#include "nodes/store/postgres_locks.hpp"
#include "nodes/store/postgres_work_queries.hpp"

namespace troupe {

namespace {

constexpr postgres_statement load_entity{
  "load", "SELECT revision, schema, state FROM entity "
          "WHERE service = $1::bytea AND key = $2::bytea"};

constexpr postgres_statement find_recorded{
  "find_outcome", "SELECT fingerprint, revision, failed, content_type, body "
                  "FROM outcome WHERE service = $1::bytea AND "
                  "key = $2::bytea AND id = $3::bytea"};

constexpr postgres_statement list_to_the_end{
  "list_to_the_end",
  "SELECT key, revision, schema, CASE WHEN $3::boolean THEN state END "
  "FROM entity WHERE service = $1::bytea AND key >= $2::bytea "
  "AND state IS NOT NULL ORDER BY key LIMIT $4::bigint"};

constexpr postgres_statement list_range{
  "list_range",
  "SELECT key, revision, schema, CASE WHEN $3::boolean THEN state END "
  "FROM entity WHERE service = $1::bytea AND key >= $2::bytea "
  "AND key < $5::bytea AND state IS NOT NULL ORDER BY key LIMIT $4::bigint"};

/// As PostgreSQL counts.
postgres_value as_limit(uint64_t x) {
  return as_int8(std::min<uint64_t>(x, INT64_MAX));
}

postgres_role reader_role(const postgres_options& options) {
  postgres_role result{
    "reader",
    options.statement_time,
    options.lock_time,
    options.connect_time,
    options.backoff,
    {&load_entity, &find_recorded, &list_to_the_end, &list_range}};
  for (auto x : postgres_lock_table::statements())
    result.statements.push_back(x);
  for (auto x : postgres_work_queries::statements())
    result.statements.push_back(x);
  return result;
}

stored_state read_state(const postgres_rows& x, int row, int column) {
  return {x.count(row, column), x.bytes(row, column + 2),
          static_cast<uint32_t>(x.number(row, column + 1))};
}

} // namespace

postgres_reader::postgres_reader(postgres_server& server)
  : asker_(server, reader_role(server.options()), server.options().queue) {}

template <class T, class Decode>
void postgres_reader::ask(postgres_call query, callback<T> done,
                          Decode decode) {
  asker_.ask({{{std::move(query)}},
              true,
              [done = std::move(done), decode = std::move(decode)](
                expected<std::vector<postgres_rows>> found) {
                if (found)
                  done(decode(found->front()));
                else
                  done(found.error());
              }});
}

void postgres_reader::load(const entity_id& entity,
                           callback<stored_state> done) {
  ask({&load_entity, {as_bytes(entity.service), as_bytes(entity.key)}},
      std::move(done), [](const postgres_rows& x) {
        return x.size() > 0 ? read_state(x, 0, 0) : stored_state{};
      });
}

void postgres_reader::find_outcome(
  const entity_id& entity, const std::string& id,
  callback<std::optional<recorded_outcome>> done) {
  using result = std::optional<recorded_outcome>;
  ask({&find_recorded,
       {as_bytes(entity.service), as_bytes(entity.key), as_bytes(id)}},
      std::move(done), [id](const postgres_rows& x) -> result {
        if (x.size() == 0)
          return std::nullopt;
        return recorded_outcome{id,           x.bytes(0, 0), x.count(0, 1),
                                x.flag(0, 2), x.bytes(0, 3), x.bytes(0, 4)};
      });
}

void postgres_reader::list(const list_request& request,
                           callback<std::vector<listed_entity>> done) {
  // The string that comes right after `after` has one NUL more.
  auto from = request.after < request.prefix
                  || (request.after.empty() && request.prefix.empty())
                ? request.prefix
                : request.after + '\0';
  postgres_call query{&list_to_the_end,
                      {as_bytes(request.service), as_bytes(std::move(from)),
                       as_bool(request.with_states), as_limit(request.limit)}};
  if (auto end = end_of_prefix(request.prefix)) {
    query.statement = &list_range;
    query.arguments.push_back(as_bytes(std::move(*end)));
  }
  ask(std::move(query), std::move(done), [](const postgres_rows& x) {
    std::vector<listed_entity> result;
    for (int i = 0; i < x.size(); ++i)
      result.push_back({x.bytes(i, 0), read_state(x, i, 1)});
    return result;
  });
}

} // namespace troupe
