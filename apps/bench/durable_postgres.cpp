// Durable calls of this process on a PostgreSQL server, by 64 callers; beside
// pgbench, whose 64 clients update rows on the same server. One key shows what it
// is worth that an entity goes on while the store commits; a thousand keys, that
// a group of commits is one statement.

#include <cstdio>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/entity_load.hpp"
#include "apps/bench/postgres.hpp"
#include "nodes/store/postgres_store.hpp"

namespace troupe::bench {

namespace {

constexpr unsigned callers = 64;

class postgres_node {
public:
  explicit postgres_node(const settings& how) : how_(how) {}

  void measure(const std::string& name, unsigned keys, requirement required) {
    auto time = how_.time(std::chrono::milliseconds{6'000});
    server_.prepare(keys);
    auto bare = [&] {
      return server_.update(keys,
                            std::chrono::ceil<std::chrono::seconds>(time));
    };
    auto ours = [&] { return increments(keys, time); };
    increments(keys, time / 3);
    auto rounds = alternate(how_, bare, ours);
    how_.report(from_rounds(name, "calls/s", "pgbench, 64 clients", required,
                            std::move(rounds)));
  }

private:
  double increments(unsigned keys, std::chrono::milliseconds time) {
    entity_load load;
    load.key = [keys](uint64_t n) {
      return "k" + std::to_string(n * 2'654'435'761u % keys);
    };
    load.callers = callers;
    load.time = time;
    return run_entity_load(node_, load).rate();
  }

  const settings& how_;
  postgres_bench_server server_;
  local_node node_{{}, std::make_unique<postgres_store>(server_.url())};
};

} // namespace

void durable_postgres(const settings& how) {
  if (!postgres_bench_server::is_installed()) {
    std::printf("postgres: skipped: PostgreSQL 15 is not installed\n");
    return;
  }
  postgres_node node{how};
  node.measure("durable call on PostgreSQL, one key", 1, at_least(10));
  node.measure("durable call on PostgreSQL, 1,000 keys", 1'000, at_least(2));
}

} // namespace troupe::bench
