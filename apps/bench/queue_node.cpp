#include "apps/bench/queue_node.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "actors/core/work_id.hpp"
#include "actors/core/work_queue.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/child_process.hpp"
#include "apps/bench/machine_use.hpp"
#include "apps/bench/wrk.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

work_time wall_now() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

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
    x.item.arguments = {queued_arguments, "application/json"};
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

} // namespace

queue_node::queue_node(uint64_t backlog) {
  if (backlog > 0)
    fill(data_.path(), backlog);
  node_.emplace(-1, std::vector<std::string>{},
                "sqlite:" + data_.path().string());
}

queue_node::queue_node(const std::string& store) {
  node_.emplace(-1, std::vector<std::string>{}, store);
}

queue_run queue_node::run(milliseconds time) {
  wrk_load load;
  load.port = port();
  load.connections = queued_in_flight;
  load.time = time;
  load.core = -1;
  load.target = queued_target;
  load.body = queued_arguments;
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

void queue_node::wait_until_done() {
  for (auto until = clock::now() + 60s; clock::now() < until;
       std::this_thread::sleep_for(5ms))
    if (read(); metric("troupe_queue_accepted_total")
                == metric("troupe_queue_attempts_total{outcome=\"succeeded\"}"))
      return;
  throw cannot_measure{"queued calls are not done in a minute"};
}

void queue_node::read() {
  child_process curl{
    {"curl", "-sS", "http://127.0.0.1:" + std::to_string(port()) + "/metrics"},
    -1};
  text_.clear();
  if (curl.finish(text_) != 0)
    throw cannot_measure{"the node's metrics cannot be read"};
}

double queue_node::metric(const std::string& row) const {
  auto at = text_.find("\n" + row + " ");
  return at == text_.npos ? 0 : std::stod(text_.substr(at + row.size() + 2));
}

std::string note_of(const queue_run& x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f us CPU a job", x.cpu_us);
  return text;
}

} // namespace troupe::bench
