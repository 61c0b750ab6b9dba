// Files of every earlier version of the tables open, with all that was in them.
// What a version was is written out here and never changes.

#include <filesystem>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

/// One version of the tables, with content: ann's cart at revision 3, and a
/// hundred long ones.
struct schema_version {
  int number;
  const char* sql;
};

constexpr schema_version versions[] = {
  {1, R"(
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
INSERT INTO fence VALUES (0, 5);
INSERT INTO entity VALUES ('cart', 'ann', 3, '{"a":1}');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO entity SELECT 'long', 'k' || i, i, hex(zeroblob(2000)) FROM n;
PRAGMA application_id=1416786021;
PRAGMA user_version=1;
)"},
  {2, R"(
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
CREATE TABLE entity_2 (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema   INTEGER NOT NULL,
  token    BLOB,
  state    TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
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
INSERT INTO fence VALUES (0, 5);
INSERT INTO entity (service, key, revision, schema, state)
  VALUES ('cart', 'ann', 3, 1, '{"a":1}');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO entity (service, key, revision, schema, state)
    SELECT 'long', 'k' || i, i, 1, hex(zeroblob(2000)) FROM n;
PRAGMA application_id=1416786021;
PRAGMA user_version=2;
)"},
  {3, R"(
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
CREATE TABLE entity_2 (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema   INTEGER NOT NULL,
  token    BLOB,
  state    TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
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
INSERT INTO shards VALUES (0, 16, 2);
INSERT INTO fence VALUES (0, 5);
INSERT INTO entity (service, key, revision, schema, state)
  VALUES ('cart', 'ann', 3, 1, '{"a":1}');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO entity (service, key, revision, schema, state)
    SELECT 'long', 'k' || i, i, 1, hex(zeroblob(2000)) FROM n;
PRAGMA application_id=1416786021;
PRAGMA user_version=3;
)"},
  {4, R"(
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
CREATE TABLE entity_2 (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema   INTEGER NOT NULL,
  token    BLOB,
  state    TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
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
CREATE TABLE lock (
  name              TEXT PRIMARY KEY,
  token             INTEGER NOT NULL,
  holder            TEXT NOT NULL,
  ttl_ms            INTEGER NOT NULL,
  boot              TEXT NOT NULL,
  end_since_boot_ms INTEGER NOT NULL,
  end_wall_ms       INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO lock VALUES ('door', 7, '', 1000, '', 0, 0);
INSERT INTO shards VALUES (0, 16, 2);
INSERT INTO fence VALUES (0, 5);
INSERT INTO entity (service, key, revision, schema, state)
  VALUES ('cart', 'ann', 3, 1, '{"a":1}');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO entity (service, key, revision, schema, state)
    SELECT 'long', 'k' || i, i, 1, hex(zeroblob(2000)) FROM n;
PRAGMA application_id=1416786021;
PRAGMA user_version=4;
)"},
  {5, R"(
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
CREATE TABLE entity_2 (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema   INTEGER NOT NULL,
  token    BLOB,
  state    TEXT,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
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
CREATE TABLE lock (
  name              TEXT PRIMARY KEY,
  token             INTEGER NOT NULL,
  holder            TEXT NOT NULL,
  ttl_ms            INTEGER NOT NULL,
  boot              TEXT NOT NULL,
  end_since_boot_ms INTEGER NOT NULL,
  end_wall_ms       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE work_waiting (
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
);
CREATE TABLE work_claimed (
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
) WITHOUT ROWID;
CREATE TABLE work_dead (finished_ms INTEGER NOT NULL,
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
) WITHOUT ROWID;
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
INSERT INTO lock VALUES ('door', 7, '', 1000, '', 0, 0);
INSERT INTO shards VALUES (0, 16, 2);
INSERT INTO fence VALUES (0, 5);
INSERT INTO entity (service, key, revision, schema, state)
  VALUES ('cart', 'ann', 3, 1, '{"a":1}');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO entity (service, key, revision, schema, state)
    SELECT 'long', 'k' || i, i, 1, hex(zeroblob(2000)) FROM n;
PRAGMA application_id=1416786021;
PRAGMA user_version=5;
)"},
};

class sqlite_schema_test : public ::testing::TestWithParam<schema_version> {
protected:
  sqlite_schema_test() {
    SQLite::Database db{file().string(),
                        SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    db.exec("PRAGMA journal_mode=WAL");
    db.exec(GetParam().sql);
  }

  std::filesystem::path file() const { return folder.path() / "data.db"; }

  /// The file's tables and content, as text.
  std::string dump() const {
    SQLite::Database db{file().string()};
    std::string result =
      db.execAndGet("PRAGMA user_version").getString() + "\n";
    SQLite::Statement tables{db, "SELECT type || name || coalesce(sql, '') "
                                 "FROM sqlite_master ORDER BY type, name"};
    while (tables.executeStep())
      result += tables.getColumn(0).getString() + "\n";
    SQLite::Statement rows{db, "SELECT service, key, revision, state "
                               "FROM entity ORDER BY service, key"};
    while (rows.executeStep())
      for (int i = 0; i < 4; ++i)
        result += rows.getColumn(i).getString() + "\n";
    return result;
  }

  uint32_t pages() const {
    SQLite::Database db{file().string()};
    return db.execAndGet("PRAGMA page_count").getUInt();
  }

  testing::temporary_folder folder;
};

INSTANTIATE_TEST_SUITE_P(every_earlier_version, sqlite_schema_test,
                         ::testing::ValuesIn(versions), [](auto& info) {
                           return std::to_string(info.param.number);
                         });

TEST(sqlite_schema, every_earlier_version_is_here) {
  ASSERT_EQ(std::ssize(versions), data_schema().version() - 1);
  for (int i = 0; i < std::ssize(versions); ++i)
    EXPECT_EQ(versions[i].number, i + 1);
}

TEST_P(sqlite_schema_test, opens_with_all_that_was_in_it) {
  sqlite_store store{folder.path()};
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value(),
            (stored_state{3, R"({"a":1})", 1}));
  auto all = testing::list(store, {"long", "", "", 1000, true}).value();
  ASSERT_EQ(all.size(), 100u);
  for (auto& x : all) {
    EXPECT_EQ(x.key, "k" + std::to_string(x.state.revision));
    EXPECT_EQ(x.state.state, std::string(4000, '0'));
  }
}

TEST_P(sqlite_schema_test, takes_claims_and_commits_afterwards) {
  sqlite_store store{folder.path()};
  auto claimed = testing::claim(store, {"cart", "ann"}, testing::our_token);
  EXPECT_EQ(claimed.value().previous, std::nullopt);
  auto request = testing::change({"cart", "ann"}, 3, "4");
  request.outcomes = {{"id", "", 4, false, "", ""}};
  request.work = {testing::note({1, 1}, "ann", "one")};
  EXPECT_EQ(testing::commit(store, request), commit_outcome::done);
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value().revision, 4u);
}

TEST_P(sqlite_schema_test, has_the_tables_of_a_new_file_afterwards) {
  auto tables = [](const std::filesystem::path& folder) {
    std::make_unique<sqlite_store>(folder).reset();
    SQLite::Database db{(folder / "data.db").string()};
    std::string result = db.execAndGet("PRAGMA user_version").getString();
    SQLite::Statement all{db, "SELECT type || name || coalesce(sql, '') "
                              "FROM sqlite_master ORDER BY type, name"};
    while (all.executeStep())
      result += all.getColumn(0).getString();
    return result;
  };
  testing::temporary_folder fresh;
  EXPECT_EQ(tables(folder.path()), tables(fresh.path()));
}

TEST_P(sqlite_schema_test, stays_as_it_was_when_the_migration_fails_midway) {
  auto before = dump();
  sqlite_options options;
  options.pages_max = pages(); // no step can do with none more
  try {
    sqlite_store store{folder.path(), options};
    FAIL() << "there was room";
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason().code(), errc::store_unavailable);
    EXPECT_THAT(e.reason().message(), ::testing::HasSubstr("full"));
  }
  EXPECT_EQ(dump(), before);
  sqlite_store store{folder.path()};
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value().revision, 3u);
}

} // namespace
} // namespace troupe
