#include "nodes/store/sqlite_schema.hpp"

#include <string>

#include "nodes/store/sqlite_connection.hpp"

namespace troupe {

namespace {

/// An entity is a revision and a state. `fence` is what is written over a
/// transaction that failed in its COMMIT.
void make_entities(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE entity (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  state    TEXT NOT NULL,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
INSERT INTO fence VALUES (0, 0);
)");
}

/// Entities can be claimed and deleted; outcomes and messages that leave are
/// kept beside them. The state is the last column, so that what stands before
/// it can be read without it.
void add_claims_outcomes_and_outbox(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE entity_2 (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema   INTEGER NOT NULL,
  token    BLOB,
  state    TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
INSERT INTO entity_2 (service, key, revision, schema, state)
  SELECT service, key, revision, 1, state FROM entity;
DROP TABLE entity;
ALTER TABLE entity_2 RENAME TO entity;
CREATE INDEX uncommitted ON entity (service, key) WHERE revision = 0;
CREATE TABLE outcome (
  number       INTEGER PRIMARY KEY,
  service      TEXT NOT NULL,
  key          TEXT NOT NULL,
  id           TEXT NOT NULL,
  recorded_at  INTEGER NOT NULL,
  fingerprint  BLOB NOT NULL,
  revision     INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  UNIQUE (service, key, id)
);
CREATE TABLE outbox (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  service      TEXT NOT NULL,
  key          TEXT NOT NULL,
  target       TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL
);
)");
}

/// Who owns which shard: shards that have never moved have no row. `changed` is
/// the version of the table that a row's last move made.
void add_shards(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE shard (
  id      INTEGER PRIMARY KEY,
  owner   TEXT NOT NULL,
  epoch   INTEGER NOT NULL,
  changed INTEGER NOT NULL
);
CREATE INDEX shard_changed ON shard (changed);
CREATE TABLE shards (
  id      INTEGER PRIMARY KEY CHECK (id = 0),
  count   INTEGER NOT NULL,
  version INTEGER NOT NULL
);
INSERT INTO shards VALUES (0, 0, 0);
)");
}

/// Who holds which lock; see model/lock_record.hpp. A row is never removed, for
/// its token must never come back.
void add_locks(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE lock (
  name              TEXT PRIMARY KEY,
  token             INTEGER NOT NULL,
  holder            TEXT NOT NULL,
  ttl_ms            INTEGER NOT NULL,
  boot              TEXT NOT NULL,
  end_since_boot_ms INTEGER NOT NULL,
  end_wall_ms       INTEGER NOT NULL
) WITHOUT ROWID;
)");
}

/// Work that is done later; see sqlite_work.hpp. What is read last comes at the
/// end of a row. What waits, which may be much, has row ids: its tree would be
/// deep with rows as keys.
void add_work(SQLite::Database& db) {
  std::string columns = R"(
  id           BLOB PRIMARY KEY,
  lane         TEXT NOT NULL,
  priority     INTEGER NOT NULL,
  due_ms       INTEGER NOT NULL,
  expires_ms   INTEGER NOT NULL,
  accepted_ms  INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  claimed_by   TEXT NOT NULL,
  target       BLOB NOT NULL,
  rest         BLOB NOT NULL,
  answer_type  TEXT NOT NULL,
  answer       BLOB NOT NULL,
  body         BLOB
)";
  db.exec("CREATE TABLE work_waiting (" + columns + ")");
  db.exec("CREATE TABLE work_claimed (" + columns + ") WITHOUT ROWID");
  db.exec("CREATE TABLE work_dead (finished_ms INTEGER NOT NULL," + columns
          + ") WITHOUT ROWID");
  db.exec(R"(
CREATE INDEX work_next ON work_waiting (lane, priority DESC, due_ms, id);
CREATE INDEX work_expiring ON work_waiting (expires_ms);
CREATE INDEX work_waiting_lane ON work_waiting (lane, id, accepted_ms);
CREATE INDEX work_dead_lane ON work_dead (lane, id);
CREATE INDEX work_died ON work_dead (finished_ms);
CREATE TABLE work_done (
  number      INTEGER PRIMARY KEY,
  id          BLOB NOT NULL UNIQUE,
  target      BLOB NOT NULL,
  priority    INTEGER NOT NULL,
  accepted_ms INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  claimed_by  TEXT NOT NULL,
  state       INTEGER NOT NULL,
  answer_type TEXT NOT NULL,
  answer      BLOB NOT NULL
);
CREATE TABLE work_body (
  id   BLOB PRIMARY KEY,
  body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE work_key (
  target      BLOB NOT NULL,
  key         BLOB NOT NULL,
  id          BLOB NOT NULL,
  fingerprint BLOB NOT NULL,
  accepted_ms INTEGER NOT NULL,
  PRIMARY KEY (target, key)
) WITHOUT ROWID;
CREATE INDEX work_key_age ON work_key (accepted_ms);
)");
}

/// Entities have reminders, before the state, which stays the last column. What
/// leaves an entity with its commit is work; nobody has read the outbox.
void add_reminders(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE entity_3 (
  service   TEXT NOT NULL,
  key       TEXT NOT NULL,
  revision  INTEGER NOT NULL,
  schema    INTEGER NOT NULL,
  token     BLOB,
  reminders TEXT,
  state     TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
INSERT INTO entity_3 (service, key, revision, schema, token, state)
  SELECT service, key, revision, schema, token, state FROM entity;
DROP TABLE entity;
ALTER TABLE entity_3 RENAME TO entity;
CREATE INDEX uncommitted ON entity (service, key) WHERE revision = 0;
DROP TABLE outbox;
)");
}

constexpr sqlite_schema::step data_steps[]{
  make_entities, add_claims_outcomes_and_outbox,
  add_shards,    add_locks,
  add_work,      add_reminders,
};

void make_nodes(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE node (
  incarnation TEXT PRIMARY KEY,
  pid         INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  version     TEXT NOT NULL
) WITHOUT ROWID;
)");
}

/// The nodes that share the folder.
void add_leases(SQLite::Database& db) {
  db.exec(R"(
CREATE TABLE lease (
  incarnation   TEXT PRIMARY KEY,
  node          TEXT NOT NULL,
  link_endpoint TEXT NOT NULL,
  http_url      TEXT NOT NULL,
  capacity      INTEGER NOT NULL,
  zone          TEXT NOT NULL,
  version       TEXT NOT NULL,
  wire_version  INTEGER NOT NULL,
  settings      TEXT NOT NULL,
  state         INTEGER NOT NULL,
  counter       INTEGER NOT NULL
) WITHOUT ROWID;
)");
}

constexpr sqlite_schema::step cluster_steps[]{
  make_nodes,
  add_leases,
};

constexpr sqlite_schema data{0x54727065, data_steps};       // "Trpe"
constexpr sqlite_schema cluster{0x54727063, cluster_steps}; // "Trpc"

void check_empty(SQLite::Database& db, const std::filesystem::path& file) {
  if (db.execAndGet("SELECT count(*) FROM sqlite_master").getInt() > 0)
    refuse_file(file, "is a database of something else than Troupe");
}

} // namespace

const sqlite_schema& data_schema() noexcept {
  return data;
}

const sqlite_schema& cluster_schema() noexcept {
  return cluster;
}

int check_schema(SQLite::Database& db, const std::filesystem::path& file,
                 const sqlite_schema& schema) {
  auto version = read_pragma(db, "user_version");
  if (version == 0) {
    check_empty(db, file);
    return 0;
  }
  if (read_pragma(db, "application_id") != schema.application_id)
    refuse_file(file, "is a database of something else than Troupe");
  if (version < 0 || version > schema.version())
    refuse_file(file, "was written by a newer Troupe (schema "
                        + std::to_string(version) + ", this one knows "
                        + std::to_string(schema.version()) + ")");
  return static_cast<int>(version);
}

void migrate_schema(SQLite::Database& db, const std::filesystem::path& file,
                    const sqlite_schema& schema) {
  if (check_schema(db, file, schema) == schema.version())
    return;
  SQLite::Transaction all{db, SQLite::TransactionBehavior::IMMEDIATE};
  auto version = check_schema(db, file, schema); // nobody else is at it now
  if (version == 0)
    db.exec("PRAGMA application_id=" + std::to_string(schema.application_id));
  for (; version < schema.version(); ++version)
    schema.steps[static_cast<size_t>(version)](db);
  db.exec("PRAGMA user_version=" + std::to_string(version));
  all.commit();
}

} // namespace troupe
