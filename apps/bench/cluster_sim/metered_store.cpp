#include "apps/bench/cluster_sim/metered_store.hpp"

#include <memory>
#include <utility>

namespace troupe::bench {

namespace {

/// Of a column's value on its way.
constexpr uint64_t length_bytes = 4;

uint64_t bytes_of(const std::string& x) noexcept {
  return length_bytes + x.size();
}

template <class T>
uint64_t bytes_of(const std::vector<T>& xs) noexcept {
  uint64_t result = 0;
  for (auto& x : xs)
    result += bench::bytes_of(x);
  return result;
}

} // namespace

uint64_t bytes_of(const lease_row& x) noexcept {
  return bytes_of(x.node) + bytes_of(x.incarnation) + bytes_of(x.link_endpoint)
         + bytes_of(x.http_url) + bytes_of(x.zone) + bytes_of(x.version)
         + bytes_of(x.settings) + 4 * length_bytes + sizeof(x.capacity)
         + sizeof(x.wire_version) + sizeof(x.state) + sizeof(x.counter);
}

uint64_t bytes_of(const shard_row& x) noexcept {
  return bytes_of(x.owner) + 2 * length_bytes + sizeof(x.shard)
         + sizeof(x.epoch);
}

store_use& store_use::operator-=(const store_use& x) noexcept {
  renewals -= x.renewals;
  reads -= x.reads;
  moves -= x.moves;
  declarations -= x.declarations;
  others -= x.others;
  rows -= x.rows;
  bytes -= x.bytes;
  return *this;
}

// -- there and back ------------------------------------------------------------

template <class T>
void way_to_store::ask(std::function<T()> what,
                       std::function<void(expected<T>)> done) {
  auto way = length_.draw(random_);
  time_.after(way, [=, this, what = std::move(what), done = std::move(done)] {
    answer(way, what(), done);
  });
}

template <class T>
void way_to_store::answer(std::chrono::nanoseconds way, T x,
                          std::function<void(expected<T>)> done) {
  // A view of many rows: events are copied, it is not.
  auto kept = std::make_shared<T>(std::move(x));
  time_.after(way, [=, this] { deliver_([=] { done(std::move(*kept)); }); });
}

void way_to_store::renew(lease_row mine,
                         lease_table::callback<lease_view> done) {
  ask<lease_view>(
    [this, mine = std::move(mine)] {
      ++store_.use.renewals;
      store_.use.bytes += bench::bytes_of(mine);
      lease_view result;
      store_.leases.renew(
        mine, [&](expected<lease_view> x) { result = std::move(*x); });
      store_.use.rows += result.rows.size();
      store_.use.bytes += bytes_of(result.rows);
      return result;
    },
    std::move(done));
}

void way_to_store::declare_dead(std::string incarnation, uint64_t counter_seen,
                                lease_table::callback<verdict> done) {
  ask<verdict>(
    [=, this] {
      ++store_.use.declarations;
      store_.use.bytes += bytes_of(incarnation) + sizeof(counter_seen) + 1;
      auto result = verdict::lives;
      store_.leases.declare_dead(incarnation, counter_seen,
                                 [&](expected<verdict> x) { result = *x; });
      return result;
    },
    std::move(done));
}

void way_to_store::leave(std::string incarnation,
                         lease_table::callback<void> done) {
  ask<bool>(
    [=, this] {
      ++store_.use.others;
      store_.use.bytes += bytes_of(incarnation);
      store_.leases.leave(incarnation, [](expected<void>) {});
      return true;
    },
    [done = std::move(done)](expected<bool>) { done({}); });
}

void way_to_store::forget(std::string incarnation) {
  ask<bool>(
    [=, this] {
      ++store_.use.others;
      store_.use.bytes += bytes_of(incarnation);
      store_.leases.forget(incarnation);
      return true;
    },
    [](expected<bool>) {});
}

void way_to_store::read(uint32_t count, uint64_t version,
                        shard_table::callback<shard_view> done) {
  ask<shard_view>(
    [=, this] {
      ++store_.use.reads;
      shard_view result;
      store_.shards.read(count, version, [&](expected<shard_view> x) {
        result = std::move(*x);
      });
      store_.use.rows += result.rows.size();
      store_.use.bytes +=
        sizeof(count) + 2 * sizeof(version) + bytes_of(result.rows);
      return result;
    },
    std::move(done));
}

void way_to_store::move(std::vector<shard_move> moves,
                        shard_table::callback<std::vector<move_result>> done) {
  ask<std::vector<move_result>>(
    [this, moves = std::move(moves)] {
      std::vector<move_result> results;
      store_.shards.move(moves, [&](expected<std::vector<move_result>> x) {
        results = std::move(*x);
      });
      count(moves, results);
      return results;
    },
    std::move(done));
}

void way_to_store::count(const std::vector<shard_move>& moves,
                         const std::vector<move_result>& results) {
  ++store_.use.moves;
  store_.use.rows += results.size();
  for (size_t i = 0; i < results.size(); ++i) {
    auto& now = results[i].now;
    store_.use.bytes +=
      bench::bytes_of(shard_row{now.shard, moves[i].expected_owner, now.epoch})
      + bytes_of(moves[i].new_owner) + bench::bytes_of(now);
    ++(results[i].moved ? store_.moved : store_.refused);
    if (results[i].moved && store_.on_move)
      store_.on_move(now);
  }
}

} // namespace troupe::bench
