// What stands before the nodes of a cluster: it asks each of them whether it is
// ready, and tells clients to go where one is. As load balancers do, it asks now
// and then only, and clients are at a node a while longer than it is ready.

#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tests/support/history_clients.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe::testing {

class load_balancer {
public:
  /// @param clients outlives it
  explicit load_balancer(node_address& clients)
    : clients_(clients), thread_([this] { run(); }) {}

  load_balancer(const load_balancer&) = delete;

  ~load_balancer() {
    done_ = true;
    thread_.join();
  }

  /// A node, or another run of it, that may get calls once it is ready.
  void watch(const std::string& node, const test::node_process& process) {
    std::lock_guard guard{mutex_};
    targets_[node] = {process.port(), process.network(), false};
  }

  /// Whether calls go to it.
  bool is_ready(const std::string& node) {
    std::lock_guard guard{mutex_};
    return targets_.at(node).is_ready;
  }

private:
  static constexpr std::chrono::milliseconds interval{250};

  struct target {
    uint16_t port = 0;
    const test::network_namespace* network = nullptr;
    bool is_ready = false;
  };

  void run() {
    while (!done_) {
      std::map<std::string, target> now;
      {
        std::lock_guard guard{mutex_};
        now = targets_;
      }
      for (auto& [node, x] : now)
        saw(node, x, answers(x));
      std::this_thread::sleep_for(interval); // its own pace
    }
  }

  static bool answers(const target& x) {
    try {
      test::inside_network there{x.network};
      return test::ask(x.port, test::request("GET", "/readyz")).status == 200;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  void saw(const std::string& node, const target& asked, bool is_ready) {
    std::lock_guard guard{mutex_};
    auto& x = targets_[node];
    if (x.port != asked.port || x.is_ready == is_ready)
      return;
    x.is_ready = is_ready;
    if (is_ready)
      clients_.up(node, x.port, x.network);
    else
      clients_.down(node);
  }

  node_address& clients_;
  std::mutex mutex_; // guards what follows
  std::map<std::string, target> targets_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

} // namespace troupe::testing
