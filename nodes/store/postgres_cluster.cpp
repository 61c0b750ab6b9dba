#include "nodes/store/postgres_cluster.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace troupe {

namespace {

using element = postgres_array::element;

/// When a server is back, others wait 3 s before they take a node for dead: to
/// connect, it must not take longer.
constexpr std::chrono::seconds cluster_connect_time_max{2};
constexpr std::chrono::milliseconds cluster_pause_max{300};

// -- leases ------------------------------------------------------------------

/// First renewals come one after another, and each sees the rows of those before
/// it: a statement sees what was committed before it began, so that this is one
/// of its own. Nobody else asks for this lock; its number says nothing.
constexpr postgres_statement take_turns{
  "take_turns", "SELECT pg_advisory_xact_lock(7300171000471)"};

constexpr postgres_statement renew_first{"renew_first", R"(
WITH mine AS (
  INSERT INTO lease AS l (incarnation, node, link_endpoint, http_url, capacity,
                          zone, version, wire_version, settings, state, counter)
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::text,
          $7::text, $8::bigint, $9::text, $10::bigint, 1)
  ON CONFLICT (incarnation) DO UPDATE SET
    node = excluded.node, link_endpoint = excluded.link_endpoint,
    http_url = excluded.http_url, capacity = excluded.capacity,
    zone = excluded.zone, version = excluded.version,
    wire_version = excluded.wire_version, settings = excluded.settings,
    state = greatest(l.state, excluded.state), counter = l.counter + 1
  WHERE l.state < 4
  RETURNING l.incarnation, l.node, l.link_endpoint, l.http_url, l.capacity,
            l.zone, l.version, l.wire_version, l.settings, l.state, l.counter
)
SELECT *, true FROM mine
UNION ALL
SELECT incarnation, node, link_endpoint, http_url, capacity, zone, version,
       wire_version, settings, state, counter, false
FROM lease WHERE incarnation <> $1::text OR NOT EXISTS (SELECT FROM mine)
ORDER BY incarnation)"};

constexpr postgres_statement renew_again{"renew", R"(
WITH mine AS (
  UPDATE lease SET node = $2::text, link_endpoint = $3::text,
    http_url = $4::text, capacity = $5::bigint, zone = $6::text,
    version = $7::text, wire_version = $8::bigint, settings = $9::text,
    state = greatest(state, $10::bigint), counter = counter + 1
  WHERE incarnation = $1::text AND state < 4
  RETURNING incarnation, node, link_endpoint, http_url, capacity, zone, version,
            wire_version, settings, state, counter
)
SELECT *, true FROM mine
UNION ALL
SELECT incarnation, node, link_endpoint, http_url, capacity, zone, version,
       wire_version, settings, state, counter, false
FROM lease WHERE incarnation <> $1::text OR NOT EXISTS (SELECT FROM mine)
ORDER BY incarnation)"};

constexpr postgres_statement declare_down{"declare_dead", R"(
WITH dead AS (
  UPDATE lease SET state = 4
  WHERE incarnation = $1::text AND counter = $2::bigint AND state < 4
  RETURNING 1
)
SELECT EXISTS (SELECT FROM dead),
       EXISTS (SELECT FROM lease WHERE incarnation = $1::text AND state < 4))"};

constexpr postgres_statement leave_table{
  "leave", "UPDATE lease SET state = 4 WHERE incarnation = $1::text"};

constexpr postgres_statement forget_row{
  "forget", "DELETE FROM lease WHERE incarnation = $1::text AND state = 4"};

postgres_transaction renewal(const lease_row& x) {
  auto state = std::min(x.state, node_state::draining);
  auto is_first = x.counter == 0;
  postgres_call renew{
    is_first ? &renew_first : &renew_again,
    {as_bytes(x.incarnation), as_bytes(x.node), as_bytes(x.link_endpoint),
     as_bytes(x.http_url), as_int8(x.capacity), as_bytes(x.zone),
     as_bytes(x.version), as_int8(x.wire_version), as_bytes(x.settings),
     as_int8(static_cast<int64_t>(state))}};
  postgres_transaction result;
  if (is_first)
    result.calls.push_back({&take_turns, {}});
  result.calls.push_back(std::move(renew));
  return result;
}

lease_view read_leases(const postgres_rows& x) {
  lease_view result;
  result.fenced = true;
  for (int i = 0; i < x.size(); ++i) {
    result.rows.push_back(
      {x.bytes(i, 1), x.bytes(i, 0), x.bytes(i, 2), x.bytes(i, 3),
       static_cast<uint32_t>(x.number(i, 4)), x.bytes(i, 5), x.bytes(i, 6),
       static_cast<uint32_t>(x.number(i, 7)), x.bytes(i, 8),
       static_cast<node_state>(x.number(i, 9)), x.count(i, 10)});
    if (x.flag(i, 11)) { // it is the one that was renewed
      result.fenced = false;
      result.counter = result.rows.back().counter;
    }
  }
  return result;
}

// -- shards ------------------------------------------------------------------

constexpr postgres_statement agree_on_count{"agree_on_count", R"(
WITH agreed AS (
  UPDATE shards SET count = $1::bigint WHERE id = 0 AND count = 0
  RETURNING count
)
INSERT INTO shard (id, owner, epoch, changed)
SELECT i, '', 0, 0 FROM agreed, generate_series(0, agreed.count - 1) i)"};

constexpr postgres_statement read_shards{"read_shards", R"(
SELECT count, version, s.id, s.owner, s.epoch
FROM shards LEFT JOIN shard s ON s.changed > $1::bigint
WHERE shards.id = 0)"};

constexpr postgres_statement next_version{
  "next_version", "UPDATE shards SET version = version + 1 WHERE id = 0"};

constexpr postgres_statement move_shards{"move_shards", R"(
WITH v AS (
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])
    WITH ORDINALITY AS v(id, owner, epoch, new_owner, place)
), moved AS (
  UPDATE shard s SET owner = v.new_owner, epoch = s.epoch + 1,
    changed = (SELECT version FROM shards WHERE id = 0)
  FROM v WHERE s.id = v.id AND s.owner = v.owner AND s.epoch = v.epoch
  RETURNING s.id, s.owner, s.epoch
)
SELECT m.id IS NOT NULL, v.id, coalesce(m.owner, s.owner, ''),
       coalesce(m.epoch, s.epoch, 0)
FROM v LEFT JOIN moved m ON m.id = v.id LEFT JOIN shard s ON s.id = v.id
ORDER BY v.place)"};

/// Moves of one shard come after each other, each in a statement of its own:
/// the places of the moves that go into each.
std::vector<std::vector<size_t>>
in_waves(const std::vector<shard_move>& moves) {
  std::map<uint32_t, size_t> depth;
  std::vector<std::vector<size_t>> waves;
  for (size_t i = 0; i < moves.size(); ++i) {
    auto wave = depth[moves[i].shard]++;
    if (wave == waves.size())
      waves.emplace_back();
    waves[wave].push_back(i);
  }
  // Claims take shards in no order, so that none is better than another here.
  return waves;
}

postgres_call move_call(const std::vector<shard_move>& moves,
                        const std::vector<size_t>& places) {
  postgres_array id{element::int8};
  postgres_array owner{element::text};
  postgres_array epoch{element::int8};
  postgres_array new_owner{element::text};
  for (auto i : places) {
    id.add(uint64_t{moves[i].shard});
    owner.add(moves[i].expected_owner);
    epoch.add(moves[i].expected_epoch);
    new_owner.add(moves[i].new_owner);
  }
  return {&move_shards,
          {id.take(), owner.take(), epoch.take(), new_owner.take()}};
}

/// A version is the table's own and the timeline that it is of: after a
/// failover the table may count on from an earlier one.
constexpr int timeline_shift = 40;

uint64_t timeline_of(uint64_t version) {
  return version >> timeline_shift;
}

uint64_t table_version(uint64_t version) {
  return version & ((uint64_t{1} << timeline_shift) - 1);
}

shard_view read_view(const postgres_rows& x, uint32_t timeline) {
  shard_view result;
  for (int i = 0; i < x.size(); ++i) {
    result.count = static_cast<uint32_t>(x.number(i, 0));
    result.version = uint64_t{timeline} << timeline_shift | x.count(i, 1);
    if (!x.is_null(i, 2))
      result.rows.push_back(
        {static_cast<uint32_t>(x.number(i, 2)), x.bytes(i, 3), x.count(i, 4)});
  }
  return result;
}

verdict read_verdict(const postgres_rows& x) {
  return x.flag(0, 0)   ? verdict::dies
         : x.flag(0, 1) ? verdict::lives
                        : verdict::was_down;
}

template <class T, class Decode>
std::function<void(expected<std::vector<postgres_rows>>)>
answer(lease_table::callback<T> done, Decode decode) {
  return [done = std::move(done), decode = std::move(decode)](
           expected<std::vector<postgres_rows>> found) {
    if (found)
      done(decode(*found));
    else
      done(found.error());
  };
}

} // namespace

postgres_role postgres_cluster_role(const postgres_options& options) {
  auto pauses = options.backoff;
  pauses.cap =
    std::min<std::chrono::nanoseconds>(pauses.cap, cluster_pause_max);
  return {"cluster",
          options.cluster_time,
          options.cluster_lock_time,
          std::min(options.connect_time, cluster_connect_time_max),
          pauses,
          {&take_turns, &renew_first, &renew_again, &declare_down, &leave_table,
           &forget_row, &agree_on_count, &read_shards, &next_version,
           &move_shards}};
}

// -- leases ------------------------------------------------------------------

void postgres_lease_table::renew(lease_row mine, callback<lease_view> done) {
  asker_.ask({renewal(mine), false,
              answer<lease_view>(std::move(done), [](const auto& x) {
                return read_leases(x.back());
              })});
}

void postgres_lease_table::declare_dead(std::string incarnation,
                                        uint64_t counter_seen,
                                        callback<verdict> done) {
  asker_.ask({{{{&declare_down,
                 {as_bytes(std::move(incarnation)), as_int8(counter_seen)}}}},
              false,
              answer<verdict>(std::move(done), [](const auto& x) {
                return read_verdict(x[0]);
              })});
}

void postgres_lease_table::leave(std::string incarnation, callback<void> done) {
  asker_.ask({{{{&leave_table, {as_bytes(std::move(incarnation))}}}},
              false,
              answer<void>(std::move(done),
                           [](const auto&) { return expected<void>{}; })});
}

void postgres_lease_table::forget(std::string incarnation) {
  asker_.ask({{{{&forget_row, {as_bytes(std::move(incarnation))}}}},
              false,
              [](const auto&) {}});
}

bool postgres_lease_table::proven_dead(const std::string&) noexcept {
  return false;
}

// -- shards ------------------------------------------------------------------

void postgres_shard_table::read(uint32_t count, uint64_t version,
                                callback<shard_view> done) {
  if (version > 0)
    return read_since(version, std::move(done));
  asker_.ask_first({{{{&agree_on_count, {as_int8(count)}}}},
                    true,
                    [this, done = std::move(done)](const auto& agreed) {
                      if (agreed)
                        read_since(0, done);
                      else
                        done(agreed.error());
                    }});
}

void postgres_shard_table::read_since(uint64_t version,
                                      callback<shard_view> done) {
  auto decode = [this, version, done = std::move(done)](
                  expected<std::vector<postgres_rows>> found) {
    auto timeline = asker_.timeline().number;
    if (!found)
      done(found.error());
    else if (version > 0 && timeline_of(version) != timeline)
      read_since(0, done);
    else
      done(read_view((*found)[0], timeline));
  };
  asker_.ask_first({{{{&read_shards, {as_int8(table_version(version))}}}},
                    true,
                    std::move(decode)});
}

void postgres_shard_table::move(std::vector<shard_move> moves,
                                callback<std::vector<move_result>> done) {
  auto waves = in_waves(moves);
  postgres_transaction transaction{{{&next_version, {}}}};
  for (auto& x : waves)
    transaction.calls.push_back(move_call(moves, x));
  auto decode =
    [waves, count = moves.size()](const std::vector<postgres_rows>& found) {
      std::vector<move_result> results(count);
      for (size_t wave = 0; wave < waves.size(); ++wave) {
        auto& rows = found[wave + 1];
        for (int i = 0; i < rows.size(); ++i)
          results[waves[wave][static_cast<size_t>(i)]] = {
            rows.flag(i, 0),
            {static_cast<uint32_t>(rows.number(i, 1)), rows.bytes(i, 2),
             rows.count(i, 3)}};
      }
      return results;
    };
  asker_.ask_first(
    {std::move(transaction), false,
     answer<std::vector<move_result>>(std::move(done), std::move(decode))});
}

} // namespace troupe
