#include "nodes/store/sqlite_work_queries.hpp"

#include <algorithm>

#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_work_rows.hpp"

namespace troupe {

namespace {

/// One statement, so that work which goes from one table to another meanwhile
/// is found in one of them.
std::string find_statement() {
  std::string result;
  for (auto state : {work_state::claimed, work_state::succeeded,
                     work_state::waiting, work_state::dead}) {
    if (!result.empty())
      result += " UNION ALL ";
    result += "SELECT " + view_columns(state) + " FROM " + table_of(state)
              + " WHERE id = ?1";
  }
  return result;
}

/// The same of what `read_item` reads, with arguments that are elsewhere.
std::string item_statement() {
  std::string result;
  for (auto state :
       {work_state::claimed, work_state::waiting, work_state::dead}) {
    if (!result.empty())
      result += " UNION ALL ";
    result += std::string{"SELECT "} + item_columns + " FROM " + table_of(state)
              + " WHERE id = ?1";
  }
  return "SELECT id, target, priority, due_ms, expires_ms, accepted_ms, "
         "attempts_max, rest, coalesce(body, "
         "(SELECT b.body FROM work_body b WHERE b.id = ?1)) FROM ("
         + result + ")";
}

} // namespace

sqlite_work_queries::sqlite_work_queries(SQLite::Database& db)
  : db_(db), find_(db_, find_statement()), item_(db_, item_statement()),
    count_(db_, "SELECT 0, lane, count(*), min(accepted_ms) FROM work_waiting "
                "INDEXED BY work_waiting_lane GROUP BY lane UNION ALL "
                "SELECT 1, lane, count(*), 0 FROM work_claimed "
                "GROUP BY lane UNION ALL "
                "SELECT 4, lane, count(*), 0 FROM work_dead "
                "INDEXED BY work_dead_lane GROUP BY lane ORDER BY lane"),
    next_lane_(db_, "SELECT lane FROM work_waiting INDEXED BY work_next "
                    "WHERE lane > ?1 ORDER BY lane LIMIT 1"),
    next_priority_(db_, "SELECT priority, due_ms FROM work_waiting "
                        "INDEXED BY work_next "
                        "WHERE lane = ?1 AND priority < ?2 "
                        "ORDER BY priority DESC, due_ms LIMIT 1"),
    claimants_(db_, "SELECT DISTINCT claimed_by FROM work_claimed "
                    "ORDER BY claimed_by") {}

std::optional<work_view> sqlite_work_queries::find(invocation_id id) {
  auto bytes = to_bytes(id);
  bind_bytes(find_, 1, bytes);
  sqlite_query row{find_};
  return row.next() ? std::optional{read_view(row)} : std::nullopt;
}

std::optional<work_item> sqlite_work_queries::item(invocation_id id) {
  auto bytes = to_bytes(id);
  bind_bytes(item_, 1, bytes);
  sqlite_query row{item_};
  return row.next() ? std::optional{read_item(row).item} : std::nullopt;
}

std::vector<work_view> sqlite_work_queries::list(const work_selection& which) {
  work_selection_query query{db_, which, view_columns(which.state)};
  std::vector<work_view> result;
  for (sqlite_query row{query.statement()}; row.next();)
    result.push_back(read_view(row));
  return result;
}

std::vector<work_count> sqlite_work_queries::count() {
  std::vector<work_count> result;
  for (sqlite_query row{count_}; row.next();) {
    auto lane = view_of(row.column(1));
    if (result.empty() || result.back().lane != lane)
      result.push_back({std::string{lane}});
    auto& to = result.back();
    auto n = static_cast<uint64_t>(row.number(2));
    switch (static_cast<work_state>(row.number(0))) {
    case work_state::waiting:
      to.waiting = n;
      to.oldest = to_time(row.number(3));
      break;
    case work_state::claimed:
      to.claimed = n;
      break;
    default:
      to.dead = n;
    }
  }
  return result;
}

std::vector<work_lane> sqlite_work_queries::lanes(std::string after,
                                                  size_t limit) {
  std::vector<work_lane> result;
  while (result.size() < limit) {
    next_lane_.bindNoCopy(1, after);
    {
      sqlite_query row{next_lane_};
      if (!row.next())
        break;
      // What is bound must not change under the statement.
      result.push_back({row.bytes(0)});
    }
    after = result.back().name;
    if (auto due = first_due(after))
      result.back().due = *due;
    else
      result.pop_back(); // it was claimed meanwhile
  }
  return result;
}

std::optional<work_time>
sqlite_work_queries::first_due(const std::string& lane) {
  std::optional<work_time> result;
  int64_t priority = work_priority_max + 1;
  for (;;) {
    next_priority_.bindNoCopy(1, lane);
    next_priority_.bind(2, priority);
    sqlite_query row{next_priority_};
    if (!row.next())
      return result;
    priority = row.number(0);
    auto due = to_time(row.number(1));
    result = std::min(result.value_or(due), due);
  }
}

std::vector<std::string> sqlite_work_queries::claimants() {
  std::vector<std::string> result;
  for (sqlite_query row{claimants_}; row.next();)
    result.push_back(row.bytes(0));
  return result;
}

} // namespace troupe
