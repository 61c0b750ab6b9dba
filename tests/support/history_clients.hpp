// Clients of a node that record what they asked for and were answered. They go
// on when the node is killed: what was sent and not answered is unknown, what
// could not be sent has failed, and the next goes to the node that comes then.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/history.hpp"
#include "tests/support/linearizability_specifications.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe::testing {

/// Where the node is now. Thread-safe.
class node_address {
public:
  /// Clients that have found no node wait until there is one again.
  void up(uint16_t port) {
    std::lock_guard guard{mutex_};
    port_ = port;
    ++generation_;
    changed_.notify_all();
  }

  /// There is no node, and will be none: clients end.
  void close() {
    std::lock_guard guard{mutex_};
    closed_ = true;
    changed_.notify_all();
  }

  struct place {
    uint16_t port;
    uint64_t generation;
  };

  /// A node that is newer than `seen`; nothing if there will be none.
  std::optional<place> newer(uint64_t seen) {
    std::unique_lock guard{mutex_};
    --busy_;
    changed_.notify_all();
    changed_.wait(guard, [&] { return generation_ > seen || closed_; });
    ++busy_;
    if (closed_)
      return std::nullopt;
    return place{port_, generation_};
  }

  bool closed() {
    std::lock_guard guard{mutex_};
    return closed_;
  }

  // -- who is under way ------------------------------------------------------

  void join() {
    std::lock_guard guard{mutex_};
    ++busy_;
  }

  /// An operation is done.
  void count() {
    std::lock_guard guard{mutex_};
    ++operations_;
    changed_.notify_all();
  }

  /// Waits until `n` more operations are done.
  void wait_for(size_t n) {
    std::unique_lock guard{mutex_};
    auto until = operations_ + n;
    wait(guard, [&] { return operations_ >= until; });
  }

  /// Waits until every client has seen that the node is gone.
  void wait_for_all() {
    std::unique_lock guard{mutex_};
    wait(guard, [&] { return busy_ == 0; });
  }

private:
  template <class Condition>
  void wait(std::unique_lock<std::mutex>& guard, Condition condition) {
    constexpr std::chrono::seconds patience{60};
    if (!changed_.wait_for(guard, patience, condition))
      throw std::runtime_error{"the clients get no further"};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  uint16_t port_ = 0;
  uint64_t generation_ = 0;
  size_t busy_ = 0;
  size_t operations_ = 0;
  bool closed_ = false;
};

/// One client; a keep-alive connection at a time.
class history_client {
public:
  history_client(node_address& where, uint64_t seed)
    : random_(seed), where_(where) {
    where_.join();
  }

  virtual ~history_client() = default;

  /// Calls until the address is closed. On a thread of its own.
  void run() {
    uint64_t seen = 0;
    while (auto place = where_.newer(seen)) {
      seen = place->generation;
      while ((!where_.closed() || unfinished()) && call(place->port))
        where_.count();
      connection_.reset();
    }
  }

protected:
  enum class sent {
    answered,
    /// Nothing was sent.
    refused,
    /// It was sent, and the connection broke.
    broken,
  };

  /// One operation; false if there is no node.
  virtual bool call(uint16_t port) = 0;

  /// It has something to bring to its end before it ends itself.
  virtual bool unfinished() const { return false; }

  std::pair<sent, test::http_answer> ask(uint16_t port, const std::string& path,
                                         const std::string& body,
                                         const test::fields& more = {}) {
    try {
      if (!connection_)
        connection_ = std::make_unique<test::raw_client>(port);
    } catch (const std::runtime_error&) {
      return {sent::refused, {}};
    }
    connection_->send(test::request("POST", path, body, more));
    auto answer = connection_->read();
    if (answer.status != 0)
      return {sent::answered, std::move(answer)};
    connection_.reset();
    return {sent::broken, {}};
  }

  /// Records an operation that has no result. False if there is no node.
  template <class Spec>
  static bool end(history<Spec>& to, typename history<Spec>::id id, sent how,
                  const test::http_answer& answer) {
    if (how == sent::answered)
      to.failed(id, answer.effect());
    else if (how == sent::refused)
      to.failed(id);
    else
      to.unknown(id);
    return how != sent::refused;
  }

  std::mt19937_64 random_;

private:
  node_address& where_;
  std::unique_ptr<test::raw_client> connection_;
};

/// The revision of an answer's ETag.
inline std::optional<uint64_t> revision_of(const test::http_answer& x) {
  auto tag = x.field("etag");
  if (tag.size() < 3 || tag.front() != '"')
    return std::nullopt;
  return std::stoull(tag.substr(1));
}

/// Increments and reads `counter/key`.
class counter_client final : public history_client {
public:
  using history_type = history<counter_specification>;

  counter_client(node_address& where, uint64_t seed, uint32_t number,
                 std::string key, history_type& to)
    : history_client(where, seed), number_(number), key_(std::move(key)),
      history_(to) {}

protected:
  bool call(uint16_t port) override {
    auto dice = random_() % 10;
    int64_t by = dice < 3 ? 0 : dice < 8 ? 1 : 1000;
    auto id = history_.begin(number_, key_, {by});
    auto path = "/services/counter/" + key_ + (by == 0 ? "/get" : "/increment");
    auto [how, answer] =
      ask(port, path, by == 0 ? std::string{} : std::to_string(by));
    if (answer.status != 200)
      return end(history_, id, how, answer);
    history_.completed(id, std::stoll(answer.body));
    return true;
  }

private:
  uint32_t number_;
  std::string key_;
  history_type& history_;
};

/// Reads and writes `data_service/key`; a write is for the revision that this
/// client saw last.
class register_client final : public history_client {
public:
  using history_type = history<register_specification>;

  register_client(node_address& where, uint64_t seed, uint32_t number,
                  std::string key, history_type& to)
    : history_client(where, seed), number_(number), key_(std::move(key)),
      history_(to) {}

protected:
  bool call(uint16_t port) override {
    return outdated_ || random_() % 4 == 0 ? read(port) : write(port);
  }

private:
  bool read(uint16_t port) {
    auto id = history_.begin(number_, key_, {});
    auto [how, answer] =
      ask(port, "/services/data_service/" + key_ + "/get_data", {});
    auto revision = revision_of(answer);
    if (answer.status != 200 || !revision)
      return end(history_, id, how, answer);
    history_.completed(id, {revision, answer.body, false});
    saw(*revision);
    return true;
  }

  bool write(uint16_t port) {
    auto value =
      "\"" + std::to_string(number_) + "-" + std::to_string(++last_) + "\"";
    auto id = history_.begin(number_, key_, {value, revision_});
    auto [how, answer] =
      ask(port, "/services/data_service/" + key_ + "/set_data", value,
          {"If-Match: \"" + std::to_string(revision_) + "\""});
    auto revision = revision_of(answer);
    outdated_ = true;
    if (answer.status == 412) {
      // The condition did not hold at some moment: that was observed.
      history_.completed(id, {revision, {}, true});
      return true;
    }
    if (answer.status != 200 || !revision)
      return end(history_, id, how, answer);
    history_.completed(id, {revision, {}, false});
    saw(*revision);
    return true;
  }

  void saw(uint64_t revision) {
    revision_ = revision;
    outdated_ = false;
  }

  uint32_t number_;
  std::string key_;
  history_type& history_;
  uint64_t revision_ = 0;
  bool outdated_ = false;
  uint64_t last_ = 0;
};

/// Clients, each on its thread.
class client_threads {
public:
  void start(std::unique_ptr<history_client> x) {
    clients_.push_back(std::move(x));
    threads_.emplace_back([client = clients_.back().get()] { client->run(); });
  }

  void join() {
    for (auto& x : threads_)
      x.join();
    threads_.clear();
  }

private:
  std::vector<std::unique_ptr<history_client>> clients_;
  std::vector<std::thread> threads_;
};

} // namespace troupe::testing
