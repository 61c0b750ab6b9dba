#include "nodes/store/sqlite_work_statements.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "nodes/store/sqlite_work_rows.hpp"

namespace troupe {

namespace {

constexpr std::string_view row_columns[] = {
  "id",          "lane",        "priority",     "due_ms",     "expires_ms",
  "accepted_ms", "attempts",    "attempts_max", "claimed_by", "target",
  "rest",        "answer_type", "answer",       "body"};

using replacement = std::pair<std::string_view, std::string_view>;

/// Copies the row with the id ?1 from one table to another; what is not to be
/// the same is in `other`.
std::string copy_row(work_state from, work_state to,
                     std::initializer_list<replacement> other) {
  std::string columns;
  std::string values;
  auto add = [&](std::string_view name, std::string_view value) {
    auto comma = columns.empty() ? "" : ", ";
    columns.append(comma).append(name);
    values.append(comma).append(value);
  };
  for (auto name : row_columns) {
    auto i = std::find_if(other.begin(), other.end(),
                          [&](auto& x) { return x.first == name; });
    add(name, i != other.end() ? i->second : name);
  }
  if (to == work_state::dead)
    add("finished_ms", "?2");
  return "INSERT INTO " + std::string{table_of(to)} + " (" + columns
         + ") SELECT " + values + " FROM " + table_of(from) + " WHERE id = ?1";
}

std::string bury_row(work_state from) {
  return copy_row(from, work_state::dead,
                  {{"answer_type", "?3"}, {"answer", "?4"}});
}

std::string add_row(work_state to) {
  return "INSERT INTO " + std::string{table_of(to)}
         + " (id, lane, priority, due_ms, expires_ms, accepted_ms, attempts, "
           "attempts_max, claimed_by, target, rest, answer_type, answer, body) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', x'', "
           "?12)";
}

std::string remove_row(work_state from) {
  return "DELETE FROM " + std::string{table_of(from)} + " WHERE id = ?1";
}

std::string read_row(work_state from, const char* more) {
  return std::string{"SELECT "} + item_columns + more + " FROM "
         + table_of(from) + " WHERE id = ?1";
}

} // namespace

using enum work_state;

sqlite_work_statements::sqlite_work_statements(SQLite::Database& db)
  : highest(db, "SELECT max(id) FROM (SELECT max(id) AS id FROM work_claimed "
                "UNION ALL SELECT max(id) FROM work_done "
                "UNION ALL SELECT max(id) FROM work_waiting "
                "UNION ALL SELECT max(id) FROM work_dead)"),
    known(db, "SELECT 1 FROM work_claimed WHERE id = ?1 UNION ALL "
              "SELECT 1 FROM work_done WHERE id = ?1 UNION ALL "
              "SELECT 1 FROM work_waiting WHERE id = ?1 UNION ALL "
              "SELECT 1 FROM work_dead WHERE id = ?1"),
    find_key(db, "SELECT id, fingerprint FROM work_key "
                 "WHERE target = ?1 AND key = ?2"),
    add_key(db, "INSERT INTO work_key VALUES (?1, ?2, ?3, ?4, ?5)"),
    add_waiting(db, add_row(waiting)), add_claimed(db, add_row(claimed)),
    add_body(db, "INSERT INTO work_body VALUES (?1, ?2)"),
    next_priority(db, "SELECT priority FROM work_waiting "
                      "WHERE lane = ?1 AND priority < ?2 "
                      "ORDER BY priority DESC LIMIT 1"),
    next_due(db, "SELECT id, expires_ms FROM work_waiting "
                 "WHERE lane = ?1 AND priority = ?2 AND due_ms <= ?3 "
                 "ORDER BY due_ms, id"),
    read_waiting(db, read_row(waiting, ", attempts")),
    read_body(db, "SELECT body FROM work_body WHERE id = ?1"),
    to_claimed(db,
               copy_row(waiting, claimed,
                        {{"attempts", "attempts + 1"}, {"claimed_by", "?2"}})),
    remove_waiting(db, remove_row(waiting)),
    find_claim(db, "SELECT target, priority, accepted_ms, body IS NULL "
                   "FROM work_claimed "
                   "WHERE id = ?1 AND claimed_by = ?2 AND attempts = ?3"),
    find_left(db, "SELECT state, attempts, claimed_by, 0 FROM work_done "
                  "WHERE id = ?1 UNION ALL "
                  "SELECT 4, attempts, claimed_by, 0 FROM work_dead "
                  "WHERE id = ?1 UNION ALL "
                  "SELECT 0, attempts, claimed_by, due_ms FROM work_waiting "
                  "WHERE id = ?1"),
    last_done(db, "SELECT number FROM work_done WHERE number BETWEEN ?1 "
                  "AND ?2 ORDER BY number DESC LIMIT 1"),
    add_done(db, "INSERT INTO work_done VALUES "
                 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
    to_waiting(db, copy_row(claimed, waiting,
                            {{"due_ms", "?2"},
                             {"expires_ms", "coalesce(?6, expires_ms)"},
                             {"attempts", "?3"},
                             {"answer_type", "coalesce(?4, answer_type)"},
                             {"answer", "coalesce(?5, answer)"}})),
    claimed_to_dead(db, bury_row(claimed)),
    remove_claimed(db, remove_row(claimed)),
    end_claim(db,
              remove_row(claimed) + " AND claimed_by = ?2 AND attempts = ?3"),
    remove_body(db, "DELETE FROM work_body WHERE id = ?1"),
    claims_of(db, "SELECT id, attempts, attempts_max FROM work_claimed "
                  "WHERE claimed_by = ?1 LIMIT ?2"),
    expired(db, "SELECT id FROM work_waiting WHERE expires_ms < ?1 "
                "ORDER BY expires_ms LIMIT ?2"),
    expired_to_claimed(db, copy_row(waiting, claimed, {{"claimed_by", "?2"}})),
    remove_done(db, "DELETE FROM work_done WHERE number IN "
                    "(SELECT number FROM work_done WHERE number < ?1 "
                    "ORDER BY number LIMIT ?2)"),
    died(db, "SELECT id FROM work_dead WHERE finished_ms < ?1 "
             "ORDER BY finished_ms LIMIT ?2"),
    remove_dead(db, remove_row(dead)),
    remove_keys(db, "DELETE FROM work_key WHERE (target, key) IN "
                    "(SELECT target, key FROM work_key "
                    "WHERE accepted_ms < ?1 ORDER BY accepted_ms LIMIT ?2)"),
    dead_to_waiting(db, copy_row(dead, waiting,
                                 {{"due_ms", "?2"},
                                  {"expires_ms", "?3"},
                                  {"attempts", "0"},
                                  {"claimed_by", "''"}})),
    read_dead(db, read_row(dead, "")),
    remove_key(db, "DELETE FROM work_key "
                   "WHERE target = ?1 AND key = ?2 AND id = ?3") {}

} // namespace troupe
