#include "nodes/store/postgres_group.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {

namespace {

using element = postgres_array::element;

/// 16 bytes, the highest first.
std::string token_bytes(fencing_token token) {
  std::string result;
  for (auto half : {token.high, token.low})
    for (int shift = 56; shift >= 0; shift -= 8)
      result.push_back(static_cast<char>(half >> shift));
  return result;
}

std::optional<fencing_token> read_token(const std::string& bytes) {
  if (bytes.size() != 16)
    return std::nullopt;
  fencing_token result;
  for (int i = 0; i < 8; ++i) {
    result.high = result.high << 8 | static_cast<unsigned char>(bytes[i]);
    result.low = result.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return result;
}

const entity_id& entity_of(const postgres_claims::request& x) {
  return *x.entity;
}

const entity_id& entity_of(const postgres_releases::request& x) {
  return *x.entity;
}

const entity_id& entity_of(const commit_request* x) {
  return x->entity;
}

/// The places of `requests` in the order of their entities: the n-th row is
/// that of the request at the n-th place.
template <class Request>
std::vector<size_t> by_entity(const std::vector<Request>& requests) {
  std::vector<size_t> places(requests.size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    return entity_of(requests[a]) < entity_of(requests[b]);
  });
  return places;
}

/// The columns that every group has.
template <class Request>
struct key_columns {
  key_columns(const std::vector<Request>& requests,
              const std::vector<size_t>& places) {
    for (auto i : places) {
      service.add(entity_of(requests[i]).service);
      key.add(entity_of(requests[i]).key);
    }
  }

  postgres_array service{element::bytea};
  postgres_array key{element::bytea};
};

/// The rows of outcomes: each belongs to a row of the group.
struct outcome_columns {
  void add(uint64_t row, const recorded_outcome& x) {
    of.add(row);
    id.add(x.id);
    fingerprint.add(x.fingerprint);
    revision.add(x.revision);
    failed.add(uint64_t{x.failed});
    content_type.add(x.content_type);
    body.add(x.body);
  }

  postgres_array of{element::int8};
  postgres_array id{element::bytea};
  postgres_array fingerprint{element::bytea};
  postgres_array revision{element::int8};
  postgres_array failed{element::int8};
  postgres_array content_type{element::bytea};
  postgres_array body{element::bytea};
};

struct proof_columns {
  void add(uint64_t row, const lock_proof& x) {
    of.add(row);
    name.add(x.name);
    token.add(x.token);
  }

  postgres_array of{element::int8};
  postgres_array name{element::text};
  postgres_array token{element::int8};
};

} // namespace

// -- claims ------------------------------------------------------------------

/// The shard's row stays locked against moves until the claim is there. An
/// entity that is new and one that is not take the same way, so that no other
/// claim can come between.
const postgres_statement postgres_claims::statement{"claim", R"(
INSERT INTO entity (service, key, revision, schema, token)
SELECT v.service, v.key, 0, 1, v.token
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::text[],
            $6::bigint[])
     AS v(service, key, token, shard, owner, epoch)
WHERE v.owner IS NULL
   OR EXISTS (SELECT FROM shard s WHERE s.id = v.shard AND s.owner = v.owner
              AND s.epoch = v.epoch AND s.epoch > 0 FOR SHARE)
ON CONFLICT (service, key)
  DO UPDATE SET previous = entity.token, token = excluded.token
RETURNING service, key, revision, schema, previous, state, reminders)"};

postgres_call postgres_claims::call(std::vector<request> requests) {
  auto places = by_entity(requests);
  key_columns keys{requests, places};
  postgres_array token{element::bytea};
  postgres_array shard{element::int8};
  postgres_array owner{element::text};
  postgres_array epoch{element::int8};
  for (auto i : places) {
    auto& x = requests[i];
    token.add(token_bytes(x.token));
    shard.add(uint64_t{*x.owned ? (*x.owned)->shard : 0});
    epoch.add(*x.owned ? (*x.owned)->epoch : 0);
    if (*x.owned)
      owner.add((*x.owned)->owner);
    else
      owner.add_null();
  }
  return {&statement,
          {keys.service.take(), keys.key.take(), token.take(), shard.take(),
           owner.take(), epoch.take()}};
}

std::vector<std::optional<claimed_state>>
postgres_claims::read(const std::vector<request>& requests,
                      const postgres_rows& rows) {
  std::vector<std::optional<claimed_state>> result(requests.size());
  auto places = by_entity(requests);
  for (int row = 0; row < rows.size(); ++row) {
    entity_id entity{rows.bytes(row, 0), rows.bytes(row, 1)};
    auto place = std::lower_bound(
      places.begin(), places.end(), entity,
      [&](size_t i, const entity_id& x) { return *requests[i].entity < x; });
    result[*place] = {{rows.count(row, 2), rows.bytes(row, 5),
                       static_cast<uint32_t>(rows.number(row, 3)),
                       rows.bytes(row, 6)},
                      read_token(rows.bytes(row, 4))};
  }
  return result;
}

// -- commits -----------------------------------------------------------------

const postgres_statement postgres_commits::plain{"commit", R"(
UPDATE entity e SET revision = v.next, schema = v.schema, state = v.state,
  reminders = v.reminders
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bytea[], $8::bytea[]) WITH ORDINALITY
     AS v(service, key, token, base, next, schema, state, reminders, number)
WHERE e.service = v.service AND e.key = v.key AND e.token = v.token
  AND e.revision = v.base
RETURNING v.number, true)"};

/// What must not change until it is done is locked: the row of the entity, also
/// of one that only records, so that a claim that comes meanwhile waits or fences
/// it; and the rows of the locks that it is bound to. A row of the answer is an
/// entity that still is its owner's: if it was not done, then for its locks. One
/// that is done has written the row, also if nothing in it is new: what comes
/// after it in the transaction knows it by that.
const postgres_statement postgres_commits::full{"commit_full", R"(
WITH o AS (
  SELECT * FROM unnest($9::bigint[], $10::bytea[], $11::bytea[], $12::bigint[],
                       $13::bigint[], $14::bytea[], $15::bytea[])
    AS o(number, id, fingerprint, revision, failed, content_type, body)
), k AS (
  SELECT * FROM unnest($16::bigint[], $17::text[], $18::bigint[])
    AS k(number, name, token)
), v AS (
  SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[],
                       $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[])
    WITH ORDINALITY
    AS v(service, key, token, base, next, schema, state, reminders, number)
), ours AS (
  SELECT v.* FROM v JOIN entity e
    ON e.service = v.service AND e.key = v.key AND e.token = v.token
       AND e.revision = v.base
  WHERE NOT EXISTS (SELECT FROM o, outcome x
                    WHERE o.number = v.number AND x.service = v.service
                      AND x.key = v.key AND x.id = o.id)
  FOR UPDATE OF e
), changed AS (
  UPDATE entity e SET revision = v.next,
    schema = CASE WHEN v.next = v.base THEN e.schema ELSE v.schema END,
    state = CASE WHEN v.next = v.base THEN e.state ELSE v.state END,
    reminders = CASE WHEN v.next = v.base THEN e.reminders
                     ELSE v.reminders END
  FROM ours v
  WHERE e.service = v.service AND e.key = v.key AND e.token = v.token
    AND e.revision = v.base
    AND NOT EXISTS (SELECT FROM k WHERE k.number = v.number AND NOT EXISTS (
                      SELECT FROM lock l
                      WHERE l.name = k.name AND l.token = k.token
                        AND l.holder <> '' FOR SHARE))
  RETURNING v.number, e.service, e.key
), recorded AS (
  INSERT INTO outcome (service, key, id, fingerprint, revision, failed,
                       content_type, body)
  SELECT c.service, c.key, o.id, o.fingerprint, o.revision, o.failed <> 0,
         o.content_type, o.body
  FROM changed c JOIN o USING (number)
)
SELECT number, number IN (SELECT number FROM changed) FROM ours)"};

postgres_call postgres_commits::call(const std::vector<request>& requests) {
  auto places = by_entity(requests);
  key_columns keys{requests, places};
  postgres_array token{element::bytea};
  postgres_array base{element::int8};
  postgres_array next{element::int8};
  postgres_array schema{element::int8};
  postgres_array state{element::bytea};
  postgres_array reminders{element::bytea};
  std::vector<uint64_t> numbers(requests.size()); // SQL counts from 1
  for (size_t row = 0; row < places.size(); ++row) {
    auto& x = *requests[places[row]];
    numbers[places[row]] = row + 1;
    token.add(token_bytes(x.token));
    base.add(x.base);
    next.add(x.next.revision);
    schema.add(uint64_t{x.next.schema});
    state.add_unless_empty(x.next.state);
    reminders.add_unless_empty(x.next.reminders);
  }
  outcome_columns o;
  proof_columns k;
  auto is_plain = true;
  for (size_t i = 0; i < requests.size(); ++i) { // as they were given
    for (auto& x : requests[i]->outcomes)
      o.add(numbers[i], x);
    for (auto& x : requests[i]->locks)
      k.add(numbers[i], x);
    is_plain = is_plain && requests[i]->next.revision != requests[i]->base;
  }
  postgres_call result{&plain,
                       {keys.service.take(), keys.key.take(), token.take(),
                        base.take(), next.take(), schema.take(), state.take(),
                        reminders.take()}};
  if (is_plain && o.of.size() + k.of.size() == 0)
    return result;
  result.statement = &full;
  for (auto column : {&o.of, &o.id, &o.fingerprint, &o.revision, &o.failed,
                      &o.content_type, &o.body, &k.of, &k.name, &k.token})
    result.arguments.push_back(column->take());
  return result;
}

std::vector<commit_outcome>
postgres_commits::read(const std::vector<request>& requests,
                       const postgres_rows& rows) {
  std::vector<commit_outcome> result(requests.size(), commit_outcome::refused);
  auto places = by_entity(requests);
  for (int row = 0; row < rows.size(); ++row)
    result[places[static_cast<size_t>(rows.number(row, 0) - 1)]] =
      rows.flag(row, 1) ? commit_outcome::done : commit_outcome::lock_lost;
  return result;
}

// -- releases ----------------------------------------------------------------

const postgres_statement postgres_releases::statement{"release", R"(
DELETE FROM entity e
USING unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS v(service, key, token)
WHERE e.service = v.service AND e.key = v.key AND e.token = v.token
  AND e.revision = 0)"};

postgres_call postgres_releases::call(const std::vector<request>& requests) {
  auto places = by_entity(requests);
  key_columns keys{requests, places};
  postgres_array token{element::bytea};
  for (auto i : places)
    token.add(token_bytes(requests[i].token));
  return {&statement, {keys.service.take(), keys.key.take(), token.take()}};
}

} // namespace troupe
