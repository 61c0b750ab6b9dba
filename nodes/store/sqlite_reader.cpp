#include "nodes/store/sqlite_reader.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "nodes/store/key_prefix.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_locks.hpp"
#include "nodes/store/sqlite_query.hpp"

namespace troupe {

namespace {

/// Questions that the thread takes at once.
constexpr size_t questions_per_turn = 64;

std::string list_statement(const char* comparison) {
  return std::string{"SELECT key, revision, schema, "
                     "CASE WHEN ?4 THEN state END FROM entity "
                     "WHERE service = ?1 AND key "}
         + comparison
         + " ?2 AND key < ?3 AND state IS NOT NULL ORDER BY key LIMIT ?5";
}

} // namespace

// -- queries -----------------------------------------------------------------

sqlite_queries::sqlite_queries(const std::filesystem::path& file,
                               const sqlite_options& options)
  : db_(open_connection(file, options)),
    load_(db_, "SELECT revision, schema, state FROM entity "
               "WHERE service = ?1 AND key = ?2"),
    find_outcome_(db_, "SELECT fingerprint, revision, failed, content_type, "
                       "body FROM outcome "
                       "WHERE service = ?1 AND key = ?2 AND id = ?3"),
    list_from_(db_, list_statement(">=")),
    list_after_(db_, list_statement(">")),
    shards_(db_, "SELECT count, version, shard.id, owner, epoch FROM shards "
                 "LEFT JOIN shard ON changed > ?1"),
    lock_(db_, std::string{"SELECT "} + sqlite_locks::columns
                 + " FROM lock WHERE name = ?1"),
    work_(db_), lock_clock_(options.lock_clock) {}

stored_state sqlite_queries::load(const entity_id& entity) {
  bind_entity(load_, entity);
  sqlite_query found{load_};
  if (!found.next())
    return {};
  return {static_cast<uint64_t>(found.number(0)), found.bytes(2),
          static_cast<uint32_t>(found.number(1))};
}

std::optional<recorded_outcome>
sqlite_queries::find_outcome(const entity_id& entity, const std::string& id) {
  bind_entity(find_outcome_, entity);
  find_outcome_.bindNoCopy(3, id);
  sqlite_query found{find_outcome_};
  if (!found.next())
    return std::nullopt;
  return recorded_outcome{id,
                          found.bytes(0),
                          static_cast<uint64_t>(found.number(1)),
                          found.number(2) != 0,
                          found.bytes(3),
                          found.bytes(4)};
}

std::vector<listed_entity> sqlite_queries::list(const list_request& request) {
  auto from_prefix = request.after < request.prefix;
  auto& statement = from_prefix ? list_from_ : list_after_;
  auto end = end_of_prefix(request.prefix);
  statement.bindNoCopy(1, request.service);
  statement.bindNoCopy(2, from_prefix ? request.prefix : request.after);
  if (end)
    statement.bindNoCopy(3, *end);
  else
    statement.bindNoCopy(3, "", 0); // a blob: greater than every text
  statement.bind(4, static_cast<int>(request.with_states));
  statement.bind(5, as_limit(request.limit));
  std::vector<listed_entity> result;
  for (sqlite_query found{statement}; found.next();)
    result.push_back({found.bytes(0),
                      {static_cast<uint64_t>(found.number(1)), found.bytes(3),
                       static_cast<uint32_t>(found.number(2))}});
  return result;
}

shard_view sqlite_queries::shards(uint64_t version) {
  shards_.bind(1, as_limit(version));
  shard_view result;
  for (sqlite_query found{shards_}; found.next();) {
    result.count = static_cast<uint32_t>(found.number(0));
    result.version = static_cast<uint64_t>(found.number(1));
    if (!found.column(2).isNull())
      result.rows.push_back({static_cast<uint32_t>(found.number(2)),
                             found.bytes(3),
                             static_cast<uint64_t>(found.number(4))});
  }
  return result;
}

lock_row sqlite_queries::find_lock(const std::string& name) {
  lock_.bindNoCopy(1, name);
  sqlite_query found{lock_};
  if (!found.next())
    return {};
  auto record = read_record(found);
  return {record.token, record.left(lock_clock_())};
}

// -- the thread --------------------------------------------------------------

sqlite_reader::sqlite_reader(const std::filesystem::path& file,
                             const sqlite_options& options)
  : queries_(file, options), queue_(options.queue) {}

sqlite_reader::~sqlite_reader() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
}

void sqlite_reader::start() {
  thread_ = std::thread{[this] { work(); }};
}

void sqlite_reader::work() {
  std::vector<job> turn;
  while (queue_.pop(turn, questions_per_turn))
    for (auto& x : turn)
      x(queries_);
}

} // namespace troupe
