// Durable calls over HTTP: each answer says that its change is on disk. Beside
// the echo of the same node, which keeps nothing, beside what Boost.Beast and
// SQLite can do without a runtime, and beside Redis.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/redis.hpp"
#include "apps/bench/temporary.hpp"
#include "apps/bench/wrk.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

constexpr unsigned clients = 64;

double rate_of(const http_server& server, wrk_load load, milliseconds time) {
  load.port = server.port();
  load.connections = clients;
  load.time = time;
  load.core = two_cores().client;
  return run_wrk(load).requests_per_second;
}

class durable_node {
public:
  explicit durable_node(const settings& how)
    : time_(how.time(milliseconds{3000})) {}

  double echo() { return rate({}); }

  double increments(unsigned keys) {
    wrk_load load;
    load.target = "/services/counter/*/increment";
    load.body = "1";
    load.content_type = "application/json";
    load.keys = keys;
    return rate(load);
  }

private:
  double rate(wrk_load load) { return rate_of(node_, std::move(load), time_); }

  temporary_folder data_;
  node_server node_{two_cores().server, {}, "sqlite:" + data_.path().string()};
  milliseconds time_;
};

std::string name_of(unsigned keys) {
  return keys == 1 ? "durable call, one key, 64 clients"
                   : "durable call, 1,000 keys, 64 clients";
}

void against_echo(const settings& how, durable_node& node, unsigned keys,
                  requirement required) {
  node.echo();
  node.increments(keys);
  auto rounds = alternate(
    how, [&] { return node.echo(); }, [&] { return node.increments(keys); });
  how.report(from_rounds(name_of(keys), "requests/s", "its own echo", required,
                         std::move(rounds)));
}

void against_bare(const settings& how, durable_node& node) {
  echo_server bare{"bare_durable_counter", two_cores().server};
  wrk_load load;
  load.body = "1";
  auto time = how.time(milliseconds{3000});
  rate_of(bare, load, time);
  auto rounds = alternate(
    how, [&] { return rate_of(bare, load, time); },
    [&] { return node.increments(1); });
  how.report(from_rounds(name_of(1), "requests/s", "Beast and SQLite alone", {},
                         std::move(rounds)));
}

void against_redis(const settings& how, durable_node& node,
                   const redis_server& redis, unsigned keys) {
  auto requests = 100'000 / how.hurry;
  auto increment = [&] {
    return redis.increment(keys, requests, two_cores().client);
  };
  increment();
  auto rounds =
    alternate(how, increment, [&] { return node.increments(keys); });
  how.report(from_rounds(name_of(keys), "requests/s", "Redis, fsync always", {},
                         std::move(rounds)));
}

void beside_redis(const settings& how, durable_node& node) {
  redis_server redis{two_cores().server};
  against_redis(how, node, redis, 1);
  against_redis(how, node, redis, 1000);
}

} // namespace

void durable_http(const settings& how) {
  durable_node node{how};
  against_echo(how, node, 1, at_least(0.65));
  against_echo(how, node, 1000, at_least(0.4));
  against_bare(how, node);
  if (redis_server::is_installed())
    beside_redis(how, node);
}

} // namespace troupe::bench
