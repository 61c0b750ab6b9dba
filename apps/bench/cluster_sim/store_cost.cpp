#include "apps/bench/cluster_sim/store_cost.hpp"

#include <algorithm>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "actors/cluster/membership.hpp"
#include "apps/bench/cluster_sim/sim_node.hpp"
#include "apps/bench/temporary.hpp"
#include "nodes/store/sqlite_leases.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

/// As many as fit into the time, within these bounds.
constexpr auto time_most = 2s;
constexpr size_t renewals_least = 20;
constexpr size_t renewals_most = 500;

/// Renews and waits for the answer.
lease_view renew(lease_table& table, lease_row row) {
  std::promise<expected<lease_view>> answer;
  table.renew(std::move(row),
              [&](expected<lease_view> x) { answer.set_value(std::move(x)); });
  auto result = answer.get_future().get();
  if (!result)
    throw cannot_measure{result.error().message()};
  return std::move(*result);
}

/// A row that is there and holds no lock on a file: one process cannot hold so
/// many.
void add_row(lease_table& table, lease_row row) {
  auto incarnation = row.incarnation;
  renew(table, std::move(row));
  std::promise<void> done;
  table.leave(incarnation, [&](const expected<void>&) { done.set_value(); });
  done.get_future().get();
}

} // namespace

store_cost measure_store(uint32_t rows) {
  temporary_folder folder;
  sqlite_lease_table table{folder.path()};
  std::mt19937_64 random{rows};
  for (uint32_t i = 1; i < rows; ++i)
    add_row(table, describe_node(i, random));
  auto mine = describe_node(0, random);
  std::vector<std::chrono::nanoseconds> times;
  auto begin = std::chrono::steady_clock::now();
  auto last = begin;
  while (times.size() < renewals_least
         || (times.size() < renewals_most && last - begin < time_most)) {
    auto view = renew(table, mine);
    if (view.rows.size() != rows)
      throw cannot_measure{"the store has lost rows"};
    mine.counter = view.counter;
    auto now = std::chrono::steady_clock::now();
    times.push_back(now - std::exchange(last, now));
  }
  std::nth_element(
    times.begin(),
    times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  store_cost result;
  result.rows = rows;
  result.renewal = times[times.size() / 2];
  result.share =
    static_cast<double>(rows)
    * std::chrono::duration<double>(result.renewal).count()
    / std::chrono::duration<double>(membership_options{}.renew_every).count();
  return result;
}

} // namespace troupe::bench
