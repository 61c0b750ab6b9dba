#include "apps/bench/cluster_sim/store_cost.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "actors/cluster/membership.hpp"
#include "apps/bench/cluster_sim/sim_node.hpp"
#include "apps/bench/postgres.hpp"
#include "apps/bench/temporary.hpp"
#include "nodes/store/postgres_store.hpp"
#include "nodes/store/sqlite_leases.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

constexpr auto measured_time = 2s;

/// Nodes that renew at once: a server writes what they ask together.
constexpr int clients = 16;

template <class T, class F>
T wait_for(F begin) {
  std::promise<expected<T>> answer;
  begin([&](expected<T> x) { answer.set_value(std::move(x)); });
  auto result = answer.get_future().get();
  if (!result)
    throw cannot_measure{result.error().message()};
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

lease_view renew(lease_table& table, const lease_row& row) {
  return wait_for<lease_view>(
    [&](auto done) { table.renew(row, std::move(done)); });
}

/// A row that is read like all others. It is down, so that it has no lock on a
/// file: one process cannot hold so many.
void add_row(lease_table& table, const lease_row& row) {
  renew(table, row);
  wait_for<void>(
    [&](auto done) { table.leave(row.incarnation, std::move(done)); });
}

/// Renewals that one node does, one after the other.
uint64_t renew_until(std::chrono::steady_clock::time_point end,
                     lease_table& table, lease_row mine) {
  uint64_t result = 0;
  for (; std::chrono::steady_clock::now() < end; ++result)
    mine.counter = renew(table, mine).counter;
  return result;
}

/// @param tables one for each node that renews
store_cost measure(std::string store, uint32_t rows,
                   const std::vector<lease_table*>& tables) {
  std::mt19937_64 random{rows};
  std::vector<lease_row> mine;
  for (uint32_t i = 0; i < rows || i < tables.size(); ++i) {
    auto row = describe_node(i, random);
    if (i < tables.size())
      renew(*tables[i], mine.emplace_back(std::move(row)));
    else
      add_row(*tables.front(), row);
  }
  for (auto& x : mine)
    x.counter = 1;
  auto begin = std::chrono::steady_clock::now();
  std::vector<std::future<uint64_t>> done;
  for (size_t i = 0; i < tables.size(); ++i)
    done.push_back(std::async(std::launch::async, renew_until,
                              begin + measured_time, std::ref(*tables[i]),
                              mine[i]));
  uint64_t renewals = 0;
  for (auto& x : done)
    renewals += x.get();
  auto time = std::chrono::steady_clock::now() - begin;
  store_cost result{std::move(store), rows};
  result.renewals =
    static_cast<double>(renewals) / std::chrono::duration<double>(time).count();
  auto needed =
    rows
    / std::chrono::duration<double>(membership_options{}.renew_every).count();
  result.share = needed / result.renewals;
  return result;
}

/// One after the other, whoever asks: only one can write.
store_cost measure_sqlite(uint32_t rows) {
  temporary_folder folder;
  sqlite_lease_table table{folder.path()};
  return measure("SQLite", rows, {&table});
}

store_cost measure_postgres(uint32_t rows) {
  postgres_bench_server server;
  std::vector<std::unique_ptr<postgres_store>> stores;
  std::vector<lease_table*> tables;
  for (int i = 0; i < clients; ++i) {
    stores.push_back(std::make_unique<postgres_store>(server.url()));
    tables.push_back(&stores.back()->leases());
  }
  return measure("PostgreSQL", rows, tables);
}

} // namespace

std::vector<store_cost> measure_stores(uint32_t rows) {
  std::vector<store_cost> result{measure_sqlite(rows)};
  if (postgres_bench_server::is_installed())
    result.push_back(measure_postgres(rows));
  return result;
}

} // namespace troupe::bench
