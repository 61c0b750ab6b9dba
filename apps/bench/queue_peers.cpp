// Queued calls over HTTP beside what others use as queues of jobs, where it is
// installed: NATS JetStream, RabbitMQ, and a table of PostgreSQL from which workers
// take with SKIP LOCKED.

#include <cstdio>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/jetstream.hpp"
#include "apps/bench/postgres.hpp"
#include "apps/bench/queue_node.hpp"
#ifdef TROUPE_BENCH_RABBITMQ
#include "apps/bench/rabbitmq.hpp"
#endif

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

template <class Peer>
void beside(const settings& how, queue_node& node, const char* peer,
            requirement required, Peer bare) {
  auto time = how.time(milliseconds{3000});
  bare(time / 2);
  node.run(time / 2);
  queue_run last;
  auto rounds = alternate(
    how, [&] { return bare(time); },
    [&] { return (last = node.run(time)).jobs_per_second; });
  auto result = from_rounds("queued calls over HTTP, until done", "jobs/s",
                            peer, required, std::move(rounds));
  result.note = note_of(last);
  how.report(std::move(result));
}

void skipped(const char* what) {
  std::printf("queue-peers: %s skipped: it is not installed\n", what);
}

/// On the same server as the table.
void beside_skip_locked(const settings& how) {
  postgres_bench_server server;
  server.make_database("troupe");
  queue_node node{server.url("troupe")};
  beside(how, node, "PostgreSQL, SKIP LOCKED", at_least(8),
         [&](milliseconds time) {
           return server.queue(std::chrono::ceil<std::chrono::seconds>(time));
         });
}

} // namespace

void queue_peers(const settings& how) {
  {
    queue_node node{0};
    if (jetstream_server::is_installed()) {
      jetstream_server nats;
      beside(how, node, "NATS JetStream, no fsync", at_least(0.85),
             [&](milliseconds time) { return nats.jobs(time); });
    } else {
      skipped("NATS JetStream");
    }
#ifdef TROUPE_BENCH_RABBITMQ
    if (rabbitmq_server::is_installed()) {
      rabbitmq_server rabbit;
      beside(how, node, "RabbitMQ, durable, confirmed", at_least(1.8),
             [&](milliseconds time) { return rabbit.jobs(time); });
    } else {
      skipped("RabbitMQ");
    }
#else
    skipped("RabbitMQ (or librabbitmq)");
#endif
  }
  if (postgres_bench_server::is_installed())
    beside_skip_locked(how);
  else
    skipped("PostgreSQL 15");
}

} // namespace troupe::bench
