// Baseline: what a durable counter over HTTP can do here without any runtime.
// Boost.Beast on one thread, SQLite on another, which commits whatever waits, up
// to 64 increments of one row a transaction, and sends the answers back
// together. No routing, deadlines, tokens, JSON states or restarts.

#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "apps/bench/beast_server.hpp"
#include "apps/bench/temporary.hpp"

namespace {

using namespace troupe::bench;

constexpr size_t group_max = 64;

/// Waits for increments and commits them. Ends with the process.
template <class Waiting>
class durable_counter {
public:
  explicit durable_counter(asio::io_context& io) : io_(io) {
    db_.exec("PRAGMA journal_mode=WAL");
    db_.exec("PRAGMA synchronous=FULL");
    db_.exec("CREATE TABLE counter (key TEXT PRIMARY KEY, value INTEGER) "
             "WITHOUT ROWID");
    db_.exec("INSERT INTO counter VALUES ('hot', 0)");
    std::thread{[this] { work(); }}.detach();
  }

  void increment(Waiting who) {
    {
      std::lock_guard guard{mutex_};
      waiting_.push_back(std::move(who));
    }
    wake_.notify_one();
  }

private:
  void work() {
    SQLite::Statement update{db_, "UPDATE counter SET value = ?1"};
    for (;;) {
      auto group = take();
      update.bind(1, value_ + static_cast<int64_t>(group.size()));
      update.exec(); // its own transaction
      update.reset();
      asio::post(io_, [first = value_, group = std::move(group)]() mutable {
        for (auto& x : group)
          x->answer(std::to_string(++first), "application/json");
      });
      value_ += static_cast<int64_t>(committed_);
    }
  }

  std::vector<Waiting> take() {
    std::unique_lock guard{mutex_};
    wake_.wait(guard, [this] { return !waiting_.empty(); });
    auto n = std::min(group_max, waiting_.size());
    auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(n);
    std::vector<Waiting> result{std::make_move_iterator(waiting_.begin()),
                                std::make_move_iterator(end)};
    waiting_.erase(waiting_.begin(), end);
    committed_ = n;
    return result;
  }

  asio::io_context& io_;
  temporary_folder folder_;
  SQLite::Database db_{(folder_.path() / "data.db").string(),
                       SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  int64_t value_ = 0;
  size_t committed_ = 0; // by the last `take`
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;
};

struct increment;

using session_ptr = std::shared_ptr<beast_session<increment>>;

struct increment {
  durable_counter<session_ptr>* counter;

  void operator()(const session_ptr& from) const { counter->increment(from); }
};

} // namespace

int main(int argc, char** argv) {
  auto given = parse_echo_options(argc, argv);
  asio::io_context io{1};
  durable_counter<session_ptr> counter{io};
  beast_listener<increment> in{io, given.port, {&counter}};
  std::cout << in.port() << std::endl;
  io.run();
}
