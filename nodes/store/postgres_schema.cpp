#include "nodes/store/postgres_schema.hpp"

#include <iterator>
#include <string>

#include "actors/core/errors.hpp"

namespace troupe {

namespace {

/// Keys and states are bytes: they are compared as such, and any byte is one.
/// `previous` is the token before the last claim, for who made that claim.
///
/// What is updated in place without a new entry in an index leaves no work for
/// vacuum, if its page has room: hence the fill factors.
constexpr const char* make_entities = R"(
CREATE TABLE entity (
  service  bytea NOT NULL,
  key      bytea NOT NULL,
  revision bigint NOT NULL,
  schema   bigint NOT NULL,
  token    bytea NOT NULL,
  previous bytea,
  state    bytea,
  PRIMARY KEY (service, key)
) WITH (fillfactor = 70);

CREATE TABLE outcome (
  number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service      bytea NOT NULL,
  key          bytea NOT NULL,
  id           bytea NOT NULL,
  recorded_at  timestamptz NOT NULL DEFAULT now(),
  fingerprint  bytea NOT NULL,
  revision     bigint NOT NULL,
  failed       boolean NOT NULL,
  content_type bytea NOT NULL,
  body         bytea NOT NULL,
  UNIQUE (service, key, id)
);
CREATE INDEX outcome_age ON outcome (recorded_at);

CREATE TABLE outbox (
  number       bigint PRIMARY KEY,
  service      bytea NOT NULL,
  key          bytea NOT NULL,
  target       bytea NOT NULL,
  content_type bytea NOT NULL,
  body         bytea NOT NULL
);
)";

/// A sequence would give numbers in another order than that of the commits: a
/// reader could pass a row that is not there yet. Whoever takes numbers here
/// holds the row until it has committed.
constexpr const char* make_outbox_count = R"(
CREATE TABLE outbox_count (
  id   integer PRIMARY KEY CHECK (id = 0),
  last bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO outbox_count VALUES (0, 0);
)";

/// Each shard has a row, once it is known how many there are. `changed` is the
/// version of the table that a row's last move made; 0: it never moved.
constexpr const char* make_cluster = R"(
CREATE TABLE shard (
  id      bigint PRIMARY KEY,
  owner   text NOT NULL,
  epoch   bigint NOT NULL,
  changed bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX shard_changed ON shard (changed);

CREATE TABLE shards (
  id      integer PRIMARY KEY CHECK (id = 0),
  count   bigint NOT NULL,
  version bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO shards VALUES (0, 0, 0);

CREATE TABLE lease (
  incarnation   text COLLATE "C" PRIMARY KEY,
  node          text NOT NULL,
  link_endpoint text NOT NULL,
  http_url      text NOT NULL,
  capacity      bigint NOT NULL,
  zone          text NOT NULL,
  version       text NOT NULL,
  wire_version  bigint NOT NULL,
  settings      text NOT NULL,
  state         bigint NOT NULL,
  counter       bigint NOT NULL
) WITH (fillfactor = 50);
)";

/// A row is never removed, for its token must never come back. An empty holder
/// has released it.
constexpr const char* add_locks = R"(
CREATE TABLE lock (
  name   text COLLATE "C" PRIMARY KEY,
  token  bigint NOT NULL,
  holder text NOT NULL,
  ttl_ms bigint NOT NULL,
  end_ms bigint NOT NULL
) WITH (fillfactor = 50);
)";

/// Work that is done later: a table for each state, as in SQLite. What is under
/// way and what waits are queues, of which every row is removed: they are
/// vacuumed by how many were, and not by which part of the table that is.
///
/// An id is found by one index only: in the others it is another expression. A
/// planner that sees a table with few rows takes any index that has a column, be
/// it the last one, and its plan is kept when the rows are many.
#define TROUPE_WORK_COLUMNS                                                    \
  "accepted_ms  bigint NOT NULL,"                                              \
  "due_ms       bigint NOT NULL,"                                              \
  "expires_ms   bigint NOT NULL,"                                              \
  "attempts     bigint NOT NULL,"                                              \
  "attempts_max bigint NOT NULL,"                                              \
  "priority     smallint NOT NULL,"                                            \
  "id           uuid PRIMARY KEY,"                                             \
  "lane         bytea NOT NULL,"                                               \
  "claimed_by   bytea NOT NULL,"                                               \
  "target       bytea NOT NULL,"                                               \
  "key          bytea,"                                                        \
  "rest         bytea NOT NULL,"                                               \
  "answer_type  bytea NOT NULL,"                                               \
  "answer       bytea NOT NULL,"                                               \
  "body         bytea"

#define TROUPE_WORK_VACUUM                                                     \
  "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,"      \
  "autovacuum_vacuum_threshold = 20000"

constexpr const char* add_work =
  "CREATE TABLE work_waiting (" TROUPE_WORK_COLUMNS ") "
  "WITH (" TROUPE_WORK_VACUUM ");"
  "CREATE TABLE work_claimed (" TROUPE_WORK_COLUMNS ") "
  "WITH (" TROUPE_WORK_VACUUM ");"
  "CREATE TABLE work_dead (" TROUPE_WORK_COLUMNS ", "
  "finished_ms bigint NOT NULL);"
  R"(
CREATE INDEX work_next ON work_waiting (lane, priority, due_ms, uuid_send(id));
CREATE INDEX work_expiring ON work_waiting (expires_ms);
CREATE INDEX work_waiting_lane ON work_waiting (lane, uuid_send(id))
  INCLUDE (accepted_ms);
CREATE INDEX work_dead_lane ON work_dead (lane, uuid_send(id));
CREATE INDEX work_died ON work_dead (finished_ms);

CREATE TABLE work_done (
  accepted_ms bigint NOT NULL,
  finished_ms bigint NOT NULL,
  attempts    bigint NOT NULL,
  priority    smallint NOT NULL,
  state       smallint NOT NULL,
  id          uuid PRIMARY KEY,
  claimed_by  bytea NOT NULL,
  target      bytea NOT NULL,
  answer_type bytea NOT NULL,
  answer      bytea NOT NULL
);
CREATE INDEX work_finished ON work_done (finished_ms);

CREATE TABLE work_body (
  id   uuid PRIMARY KEY,
  body bytea NOT NULL
);

CREATE TABLE work_key (
  accepted_ms bigint NOT NULL,
  repeats     bigint NOT NULL,
  id          uuid NOT NULL,
  target      bytea NOT NULL,
  key         bytea NOT NULL,
  fingerprint bytea NOT NULL,
  PRIMARY KEY (target, key)
) WITH (fillfactor = 90);
CREATE INDEX work_key_age ON work_key (accepted_ms);
)";

#undef TROUPE_WORK_COLUMNS
#undef TROUPE_WORK_VACUUM

/// Entities have reminders. What leaves an entity with its commit is work; nobody
/// has read the outbox. Nodes of the version before this one must be stopped
/// first: their commits write to it.
constexpr const char* add_reminders = R"(
ALTER TABLE entity ADD COLUMN reminders bytea;
DROP TABLE outbox, outbox_count;
)";

constexpr const char* steps[]{
  make_entities, make_outbox_count, make_cluster,
  add_locks,     add_work,          add_reminders,
};

constexpr int64_t newest = std::size(steps);

/// Of nodes that migrate at once. The number is "Troupe" in ASCII.
constexpr const char* take_turns =
  "SELECT pg_advisory_xact_lock(92850472972389)";

error wrong_database(const std::string& why) {
  return {errc::store_unavailable,
          "the schema 'troupe' of the database " + why};
}

bool exists(postgres_connection& db, const std::string& question) {
  return !db.execute(question).empty();
}

/// 0 if there is none yet.
int64_t schema_version(postgres_connection& db) {
  if (!exists(db, "SELECT 1 FROM pg_tables WHERE schemaname = 'troupe' AND "
                  "tablename = 'schema_version'"))
    return 0;
  auto version = std::stoll(
    db.execute("SELECT version FROM troupe.schema_version").at(0)[0]);
  if (version < 1 || version > newest)
    throw error_exception{wrong_database(
      "was written by a newer Troupe (version " + std::to_string(version)
      + ", this one knows " + std::to_string(newest) + ")")};
  return version;
}

void migrate(postgres_connection& db) {
  db.execute(take_turns);
  auto version = schema_version(db); // nobody else is at it now
  if (version == 0
      && exists(db, "SELECT 1 FROM pg_tables WHERE schemaname = 'troupe'"))
    throw error_exception{wrong_database("is of something else than Troupe")};
  if (version == 0
      && !exists(db, "SELECT 1 FROM pg_namespace WHERE nspname = 'troupe'"))
    db.execute("CREATE SCHEMA troupe");
  db.execute("SET LOCAL search_path = troupe");
  if (version == 0)
    db.execute("CREATE TABLE schema_version (version bigint NOT NULL);"
               "INSERT INTO schema_version VALUES (0)");
  for (; version < newest; ++version)
    db.execute(steps[version]);
  db.execute("UPDATE schema_version SET version = " + std::to_string(version));
}

} // namespace

std::span<const char* const> postgres_schema_steps() noexcept {
  return steps;
}

void migrate_schema(postgres_connection& db) {
  if (schema_version(db) == newest)
    return;
  db.execute("BEGIN");
  try {
    migrate(db);
    db.execute("COMMIT");
  } catch (...) {
    db.close();
    throw;
  }
}

} // namespace troupe
