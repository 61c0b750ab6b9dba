// A node that is nothing but its links, on real sockets: what a test sends, hears
// and waits for. Waiting ends when it happened; the time limit only ends a test
// that hangs.

#pragma once

#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "nodes/link/caf_link.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

/// A call and what came of it.
class sent_call final : public outgoing_call {
public:
  bool leave() noexcept override {
    std::lock_guard guard{mutex_};
    return left_ = !given_up_;
  }

  void answered(forwarded_answer x, caf::execution_unit*) noexcept override {
    std::lock_guard guard{mutex_};
    answer_ = std::move(x);
    ++answers_;
    changed_.notify_all();
  }

  void give_up() {
    std::lock_guard guard{mutex_};
    given_up_ = true;
  }

  bool left() const {
    std::lock_guard guard{mutex_};
    return left_;
  }

  int answers() const {
    std::lock_guard guard{mutex_};
    return answers_;
  }

  const forwarded_answer& wait() {
    std::unique_lock guard{mutex_};
    if (!changed_.wait_for(guard, 60s, [&] { return answers_ > 0; }))
      throw std::runtime_error{"no answer"};
    return answer_;
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  forwarded_answer answer_;
  int answers_ = 0;
  bool left_ = false;
  bool given_up_ = false;
};

using sent_call_ptr = caf::intrusive_ptr<sent_call>;

/// Echoes what it is called with, unless it is to keep it.
class link_node final : public link_listener {
public:
  explicit link_node(link::link_options options)
    : self(options.self), system(prepare(config_)),
      link(link::make_caf_link(system, std::move(options))) {
    link->listen(*this);
  }

  ~link_node() override {
    release();
    link = nullptr;
  }

  static link::link_options options(const std::string& id) {
    link::link_options result;
    result.self = {id, "1"};
    // Long enough for a machine that does something else as well.
    result.heartbeat_timeout = 30s;
    result.connect_timeout = 30s;
    result.reconnect = {10ms, 50ms};
    return result;
  }

  // -- link_listener ---------------------------------------------------------

  void received(std::vector<incoming_call_ptr> calls) noexcept override {
    for (auto& x : calls) {
      std::unique_lock guard{mutex_};
      ++received_;
      changed_.notify_all();
      if (keeps_) {
        kept_.push_back(std::move(x));
        continue;
      }
      guard.unlock();
      echo(*x);
    }
  }

  void noticed(const peer_identity& from, peer_notice x) noexcept override {
    note("notice " + from.node + " " + x.topic + " " + x.body);
  }

  void peer_up(const peer_identity& peer) noexcept override {
    note("up " + to_string(peer));
  }

  void peer_down(const peer_identity& peer,
                 std::string_view why) noexcept override {
    note("down " + to_string(peer) + ": " + std::string{why});
  }

  void refused(std::string_view address,
               std::string_view why) noexcept override {
    note("refused " + std::string{address} + ": " + std::string{why});
  }

  // -- for the test ----------------------------------------------------------

  peer_endpoint endpoint() const { return {self, link->address()}; }

  /// Connects and waits until the link is up.
  peer_link_ptr connect(const peer_endpoint& peer) {
    auto result = link->connect(peer);
    wait_for("up " + to_string(peer.who));
    return result;
  }

  /// Waits for an event that has `text` in it, takes it and all before it out,
  /// and gives it whole.
  std::string wait_for(const std::string& text) {
    std::string result;
    wait(
      [&] {
        for (size_t i = 0; i < events_.size(); ++i)
          if (events_[i].find(text) != std::string::npos) {
            result = events_[i];
            events_.erase(events_.begin(),
                          events_.begin() + static_cast<ptrdiff_t>(i) + 1);
            return true;
          }
        return false;
      },
      text);
    return result;
  }

  void wait_until_received(size_t n) {
    wait([&] { return received_ >= n; }, std::to_string(n) + " calls");
  }

  /// Calls wait for `release` from now on.
  void keep() {
    std::lock_guard guard{mutex_};
    keeps_ = true;
  }

  std::vector<incoming_call_ptr> kept() {
    std::lock_guard guard{mutex_};
    return kept_;
  }

  /// Drops what it keeps.
  void forget() {
    std::vector<incoming_call_ptr> calls;
    std::lock_guard guard{mutex_};
    calls.swap(kept_);
  }

  void release() {
    std::vector<incoming_call_ptr> calls;
    {
      std::lock_guard guard{mutex_};
      keeps_ = false;
      calls.swap(kept_);
    }
    for (auto& x : calls)
      echo(*x);
  }

  static sent_call_ptr send(const peer_link_ptr& to, std::string body = {}) {
    auto x = caf::make_counted<sent_call>();
    x->content.function = "echo";
    x->content.deadline = std::chrono::steady_clock::now() + 60s;
    x->content.arguments = {std::move(body), "text/plain"};
    to->send(x, nullptr);
    return x;
  }

  static void echo(incoming_call& x) {
    forwarded_answer answer;
    answer.result = std::move(x.content.arguments);
    x.answer(std::move(answer));
  }

private:
  static caf::actor_system_config& prepare(caf::actor_system_config& config) {
    link::prepare(config);
    config.set("scheduler.policy", caf::atom("sharing"));
    config.set("scheduler.max-threads", size_t{2});
    return config;
  }

  void note(std::string event) {
    std::lock_guard guard{mutex_};
    events_.push_back(std::move(event));
    changed_.notify_all();
  }

  void wait(const std::function<bool()>& done, const std::string& what) {
    std::unique_lock guard{mutex_};
    if (changed_.wait_for(guard, 60s, done))
      return;
    auto text = "no '" + what + "', but";
    for (auto& x : events_)
      text += " '" + x + "'";
    throw std::runtime_error{text};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
  std::vector<incoming_call_ptr> kept_;
  size_t received_ = 0;
  bool keeps_ = false;
  caf::actor_system_config config_;

public:
  const peer_identity self;
  caf::actor_system system;
  std::unique_ptr<cluster_link> link;
};

/// A `link_node` in a process of its own, for what cannot be done to a thread. To
/// be made before anything that has threads.
class link_process {
public:
  /// @param keeps it answers nothing
  explicit link_process(const link::link_options& options, bool keeps = false)
    : self_(options.self) {
    int ends[2];
    if (::pipe(ends) != 0)
      throw std::runtime_error{"no pipe"};
    id_ = ::fork();
    if (id_ == 0)
      serve(options, keeps, ends[1]);
    ::close(ends[1]);
    char text[64];
    auto n = ::read(ends[0], text, sizeof(text));
    address_.assign(text, n > 0 ? static_cast<size_t>(n) : 0);
    ::close(ends[0]);
  }

  link_process(const link_process&) = delete;

  ~link_process() { kill(); }

  peer_endpoint endpoint() const { return {self_, address_}; }

  /// Returns when all of it stands still.
  void stop() const {
    ::kill(id_, SIGSTOP);
    int status;
    ::waitpid(id_, &status, WUNTRACED);
  }

  void go_on() const { ::kill(id_, SIGCONT); }

  void kill() {
    if (id_ <= 0)
      return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = -1;
  }

private:
  [[noreturn]] static void serve(const link::link_options& options, bool keeps,
                                 int out) {
    link_node node{options};
    if (keeps)
      node.keep();
    auto address = node.link->address();
    if (::write(out, address.data(), address.size()) < 0)
      ::_exit(1);
    for (;;)
      ::pause();
  }

  const peer_identity self_;
  pid_t id_ = -1;
  std::string address_;
};

} // namespace troupe::testing
