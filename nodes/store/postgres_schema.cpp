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

constexpr const char* steps[]{
  make_entities,
  make_outbox_count,
  make_cluster,
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
