// Queued calls over HTTP: each is on disk when it is accepted, and its end and
// its result are on disk when it counts as done. Beside SQLite alone, which
// inserts as many rows, and then their results, in transactions of 64; and with a
// million other jobs in the queue.

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/work_id.hpp"
#include "actors/core/work_queue.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/child_process.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine_use.hpp"
#include "apps/bench/temporary.hpp"
#include "apps/bench/wrk.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr unsigned in_flight = 64;
constexpr auto target = "/invoke/add";
constexpr auto arguments = "[2,3]";

work_time wall_now() {
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

// -- ours ----------------------------------------------------------------------

/// Jobs that are there, and that nobody here does now: half of them are due in
/// an hour, half are of a function that this node has not.
void fill(const std::filesystem::path& folder, uint64_t count) {
  sqlite_store store{folder};
  work_ids ids;
  std::atomic<uint64_t> left{count};
  std::promise<void> end;
  for (uint64_t i = 0; i < count; ++i) {
    work_request x;
    x.item.id = ids.next(wall_now());
    x.item.target.name = i % 2 ? "add" : "elsewhere";
    x.item.arguments = {arguments, "application/json"};
    x.item.accepted = wall_now();
    x.item.due = x.item.accepted + (i % 2 ? 1h : 0h);
    x.item.expires = x.item.due + 24h;
    while (left.load() > count - i + 4096)
      std::this_thread::yield();
    store.work()->accept(std::move(x), [&](expected<work_accepted> done) {
      if (!done)
        std::abort();
      if (--left == 0)
        end.set_value();
    });
  }
  end.get_future().get();
}

struct queue_run {
  double jobs_per_second = 0;

  /// Of one core, of the node.
  double cpu_us = 0;
};

class queue_node {
public:
  explicit queue_node(uint64_t backlog) {
    if (backlog > 0)
      fill(data_.path(), backlog);
    node_.emplace(-1, std::vector<std::string>{},
                  "sqlite:" + data_.path().string());
  }

  uint16_t port() const { return node_->port(); }

  /// Accepts for `time`, and counts until all of it is done.
  queue_run run(milliseconds time) {
    wrk_load load;
    load.port = port();
    load.connections = in_flight;
    load.time = time;
    load.core = -1;
    load.target = target;
    load.body = arguments;
    load.content_type = "application/json";
    load.prefer = "respond-async";
    machine_meter meter{{node_->id()}, data_.path()};
    auto accepted = run_wrk(load);
    auto ended = clock::now();
    wait_until_done();
    auto took = accepted.requests / accepted.requests_per_second
                + std::chrono::duration<double>(clock::now() - ended).count();
    auto used = meter.used();
    return {accepted.requests / took,
            used.core_seconds(used.nodes) * 1e6 / accepted.requests};
  }

  /// Until nothing that was accepted here waits or runs.
  void wait_until_done() {
    for (auto until = clock::now() + 60s; clock::now() < until;
         std::this_thread::sleep_for(5ms))
      if (read();
          metric("troupe_queue_accepted_total")
          == metric("troupe_queue_attempts_total{outcome=\"succeeded\"}"))
        return;
    throw cannot_measure{"queued calls are not done in a minute"};
  }

  void read() {
    child_process curl{
      {"curl", "-sS",
       "http://127.0.0.1:" + std::to_string(port()) + "/metrics"},
      -1};
    text_.clear();
    if (curl.finish(text_) != 0)
      throw cannot_measure{"the node's metrics cannot be read"};
  }

  /// Of what was read; 0 if there is none.
  double metric(const std::string& row) const {
    auto at = text_.find("\n" + row + " ");
    return at == text_.npos ? 0 : std::stod(text_.substr(at + row.size() + 2));
  }

  const std::string& metrics() const noexcept { return text_; }

private:
  temporary_folder data_;
  std::optional<node_server> node_;
  std::string text_;
};

std::string note_of(const queue_run& x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f us CPU a job", x.cpu_us);
  return text;
}

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
