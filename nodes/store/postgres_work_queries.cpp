#include "nodes/store/postgres_work_queries.hpp"

#include "nodes/store/postgres_work_rows.hpp"

namespace troupe {

namespace {

constexpr postgres_statement find_work{
  "work_find",
  "SELECT " TROUPE_WORK_CLAIMED_VIEW " FROM work_claimed WHERE id = $1::uuid "
  "UNION ALL "
  "SELECT " TROUPE_WORK_DONE_VIEW " FROM work_done WHERE id = $1::uuid "
  "UNION ALL "
  "SELECT " TROUPE_WORK_WAITING_VIEW " FROM work_waiting WHERE id = $1::uuid "
  "UNION ALL "
  "SELECT " TROUPE_WORK_DEAD_VIEW " FROM work_dead WHERE id = $1::uuid"};

#define TROUPE_ITEM(table)                                                     \
  "SELECT " TROUPE_WORK_ITEM ", body FROM " table " WHERE id = $1::uuid"

constexpr postgres_statement find_item{
  "work_item",
  "SELECT " TROUPE_WORK_ITEM ", coalesce(body, "
  "(SELECT b.body FROM work_body b WHERE b.id = $1::uuid)) FROM "
  "(" TROUPE_ITEM("work_claimed") " UNION ALL " TROUPE_ITEM(
    "work_waiting") " UNION ALL " TROUPE_ITEM("work_dead") ") AS x"};

#undef TROUPE_ITEM

#define TROUPE_LIST(view, table)                                               \
  "SELECT " view " FROM " table                                                \
  " WHERE id >= $1::uuid AND id <= $2::uuid ORDER BY id LIMIT $3::bigint"

#define TROUPE_LIST_LANE(view, table)                                          \
  "SELECT " view " FROM " table                                                \
  " WHERE lane = $4::bytea AND uuid_send(id) >= $1::bytea "                    \
  "AND uuid_send(id) <= $2::bytea ORDER BY uuid_send(id) LIMIT $3::bigint"

constexpr postgres_statement list_waiting{
  "work_list_waiting", TROUPE_LIST(TROUPE_WORK_WAITING_VIEW, "work_waiting")};

constexpr postgres_statement list_waiting_lane{
  "work_list_waiting_lane",
  TROUPE_LIST_LANE(TROUPE_WORK_WAITING_VIEW, "work_waiting")};

constexpr postgres_statement list_claimed{
  "work_list_claimed", TROUPE_LIST(TROUPE_WORK_CLAIMED_VIEW, "work_claimed")};

constexpr postgres_statement list_claimed_lane{
  "work_list_claimed_lane",
  TROUPE_LIST_LANE(TROUPE_WORK_CLAIMED_VIEW, "work_claimed")};

constexpr postgres_statement list_dead{
  "work_list_dead", TROUPE_LIST(TROUPE_WORK_DEAD_VIEW, "work_dead")};

constexpr postgres_statement list_dead_lane{
  "work_list_dead_lane", TROUPE_LIST_LANE(TROUPE_WORK_DEAD_VIEW, "work_dead")};

#undef TROUPE_LIST
#undef TROUPE_LIST_LANE

constexpr postgres_statement count_rows{"work_count", R"(
SELECT 0::bigint, lane, count(*), min(accepted_ms)
FROM work_waiting GROUP BY lane
UNION ALL
SELECT 1, lane, count(*), 0 FROM work_claimed GROUP BY lane
UNION ALL
SELECT 4, lane, count(*), 0 FROM work_dead GROUP BY lane
ORDER BY 2, 1)"};

/// In the order of the index that claims go by: they have marked what is gone
/// there, which in another one is gone through anew.
constexpr postgres_statement find_lanes{"work_lanes", R"(
WITH RECURSIVE l AS (
  (SELECT lane FROM work_waiting WHERE lane > $1::bytea
   ORDER BY lane, priority, due_ms LIMIT 1)
  UNION ALL
  SELECT (SELECT w.lane FROM work_waiting w WHERE w.lane > l.lane
          ORDER BY w.lane, w.priority, w.due_ms LIMIT 1)
  FROM l WHERE l.lane IS NOT NULL
)
SELECT lane, (
  SELECT min(d.due_ms)
  FROM generate_series(0, 9) AS p(priority),
       LATERAL (SELECT w.due_ms FROM work_waiting w
                WHERE w.lane = l.lane AND w.priority = p.priority
                ORDER BY w.due_ms LIMIT 1) d)
FROM l WHERE lane IS NOT NULL LIMIT $2::bigint)"};

constexpr postgres_statement find_claimants{
  "work_claimants",
  "SELECT DISTINCT claimed_by FROM work_claimed ORDER BY claimed_by"};

struct list_statements {
  const postgres_statement& all;
  const postgres_statement& of_lane;
};

list_statements list_of(work_state state) {
  switch (state) {
  case work_state::waiting:
    return {list_waiting, list_waiting_lane};
  case work_state::claimed:
    return {list_claimed, list_claimed_lane};
  default:
    return {list_dead, list_dead_lane};
  }
}

} // namespace

std::vector<const postgres_statement*> postgres_work_queries::statements() {
  return {&find_work,    &find_item,         &list_waiting,  &list_waiting_lane,
          &list_claimed, &list_claimed_lane, &list_dead,     &list_dead_lane,
          &count_rows,   &find_lanes,        &find_claimants};
}

postgres_call postgres_work_queries::find(const invocation_id& id) {
  return {&find_work, {as_bytes(id_bytes(id))}};
}

std::optional<work_view>
postgres_work_queries::read_one(const postgres_rows& x) {
  return x.size() > 0 ? std::optional{read_view(x, 0)} : std::nullopt;
}

postgres_call postgres_work_queries::item(const invocation_id& id) {
  return {&find_item, {as_bytes(id_bytes(id))}};
}

std::optional<work_item>
postgres_work_queries::read_item(const postgres_rows& x) {
  return x.size() > 0 ? std::optional{read_claimed(x, 0).item} : std::nullopt;
}

std::optional<postgres_call>
postgres_work_queries::list(const work_selection& which) {
  auto range = range_of(which);
  if (!range)
    return std::nullopt;
  auto [all, of_lane] = list_of(which.state);
  postgres_call result{&all,
                       {as_bytes(std::move(range->first)),
                        as_bytes(std::move(range->last)),
                        as_limit(which.limit)}};
  if (!which.lane.empty()) {
    result.statement = &of_lane;
    result.arguments.push_back(as_bytes(which.lane));
  }
  return result;
}

std::vector<work_view>
postgres_work_queries::read_list(const postgres_rows& x) {
  std::vector<work_view> result;
  for (int row = 0; row < x.size(); ++row)
    result.push_back(read_view(x, row));
  return result;
}

postgres_call postgres_work_queries::count() {
  return {&count_rows, {}};
}

std::vector<work_count>
postgres_work_queries::read_counts(const postgres_rows& x) {
  std::vector<work_count> result;
  for (int row = 0; row < x.size(); ++row) {
    auto lane = x.bytes(row, 1);
    if (result.empty() || result.back().lane != lane)
      result.push_back({std::move(lane)});
    auto& to = result.back();
    auto n = x.count(row, 2);
    switch (static_cast<work_state>(x.number(row, 0))) {
    case work_state::waiting:
      to.waiting = n;
      to.oldest = work_time{std::chrono::milliseconds{x.number(row, 3)}};
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

postgres_call postgres_work_queries::lanes(const std::string& after,
                                           size_t limit) {
  return {&find_lanes, {as_bytes(after), as_limit(limit)}};
}

std::vector<work_lane>
postgres_work_queries::read_lanes(const postgres_rows& x) {
  std::vector<work_lane> result;
  for (int row = 0; row < x.size(); ++row)
    result.push_back({x.bytes(row, 0),
                      work_time{std::chrono::milliseconds{x.number(row, 1)}}});
  return result;
}

postgres_call postgres_work_queries::claimants() {
  return {&find_claimants, {}};
}

std::vector<std::string>
postgres_work_queries::read_claimants(const postgres_rows& x) {
  std::vector<std::string> result;
  for (int row = 0; row < x.size(); ++row)
    result.push_back(x.bytes(row, 0));
  return result;
}

} // namespace troupe
