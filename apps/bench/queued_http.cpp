// Queued calls over HTTP: each is on disk when it is accepted, and its end and
// its result are on disk when it counts as done. Beside SQLite alone, which
// inserts as many rows, and then their results, in transactions of 64; and with a
// million other jobs in the queue.

#include <cstdio>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/work_id.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/queue_node.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr auto in_flight = queued_in_flight;
constexpr auto target = queued_target;
constexpr auto arguments = queued_arguments;

std::chrono::sys_time<milliseconds> wall_now() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

// -- SQLite alone --------------------------------------------------------------

/// What a queue that keeps results must at least do: a row for each job, found by
/// its id.
class bare_queue {
public:
  bare_queue() {
    db_.exec("PRAGMA journal_mode=WAL");
    db_.exec("PRAGMA synchronous=FULL");
    db_.exec(
      "CREATE TABLE job (number INTEGER PRIMARY KEY, id BLOB NOT NULL "
      "UNIQUE, name TEXT NOT NULL, state INTEGER NOT NULL, body BLOB NOT "
      "NULL, result BLOB)");
  }

  /// Jobs a second: accepted in one transaction, acknowledged in the next.
  double rate(milliseconds time) {
    SQLite::Statement insert{db_, "INSERT INTO job (id, name, state, body) "
                                  "VALUES (?1, 'add', 0, ?2)"};
    SQLite::Statement end{
      db_, "UPDATE job SET state = 1, result = ?2 WHERE id = ?1"};
    const std::string body = arguments;
    std::vector<std::string> ids(in_flight);
    auto began = clock::now();
    uint64_t jobs = 0;
    for (; clock::now() < began + time; jobs += in_flight) {
      SQLite::Transaction accept{db_, SQLite::TransactionBehavior::IMMEDIATE};
      for (auto& x : ids) {
        auto id = ids_.next(wall_now());
        x.assign(reinterpret_cast<const char*>(&id), sizeof id);
        insert.bind(1, x.data(), static_cast<int>(x.size()));
        insert.bind(2, body.data(), static_cast<int>(body.size()));
        insert.exec();
        insert.reset();
      }
      accept.commit();
      SQLite::Transaction done{db_, SQLite::TransactionBehavior::IMMEDIATE};
      for (auto& x : ids) {
        end.bind(1, x.data(), static_cast<int>(x.size()));
        end.bind(2, "5", 1);
        end.exec();
        end.reset();
      }
      done.commit();
    }
    auto took = std::chrono::duration<double>(clock::now() - began);
    return static_cast<double>(jobs) / took.count();
  }

private:
  temporary_folder folder_;
  SQLite::Database db_{(folder_.path() / "data.db").string(),
                       SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  work_ids ids_;
};

void against_sqlite(const settings& how, queue_node& node) {
  auto time = how.time(3000ms);
  bare_queue bare;
  bare.rate(time / 4);
  node.run(time);
  queue_run last;
  auto rounds = alternate(
    how, [&] { return bare.rate(time); },
    [&] { return (last = node.run(time)).jobs_per_second; });
  auto result =
    from_rounds("queued calls, 64 clients, until done", "jobs/s",
                "SQLite, 64 a commit", at_least(0.45), std::move(rounds));
  result.note = note_of(last);
  how.report(std::move(result));
}

void with_backlog(const settings& how, queue_node& node) {
  auto time = how.time(3000ms);
  uint64_t count = 1'000'000 / how.hurry;
  queue_node full{count};
  full.run(time);
  queue_run last;
  auto rounds = alternate(
    how, [&] { return node.run(time).jobs_per_second; },
    [&] { return (last = full.run(time)).jobs_per_second; });
  auto result = from_rounds(
    "the same, " + std::to_string(count) + " other jobs in the queue", "jobs/s",
    "without them", at_least(0.9), std::move(rounds));
  result.note = note_of(last);
  how.report(std::move(result));
}

/// The bound, in ms, below which `part` of the waits are that `after` has and
/// `before` has not.
double wait_percentile(const std::string& before, const std::string& after,
                       double part) {
  auto count_below = [](const std::string& text, const std::string& bound) {
    auto row = "\ntroupe_queue_wait_seconds_bucket{le=\"" + bound + "\"} ";
    auto at = text.find(row);
    return at == text.npos ? 0.0 : std::stod(text.substr(at + row.size()));
  };
  const std::string all = "+Inf";
  auto total = count_below(after, all) - count_below(before, all);
  const std::string mark = "\ntroupe_queue_wait_seconds_bucket{le=\"";
  for (auto at = after.find(mark); at != after.npos;
       at = after.find(mark, at + 1)) {
    auto from = at + mark.size();
    auto bound = after.substr(from, after.find('"', from) - from);
    if (count_below(after, bound) - count_below(before, bound) >= part * total)
      return bound == all ? -1 : std::stod(bound) * 1e3;
  }
  return -1;
}

/// From accepted to begun, at half of what the node can do.
void waits_at_half_load(const settings& how, queue_node& node) {
  auto most = node.run(how.time(3000ms)).jobs_per_second;
  node.read();
  auto before = node.metrics();
  auto call =
    post(target, arguments,
         "Content-Type: application/json\r\nPrefer: respond-async\r\n");
  run_load(node.port(), {{call, in_flight, most / 2}}, how.time(3000ms));
  node.wait_until_done();
  auto after = node.metrics();
  for (auto [name, part] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
    figure x;
    x.name = std::string{name} + " from accepted to begun, at half load";
    x.unit = "ms";
    x.ours = wait_percentile(before, after, part);
    char text[80];
    std::snprintf(text, sizeof text, "at most; %.0f jobs/s of %.0f", most / 2,
                  most);
    x.note = text;
    how.report(std::move(x));
  }
}

} // namespace

void queued_http(const settings& how) {
  queue_node node{0};
  against_sqlite(how, node);
  waits_at_half_load(how, node);
  with_backlog(how, node);
}

} // namespace troupe::bench
