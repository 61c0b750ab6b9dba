// What sqlite_work asks of the tables of work in data.db.

#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace troupe {

struct sqlite_work_statements {
  explicit sqlite_work_statements(SQLite::Database& db);

  // -- accepting -------------------------------------------------------------
  SQLite::Statement highest;
  SQLite::Statement known;
  SQLite::Statement find_key;
  SQLite::Statement add_key;
  SQLite::Statement add_waiting;
  SQLite::Statement add_claimed;
  SQLite::Statement add_body;

  // -- claiming --------------------------------------------------------------
  SQLite::Statement next_priority;
  SQLite::Statement next_due;
  SQLite::Statement read_waiting;
  SQLite::Statement read_body;
  SQLite::Statement to_claimed;
  SQLite::Statement remove_waiting;

  // -- reports ---------------------------------------------------------------
  SQLite::Statement find_claim;
  SQLite::Statement find_left;
  SQLite::Statement last_done;
  SQLite::Statement add_done;
  SQLite::Statement to_waiting;
  SQLite::Statement claimed_to_dead;
  SQLite::Statement remove_claimed;
  SQLite::Statement end_claim;
  SQLite::Statement remove_body;

  // -- what is old -----------------------------------------------------------
  SQLite::Statement claims_of;
  SQLite::Statement expired;
  SQLite::Statement expired_to_claimed;
  SQLite::Statement remove_done;
  SQLite::Statement died;
  SQLite::Statement remove_dead;
  SQLite::Statement remove_keys;

  // -- operators -------------------------------------------------------------
  SQLite::Statement dead_to_waiting;
  SQLite::Statement read_dead;
  SQLite::Statement remove_key;
};

} // namespace troupe
