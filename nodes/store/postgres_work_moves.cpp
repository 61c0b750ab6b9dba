#include "nodes/store/postgres_work_moves.hpp"

#include <set>

#include "nodes/store/postgres_work_rows.hpp"
#include "nodes/store/work_rules.hpp"

namespace troupe {

namespace {

using element = postgres_array::element;

// -- claims ------------------------------------------------------------------

/// Each priority of a lane is looked at in turn, and no row after the last one
/// that is taken: what is not due yet, however much, is not gone through. Of a
/// thousand that expired a claim takes none: the rest is there when they are
/// buried. Rows that another node takes at this moment are passed over.
constexpr postgres_statement claim_due{"work_claim", R"(
WITH due AS MATERIALIZED (
  SELECT q.place, d.id
  FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY
         AS q(lane, most, place),
       LATERAL (
         SELECT e.id
         FROM generate_series(9, 0, -1) AS p(priority),
              LATERAL (
                SELECT n.id
                FROM (SELECT w.id, w.expires_ms FROM work_waiting w
                      WHERE w.lane = q.lane AND w.priority = p.priority
                        AND w.due_ms <= $4::bigint
                      ORDER BY w.due_ms, uuid_send(w.id) LIMIT q.most + 1000
                      FOR UPDATE SKIP LOCKED) n
                WHERE n.expires_ms >= $4::bigint) e
         LIMIT q.most) d
), taken AS (
  DELETE FROM work_waiting w USING due d WHERE w.id = ANY (ARRAY[d.id])
  RETURNING d.place, w.id, w.lane, w.priority, w.due_ms, w.expires_ms,
    w.accepted_ms, w.attempts + 1 AS attempts, w.attempts_max,
    $3::bytea AS claimed_by, w.target, w.key, w.rest, w.answer_type, w.answer,
    w.body
), claimed AS (
  INSERT INTO work_claimed ()" TROUPE_WORK_ROW R"()
  SELECT )" TROUPE_WORK_ROW R"( FROM taken
)
SELECT )" TROUPE_WORK_ITEM R"(,
  CASE WHEN body IS NULL
       THEN (SELECT b.body FROM work_body b WHERE b.id = taken.id)
       ELSE body END
FROM taken ORDER BY place, priority DESC, due_ms, id)"};

static_assert(work_priority_max == 9);

// -- what is old -------------------------------------------------------------

/// In the order in which reports take them, so that neither waits for the other.
constexpr postgres_statement give_back_claims{"work_give_back", R"(
WITH gone AS MATERIALIZED (
  SELECT id FROM work_claimed WHERE claimed_by = $1::bytea
  ORDER BY id LIMIT $3::bigint FOR UPDATE
), taken AS (
  DELETE FROM work_claimed c USING gone g WHERE c.id = ANY (ARRAY[g.id])
  RETURNING c.*
), waits AS (
  INSERT INTO work_waiting ()" TROUPE_WORK_ROW R"()
  SELECT id, lane, priority, $2::bigint,
         CASE WHEN attempts < attempts_max THEN expires_ms ELSE $4::bigint END,
         accepted_ms, attempts, attempts_max, claimed_by, target, key, rest,
         answer_type, answer, body
  FROM taken
)
SELECT count(*) FROM taken)"};

constexpr postgres_statement claim_late{"work_claim_expired", R"(
WITH expired AS MATERIALIZED (
  SELECT id FROM work_waiting WHERE expires_ms < $2::bigint
  ORDER BY expires_ms LIMIT $3::bigint FOR UPDATE SKIP LOCKED
), taken AS (
  DELETE FROM work_waiting w USING expired e WHERE w.id = ANY (ARRAY[e.id])
  RETURNING w.id, w.lane, w.priority, w.due_ms, w.expires_ms, w.accepted_ms,
    w.attempts, w.attempts_max, $1::bytea AS claimed_by, w.target, w.key,
    w.rest, w.answer_type, w.answer, w.body
), claimed AS (
  INSERT INTO work_claimed ()" TROUPE_WORK_ROW R"()
  SELECT )" TROUPE_WORK_ROW R"( FROM taken
)
SELECT )" TROUPE_WORK_ITEM R"(,
  CASE WHEN body IS NULL
       THEN (SELECT b.body FROM work_body b WHERE b.id = taken.id)
       ELSE body END
FROM taken ORDER BY expires_ms, id)"};

constexpr postgres_statement forget_rows{"work_forget", R"(
WITH old_done AS MATERIALIZED (
  SELECT id FROM work_done WHERE finished_ms < $1::bigint
  ORDER BY finished_ms LIMIT $4::bigint FOR UPDATE SKIP LOCKED
), old_dead AS MATERIALIZED (
  SELECT id FROM work_dead WHERE finished_ms < $2::bigint
  ORDER BY finished_ms LIMIT $4::bigint FOR UPDATE SKIP LOCKED
), old_keys AS MATERIALIZED (
  SELECT target, key FROM work_key WHERE accepted_ms < $3::bigint
  ORDER BY accepted_ms LIMIT $4::bigint FOR UPDATE SKIP LOCKED
), finished AS (
  DELETE FROM work_done d USING old_done o WHERE d.id = ANY (ARRAY[o.id])
  RETURNING 1
), died AS (
  DELETE FROM work_dead d USING old_dead o WHERE d.id = ANY (ARRAY[o.id])
  RETURNING d.id, d.body IS NULL AS is_long
), bodies AS (
  DELETE FROM work_body b USING died d
  WHERE d.is_long AND b.id = ANY (ARRAY[d.id])
), keys AS (
  DELETE FROM work_key k USING old_keys o
  WHERE k.target = ANY (ARRAY[o.target]) AND k.key = ANY (ARRAY[o.key])
  RETURNING 1
)
SELECT (SELECT count(*) FROM finished) + (SELECT count(*) FROM died)
       + (SELECT count(*) FROM keys))"};

// -- operators ---------------------------------------------------------------

/// Work of $1 to $2, $3 at most; of the lane $4.
#define TROUPE_SELECTED(table)                                                 \
  "SELECT id FROM " table " WHERE id >= $1::uuid AND id <= $2::uuid "          \
  "ORDER BY id LIMIT $3::bigint FOR UPDATE"

#define TROUPE_SELECTED_LANE(table)                                            \
  "SELECT id FROM " table " WHERE lane = $4::bytea "                           \
  "AND uuid_send(id) >= $1::bytea AND uuid_send(id) <= $2::bytea "             \
  "ORDER BY uuid_send(id) LIMIT $3::bigint FOR UPDATE"

#define TROUPE_REDRIVE(selected, now, expires)                                 \
  "WITH selected AS MATERIALIZED (" selected "), taken AS ("                   \
  "DELETE FROM work_dead d USING selected s WHERE d.id = ANY (ARRAY[s.id]) "   \
  "RETURNING d.*), waits AS ("                                                 \
  "INSERT INTO work_waiting (" TROUPE_WORK_ROW ") "                            \
  "SELECT id, lane, priority, " now ", " expires                               \
  ", accepted_ms, 0, attempts_max, '', target, key, rest, answer_type, "       \
  "answer, body FROM taken) SELECT count(*) FROM taken"

constexpr postgres_statement redrive_all{
  "work_redrive",
  TROUPE_REDRIVE(TROUPE_SELECTED("work_dead"), "$4::bigint", "$5::bigint")};

constexpr postgres_statement redrive_lane{
  "work_redrive_lane", TROUPE_REDRIVE(TROUPE_SELECTED_LANE("work_dead"),
                                      "$5::bigint", "$6::bigint")};

constexpr postgres_statement purge_waiting{
  "work_purge_waiting",
  TROUPE_WORK_PURGE("work_waiting", TROUPE_SELECTED("work_waiting"))};

constexpr postgres_statement purge_waiting_lane{
  "work_purge_waiting_lane",
  TROUPE_WORK_PURGE("work_waiting", TROUPE_SELECTED_LANE("work_waiting"))};

constexpr postgres_statement purge_dead{
  "work_purge_dead",
  TROUPE_WORK_PURGE("work_dead", TROUPE_SELECTED("work_dead"))};

constexpr postgres_statement purge_dead_lane{
  "work_purge_dead_lane",
  TROUPE_WORK_PURGE("work_dead", TROUPE_SELECTED_LANE("work_dead"))};

#undef TROUPE_SELECTED
#undef TROUPE_SELECTED_LANE
#undef TROUPE_REDRIVE

/// Nothing if there can be no such work.
std::vector<postgres_call> call_of(const work_selection& which,
                                   const postgres_statement& all,
                                   const postgres_statement& of_lane,
                                   std::vector<postgres_value> more) {
  auto range = range_of(which);
  if (!range)
    return {};
  postgres_call result{&all,
                       {as_bytes(std::move(range->first)),
                        as_bytes(std::move(range->last)),
                        as_limit(which.limit)}};
  if (!which.lane.empty()) {
    result.statement = &of_lane;
    result.arguments.push_back(as_bytes(which.lane));
  }
  for (auto& x : more)
    result.arguments.push_back(std::move(x));
  return {result};
}

} // namespace

std::vector<const postgres_statement*> postgres_work_moves::statements() {
  return {&claim_due,   &give_back_claims, &claim_late,    &forget_rows,
          &redrive_all, &redrive_lane,     &purge_waiting, &purge_waiting_lane,
          &purge_dead,  &purge_dead_lane};
}

std::vector<postgres_call>
postgres_work_moves::claim(const std::string& claimed_by,
                           const std::vector<work_quota>& quotas,
                           work_time now) {
  std::vector<postgres_call> result;
  for (size_t i = 0; i < quotas.size();) {
    postgres_array lane{element::bytea};
    postgres_array most{element::int8};
    std::set<std::string_view> lanes;
    for (; i < quotas.size() && lanes.insert(quotas[i].lane).second; ++i) {
      lane.add(quotas[i].lane);
      most.add(uint64_t{quotas[i].most});
    }
    result.push_back(
      {&claim_due,
       {lane.take(), most.take(), as_bytes(claimed_by), as_int8(now)}});
  }
  return result;
}

std::vector<claimed_work>
postgres_work_moves::read_claims(const std::vector<postgres_rows>& xs) {
  std::vector<claimed_work> result;
  for (auto& x : xs)
    for (int row = 0; row < x.size(); ++row)
      result.push_back(read_claimed(x, row));
  return result;
}

postgres_call postgres_work_moves::give_back(const std::string& claimed_by,
                                             work_time now, size_t limit) {
  return {&give_back_claims,
          {as_bytes(claimed_by), as_int8(now), as_limit(limit),
           as_int8(no_time_left)}};
}

postgres_call postgres_work_moves::claim_expired(const std::string& claimed_by,
                                                 work_time now, size_t limit) {
  return {&claim_late, {as_bytes(claimed_by), as_int8(now), as_limit(limit)}};
}

postgres_call postgres_work_moves::forget(work_time finished, work_time died,
                                          work_time now, size_t limit) {
  return {&forget_rows,
          {as_int8(finished), as_int8(died),
           as_int8(now - work_queue::key_retention), as_limit(limit)}};
}

std::vector<postgres_call>
postgres_work_moves::redrive(const work_selection& which, work_time now,
                             work_time expires) {
  return call_of(which, redrive_all, redrive_lane,
                 {as_int8(now), as_int8(expires)});
}

std::vector<postgres_call>
postgres_work_moves::purge(const work_selection& which) {
  if (which.state == work_state::dead)
    return call_of(which, purge_dead, purge_dead_lane, {});
  return call_of(which, purge_waiting, purge_waiting_lane, {});
}

} // namespace troupe
