// Clients of nodes that record what they asked for and were answered. They go on
// when a node is killed: what was sent and not answered is unknown, what could
// not be sent has failed, and the next goes to another node, or to one that comes
// then.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/history.hpp"
#include "tests/support/linearizability_specifications.hpp"
#include "tests/support/network.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe::testing {

/// Where a run of a node can be reached.
struct node_place {
  uint16_t port = 0;

  /// See `node_settings`.
  const test::network_namespace* network = nullptr;

  /// Another one for each run.
  uint64_t run = 0;
};

/// Where nodes are now. Thread-safe.
class node_address {
public:
  /// A node, or another run of it. Clients that have found none wait for one.
  void up(const std::string& node, uint16_t port,
          const test::network_namespace* network = nullptr) {
    std::lock_guard guard{mutex_};
    places_[node] = {port, network, ++runs_};
    changed_.notify_all();
  }

  /// The only node.
  void up(uint16_t port) { up({}, port); }

  /// Clients go to it no more. What they have asked it for they wait for.
  void down(const std::string& node) {
    std::lock_guard guard{mutex_};
    places_.erase(node);
  }

  /// There is no such run.
  void gone(uint64_t run) {
    std::lock_guard guard{mutex_};
    std::erase_if(places_, [=](auto& x) { return x.second.run == run; });
  }

  /// There are no nodes, and will be none: clients end.
  void close() {
    std::lock_guard guard{mutex_};
    closed_ = true;
    changed_.notify_all();
  }

  /// Some node; nothing if there will be none.
  std::optional<node_place> any(uint64_t dice) {
    std::unique_lock guard{mutex_};
    --busy_;
    changed_.notify_all();
    changed_.wait(guard, [&] { return !places_.empty() || closed_; });
    ++busy_;
    if (closed_)
      return std::nullopt;
    auto some = static_cast<ptrdiff_t>(dice % places_.size());
    return std::next(places_.begin(), some)->second;
  }

  /// Whether clients go to that run, and have no others to choose from; else
  /// they change the node now and then.
  enum class standing : uint8_t { gone, one_of_many, only };

  standing stands(uint64_t run) {
    std::lock_guard guard{mutex_};
    for (auto& [node, x] : places_)
      if (x.run == run)
        return places_.size() > 1 ? standing::one_of_many : standing::only;
    return standing::gone;
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

  /// An operation is done, or has failed other than by being turned away.
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
  std::map<std::string, node_place> places_;
  uint64_t runs_ = 0;
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
    while (auto place = where_.any(random_())) {
      do {
        if (!call(*place)) {
          where_.gone(place->run);
          break;
        }
        if (comes_later_)
          std::this_thread::sleep_for(pause); // as it was told
        else
          where_.count();
      } while ((!where_.closed() && is_connected() && stays(place->run))
               || unfinished());
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
  virtual bool call(const node_place& at) = 0;

  /// It has something to bring to its end before it ends itself.
  virtual bool unfinished() const { return false; }

  std::pair<sent, test::http_answer> ask(const node_place& at,
                                         const std::string& path,
                                         const std::string& body,
                                         const test::fields& more = {}) {
    return ask_with("POST", at, path, body, more);
  }

  std::pair<sent, test::http_answer> ask_with(std::string_view method,
                                              const node_place& at,
                                              const std::string& path,
                                              const std::string& body,
                                              const test::fields& more) {
    auto fields = more;
    fields.push_back("Troupe-Timeout-Ms: " + std::to_string(timeout_ms));
    return ask_without_limit(method, at, path, body, fields);
  }

  std::pair<sent, test::http_answer>
  ask_without_limit(std::string_view method, const node_place& at,
                    const std::string& path, const std::string& body,
                    const test::fields& fields) {
    try {
      if (!connection_)
        connect(at);
    } catch (const std::runtime_error&) {
      return {sent::refused, {}};
    }
    connection_->send(test::request(method, path, body, fields));
    auto answer = connection_->read();
    comes_later_ = answer.status == 503;
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
      to.ended(id, answer.effect(), answer.error_type(), answer.body);
    else if (how == sent::refused)
      to.failed(id, "refused");
    else
      to.unknown(id, "broken");
    return how != sent::refused;
  }

  std::mt19937_64 random_;

private:
  /// Operations on one connection, when there are other nodes to go to.
  static constexpr uint64_t operations_per_connection = 32;

  /// A client that is turned away at once does not come at once again: else most
  /// of a history is of that. (`Retry-After` says a second or more, at the end of
  /// which nobody would be in the middle of anything.)
  static constexpr std::chrono::milliseconds pause{20};

  /// From when the node reads it.
  static constexpr uint64_t timeout_ms = 10'000;

  void connect(const node_place& at) {
    test::inside_network there{at.network};
    connection_ = std::make_unique<test::raw_client>(at.port);
    // A node may stand still for as long as another one takes to start.
    connection_->be_patient(std::chrono::seconds{180});
  }

  /// One that is closed between two calls is no failure of either.
  bool is_connected() { return connection_ && !connection_->is_closed(); }

  bool stays(uint64_t run) {
    switch (where_.stands(run)) {
    case node_address::standing::gone:
      return false;
    case node_address::standing::one_of_many:
      return random_() % operations_per_connection != 0;
    case node_address::standing::only:
      break;
    }
    return true;
  }

  node_address& where_;
  std::unique_ptr<test::raw_client> connection_;
  bool comes_later_ = false;
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
  bool call(const node_place& at) override {
    auto dice = random_() % 10;
    int64_t by = dice < 3 ? 0 : dice < 8 ? 1 : 1000;
    auto id = history_.begin(number_, key_, {by});
    auto path = "/services/counter/" + key_ + (by == 0 ? "/get" : "/increment");
    auto [how, answer] =
      ask(at, path, by == 0 ? std::string{} : std::to_string(by));
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
  bool call(const node_place& at) override {
    return outdated_ || random_() % 4 == 0 ? read(at) : write(at);
  }

private:
  bool read(const node_place& at) {
    auto id = history_.begin(number_, key_, {});
    auto [how, answer] =
      ask(at, "/services/data_service/" + key_ + "/get_data", {});
    auto revision = revision_of(answer);
    if (answer.status != 200 || !revision)
      return end(history_, id, how, answer);
    history_.completed(id, {revision, answer.body, false});
    saw(*revision);
    return true;
  }

  bool write(const node_place& at) {
    auto value =
      "\"" + std::to_string(number_) + "-" + std::to_string(++last_) + "\"";
    auto id = history_.begin(number_, key_, {value, revision_});
    auto [how, answer] =
      ask(at, "/services/data_service/" + key_ + "/set_data", value,
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
