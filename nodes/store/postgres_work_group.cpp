#include "nodes/store/postgres_work_group.hpp"

#include <algorithm>
#include <numeric>

#include "nodes/store/postgres_work_rows.hpp"
#include "nodes/store/work_packing.hpp"
#include "nodes/store/work_rules.hpp"

namespace troupe {

namespace {

using element = postgres_array::element;

const invocation_id& id_of(const postgres_work_accepts::request& x) {
  return x.what->item.id;
}

const invocation_id& id_of(const postgres_work_reports::request& x) {
  return x.what->id;
}

/// The places of `requests` in the order of their ids: the n-th row is that of
/// the request at the n-th place.
template <class Request>
std::vector<size_t> by_id(const std::vector<Request>& requests) {
  std::vector<size_t> places(requests.size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    return id_of(requests[a]) < id_of(requests[b]);
  });
  return places;
}

/// Where the request with this id is.
/// @pre it is there
template <class Request>
size_t place_of(const std::vector<Request>& requests,
                const std::vector<size_t>& places, const invocation_id& id) {
  return *std::lower_bound(
    places.begin(), places.end(), id,
    [&](size_t i, const invocation_id& x) { return id_of(requests[i]) < x; });
}

bool is_long(const work_request& x) {
  return x.item.arguments.bytes.size() > inline_body_max;
}

bool is_plain(const postgres_work_accepts::request& x) {
  return !x.parent && !x.committed && !x.what->claimed_by.empty()
         && x.what->idempotency_key.empty() && !is_long(*x.what);
}

bool is_plain(const postgres_work_reports::request& x) {
  return x.what->end && *x.what->end != work_end::dead;
}

template <class Request>
bool are_plain(const std::vector<Request>& xs) {
  return std::all_of(xs.begin(), xs.end(),
                     [](const Request& x) { return is_plain(x); });
}

/// Each row that is known is looked for by its id (see postgres_work_moves.hpp):
/// OFFSET keeps the planner from making a join of this.
#define TROUPE_IS_NEW                                                          \
  "NOT EXISTS (SELECT FROM work_claimed w WHERE w.id = v.id OFFSET 0) "        \
  "AND NOT EXISTS (SELECT FROM work_done w WHERE w.id = v.id OFFSET 0) "       \
  "AND NOT EXISTS (SELECT FROM work_waiting w WHERE w.id = v.id OFFSET 0) "    \
  "AND NOT EXISTS (SELECT FROM work_dead w WHERE w.id = v.id OFFSET 0) "

/// A row that a report of this transaction has left: what it has accepted, and
/// what waits since, is of nobody.
#define TROUPE_LEFT_NOW(table)                                                 \
  "EXISTS (SELECT FROM " table " w WHERE w.id = v.parent "                     \
  "AND w.claimed_by = v.parent_by AND w.xmin = pg_current_xact_id()::xid "     \
  "OFFSET 0)"

} // namespace

// -- accepting ---------------------------------------------------------------

/// Its rows are the ids that are new.
const postgres_statement postgres_work_accepts::plain{"work_begin", R"(
INSERT INTO work_claimed ()" TROUPE_WORK_ROW R"()
SELECT v.id, v.lane, v.priority, v.due_ms, v.expires_ms, v.accepted_ms, 1,
       v.attempts_max, v.claimed_by, v.target, NULL, v.rest, '', '', v.body
FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[],
            $11::bytea[])
     AS v(id, lane, priority, due_ms, expires_ms, accepted_ms, attempts_max,
          claimed_by, target, rest, body)
WHERE )" TROUPE_IS_NEW R"(
ON CONFLICT (id) DO NOTHING
RETURNING id)"};

/// A key that is there already is written all the same: so its row is seen, and
/// stays, also if another node has just committed it. Its work is that of the
/// row.
const postgres_statement postgres_work_accepts::full{"work_accept", R"(
WITH v AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[],
                       $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[],
                       $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[],
                       $13::bytea[], $14::uuid[], $15::bytea[], $16::bytea[],
                       $17::bytea[])
    AS v(id, lane, priority, due_ms, expires_ms, accepted_ms, attempts_max,
         claimed_by, target, rest, body, key, fingerprint, parent, parent_by,
         committed, committed_key)
), fresh AS MATERIALIZED (
  SELECT * FROM v
  WHERE )" TROUPE_IS_NEW R"(
    AND (v.parent IS NULL OR )" TROUPE_LEFT_NOW("work_done") R"(
         OR )" TROUPE_LEFT_NOW("work_waiting") R"(
         OR )" TROUPE_LEFT_NOW("work_dead") R"()
    AND (v.committed IS NULL
         OR )" TROUPE_COMMITTED_NOW("v.committed", "v.committed_key") R"()
), keyed AS (
  INSERT INTO work_key AS k (target, key, id, fingerprint, accepted_ms, repeats)
  SELECT target, key, id, fingerprint, accepted_ms, 0 FROM fresh
  WHERE key IS NOT NULL ORDER BY target, key
  ON CONFLICT (target, key) DO UPDATE SET repeats = k.repeats + 1
  RETURNING k.target, k.key, k.id, k.fingerprint, k.repeats
), known AS (
  SELECT v.id, k.id AS other, k.fingerprint = v.fingerprint AS is_same
  FROM fresh v JOIN keyed k ON k.target = v.target AND k.key = v.key
  WHERE k.repeats > 0
), added AS (
  SELECT v.* FROM fresh v WHERE v.id NOT IN (SELECT id FROM known)
), claimed AS (
  INSERT INTO work_claimed ()" TROUPE_WORK_ROW R"()
  SELECT id, lane, priority, due_ms, expires_ms, accepted_ms, 1, attempts_max,
         claimed_by, target, key, rest, '', '', body
  FROM added WHERE claimed_by IS NOT NULL
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), waiting AS (
  INSERT INTO work_waiting ()" TROUPE_WORK_ROW R"()
  SELECT id, lane, priority, due_ms, expires_ms, accepted_ms, 0, attempts_max,
         '', target, key, rest, '', '', body
  FROM added WHERE claimed_by IS NULL
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), new AS (
  SELECT id FROM claimed UNION ALL SELECT id FROM waiting
), bodies AS (
  INSERT INTO work_body (id, body)
  SELECT b.id, b.body FROM unnest($18::uuid[], $19::bytea[]) AS b(id, body)
  WHERE b.id IN (SELECT id FROM new)
  ON CONFLICT (id) DO UPDATE SET body = excluded.body
)
SELECT id, NULL::uuid, NULL::boolean FROM new
UNION ALL SELECT id, other, is_same FROM known)"};

postgres_call postgres_work_accepts::call(std::vector<request> requests) {
  postgres_array id{element::uuid};
  postgres_array lane{element::bytea};
  postgres_array priority{element::int8};
  postgres_array due{element::int8};
  postgres_array expires{element::int8};
  postgres_array accepted{element::int8};
  postgres_array attempts_max{element::int8};
  postgres_array claimed_by{element::bytea};
  postgres_array target{element::bytea};
  postgres_array rest{element::bytea};
  postgres_array body{element::bytea};
  postgres_array key{element::bytea};
  postgres_array fingerprint{element::bytea};
  postgres_array parent{element::uuid};
  postgres_array parent_by{element::bytea};
  postgres_array committed{element::bytea};
  postgres_array committed_key{element::bytea};
  postgres_array long_id{element::uuid};
  postgres_array long_body{element::bytea};
  for (auto i : by_id(requests)) {
    auto& x = *requests[i].what;
    auto& item = x.item;
    auto bytes = id_bytes(item.id);
    id.add(bytes);
    lane.add(item.target.lane());
    priority.add(uint64_t{item.priority});
    due.add(as_element(item.due));
    expires.add(as_element(item.expires));
    accepted.add(as_element(item.accepted));
    attempts_max.add(uint64_t{item.attempts_max});
    claimed_by.add_unless_empty(x.claimed_by);
    target.add(pack(item.target));
    rest.add(pack_rest(item));
    key.add_unless_empty(x.idempotency_key);
    fingerprint.add(x.fingerprint);
    if (auto report = requests[i].parent) {
      parent.add(id_bytes(report->id));
      parent_by.add(report->claimed_by);
    } else {
      parent.add_null();
      parent_by.add_null();
    }
    if (auto entity = requests[i].committed) {
      committed.add(entity->service);
      committed_key.add(entity->key);
    } else {
      committed.add_null();
      committed_key.add_null();
    }
    if (!is_long(x)) {
      body.add(item.arguments.bytes);
    } else {
      body.add_null();
      long_id.add(bytes);
      long_body.add(item.arguments.bytes);
    }
  }
  postgres_call result{&plain,
                       {id.take(), lane.take(), priority.take(), due.take(),
                        expires.take(), accepted.take(), attempts_max.take(),
                        claimed_by.take(), target.take(), rest.take(),
                        body.take()}};
  if (are_plain(requests))
    return result;
  result.statement = &full;
  for (auto column : {&key, &fingerprint, &parent, &parent_by, &committed,
                      &committed_key, &long_id, &long_body})
    result.arguments.push_back(column->take());
  return result;
}

std::vector<expected<work_accepted>>
postgres_work_accepts::read(const std::vector<request>& requests,
                            const postgres_rows& rows) {
  std::vector<expected<work_accepted>> result;
  for (auto& x : requests)
    result.push_back(work_accepted{x.what->item.id, false});
  auto places = by_id(requests);
  auto is_full = !are_plain(requests);
  for (int row = 0; row < rows.size(); ++row) {
    auto id = read_id(rows.bytes(row, 0));
    auto& to = result[place_of(requests, places, id)];
    if (!is_full || rows.is_null(row, 1))
      to = work_accepted{id, true};
    else if (rows.flag(row, 2))
      to = work_accepted{read_id(rows.bytes(row, 1)), false};
    else
      to = key_of_other_work();
  }
  return result;
}

// -- reports -----------------------------------------------------------------

/// Their rows are the ids of those that are done. One that was done before stands
/// as it left the work: that is looked for in the tables as they were.
const postgres_statement postgres_work_reports::plain{"work_finish", R"(
WITH v AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[],
                       $5::bigint[], $6::bytea[], $7::bytea[])
    AS v(id, claimed_by, attempt, state, now_ms, answer_type, answer)
), taken AS (
  DELETE FROM work_claimed c USING v
  WHERE c.id = ANY (ARRAY[v.id]) AND c.claimed_by = v.claimed_by
    AND c.attempts = v.attempt
  RETURNING v.*, c.target, c.priority, c.accepted_ms, c.body IS NULL AS is_long
), finished AS (
  INSERT INTO work_done (id, target, priority, accepted_ms, attempts,
                         claimed_by, state, answer_type, answer, finished_ms)
  SELECT id, target, priority, accepted_ms, attempt, claimed_by, state,
         answer_type, answer, now_ms
  FROM taken
), bodies AS (
  DELETE FROM work_body b USING taken t
  WHERE t.is_long AND b.id = ANY (ARRAY[t.id])
)
SELECT id FROM taken
UNION ALL
SELECT v.id FROM v
WHERE EXISTS (SELECT FROM work_done w
              WHERE w.id = v.id AND w.state = v.state
                AND w.attempts = v.attempt AND w.claimed_by = v.claimed_by
              OFFSET 0))"};

const postgres_statement postgres_work_reports::full{"work_report", R"(
WITH v AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[],
                       $5::bigint[], $6::bytea[], $7::bytea[], $8::bigint[],
                       $9::bigint[], $10::bigint[])
    AS v(id, claimed_by, attempt, state, now_ms, answer_type, answer, due_ms,
         left_attempts, keeps_answer)
), taken AS (
  DELETE FROM work_claimed c USING v
  WHERE c.id = ANY (ARRAY[v.id]) AND c.claimed_by = v.claimed_by
    AND c.attempts = v.attempt
  RETURNING v.id, v.claimed_by, v.left_attempts AS attempts, v.state, v.now_ms,
    v.due_ms AS next_ms, c.lane, c.priority, c.due_ms, c.expires_ms,
    c.accepted_ms, c.attempts_max, c.target, c.key, c.rest, c.body,
    CASE WHEN v.keeps_answer = 1 THEN c.answer_type
         ELSE v.answer_type END AS answer_type,
    CASE WHEN v.keeps_answer = 1 THEN c.answer
         ELSE v.answer END AS answer
), finished AS (
  INSERT INTO work_done (id, target, priority, accepted_ms, attempts,
                         claimed_by, state, answer_type, answer, finished_ms)
  SELECT id, target, priority, accepted_ms, attempts, claimed_by, state,
         answer_type, answer, now_ms
  FROM taken WHERE state IN (2, 3)
), bodies AS (
  DELETE FROM work_body b USING taken t
  WHERE t.body IS NULL AND t.state IN (2, 3) AND b.id = ANY (ARRAY[t.id])
), waits AS (
  INSERT INTO work_waiting ()" TROUPE_WORK_ROW R"()
  SELECT id, lane, priority, next_ms, expires_ms, accepted_ms, attempts,
         attempts_max, claimed_by, target, key, rest, answer_type, answer, body
  FROM taken WHERE state = 0
), died AS (
  INSERT INTO work_dead ()" TROUPE_WORK_ROW R"(, finished_ms)
  SELECT )" TROUPE_WORK_ROW R"(, now_ms FROM taken WHERE state = 4
)
SELECT id FROM taken
UNION ALL
SELECT v.id FROM v
WHERE EXISTS (SELECT FROM work_done w
              WHERE w.id = v.id AND w.state = v.state
                AND w.attempts = v.attempt AND w.claimed_by = v.claimed_by
              OFFSET 0)
   OR v.state = 4
      AND EXISTS (SELECT FROM work_dead w
                  WHERE w.id = v.id AND w.attempts = v.attempt
                    AND w.claimed_by = v.claimed_by OFFSET 0)
   OR v.state = 0
      AND EXISTS (SELECT FROM work_waiting w
                  WHERE w.id = v.id AND w.attempts = v.left_attempts
                    AND w.claimed_by = v.claimed_by AND w.due_ms = v.due_ms
                  OFFSET 0))"};

postgres_call postgres_work_reports::call(std::vector<request> requests) {
  postgres_array id{element::uuid};
  postgres_array claimed_by{element::bytea};
  postgres_array attempt{element::int8};
  postgres_array state{element::int8};
  postgres_array now{element::int8};
  postgres_array answer_type{element::bytea};
  postgres_array answer{element::bytea};
  postgres_array due{element::int8};
  postgres_array left_attempts{element::int8};
  postgres_array keeps_answer{element::int8};
  for (auto i : by_id(requests)) {
    auto& x = *requests[i].what;
    id.add(id_bytes(x.id));
    claimed_by.add(x.claimed_by);
    attempt.add(uint64_t{x.attempt});
    state.add(uint64_t(state_after(x)));
    now.add(as_element(requests[i].now));
    answer_type.add(x.answer.content_type);
    answer.add(x.answer.bytes);
    due.add(as_element(x.due));
    left_attempts.add(uint64_t{attempts_after(x)});
    keeps_answer.add(uint64_t{troupe::keeps_answer(x)});
  }
  postgres_call result{&plain,
                       {id.take(), claimed_by.take(), attempt.take(),
                        state.take(), now.take(), answer_type.take(),
                        answer.take()}};
  if (are_plain(requests))
    return result;
  result.statement = &full;
  result.arguments.push_back(due.take());
  result.arguments.push_back(left_attempts.take());
  result.arguments.push_back(keeps_answer.take());
  return result;
}

std::vector<work_outcome>
postgres_work_reports::read(const std::vector<request>& requests,
                            const postgres_rows& rows) {
  std::vector<work_outcome> result(requests.size(), work_outcome::refused);
  auto places = by_id(requests);
  for (int row = 0; row < rows.size(); ++row)
    result[place_of(requests, places, read_id(rows.bytes(row, 0)))] =
      work_outcome::done;
  return result;
}

#undef TROUPE_IS_NEW
#undef TROUPE_LEFT_NOW

} // namespace troupe
