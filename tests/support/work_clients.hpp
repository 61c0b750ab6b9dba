// Nodes that share a queue of work which may fail at any moment. Each accepts
// work and ends it: some begins at once, some waits for whoever claims it first.
// Whatever the queue has acknowledged must be there in the end, done once: each
// attempt is given to one node, and what follows a report is there once.

#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/work_calls.hpp"

namespace troupe::testing {

class work_clients {
public:
  work_clients(work_queue& queue, int count) : queue_(queue) {
    for (int i = 0; i < count; ++i)
      clients_.emplace_back([this, i] { run("node " + std::to_string(i)); });
  }

  work_clients(const work_clients&) = delete;
  work_clients& operator=(const work_clients&) = delete;

  ~work_clients() { stop(); }

  /// Lets each end what it has begun, so the store must work again by now.
  void stop() {
    is_over_ = true;
    for (auto& x : clients_)
      if (x.joinable())
        x.join();
  }

  /// Waits for so many more reports that are done; false if they do not come.
  bool wait_for(uint64_t reports,
                std::chrono::seconds time = std::chrono::seconds{60}) {
    auto end = clock::now() + time;
    for (auto wanted = done + reports; done < wanted;) {
      if (clock::now() > end)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
  }

  /// After `stop`: does what waits still, and looks whether all is there.
  void check() {
    while (claim_and_end("last node"))
      ;
    for (uint64_t n = 0; n < next_; ++n) {
      auto found = find_work(queue_, work_id(n));
      if (!found || !*found || (*found)->state != work_state::succeeded)
        violate(n, "was acknowledged, and is not done");
      auto next = find_work(queue_, next_id(n));
      if (!next || !*next || (*next)->state != work_state::waiting)
        violate(n, "is done without what follows it");
    }
    if (ended_.size() != next_)
      violate(next_, "were accepted, and another number was done: "
                       + std::to_string(ended_.size()));
  }

  uint64_t accepted() const { return next_; }

  /// What was found that must not be, in words.
  std::vector<std::string> violations() {
    std::lock_guard guard{mutex_};
    return violations_;
  }

  std::string summary() const {
    return std::to_string(done) + " done, " + std::to_string(unknown)
           + " unknown (" + std::to_string(written) + " of them written), "
           + std::to_string(failed) + " failed";
  }

  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> unknown{0};
  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> failed{0};

private:
  using clock = std::chrono::steady_clock;

  static constexpr uint64_t follows = 1'000'000'000;

  static invocation_id next_id(uint64_t n) { return work_id(follows + n); }

  void run(const std::string& node) {
    while (!is_over_) {
      auto n = next_++;
      auto begins = n % 3 != 0;
      accept_until_known(n, begins ? node : "");
      if (begins)
        end({work_id(n), node, 1});
      else
        claim_and_end(node);
    }
  }

  void accept_until_known(uint64_t n, const std::string& node) {
    work_request x{work(n), "", "print", node};
    x.item.attempts_max = UINT32_MAX; // none is dead for what the store does
    if (n % 5 == 0)
      x.idempotency_key = std::to_string(n);
    if (n % 7 == 0)
      x.item.arguments.bytes = std::string(10'000, 'x');
    auto is_lost = false;
    auto accepted = accept(queue_, x);
    auto until = clock::now() + std::chrono::seconds{120};
    while (!accepted && clock::now() < until) {
      is_lost |= note(accepted.error().what_happened() == effect::unknown);
      accepted = accept(queue_, x);
    }
    if (!accepted)
      return violate(n, "cannot be accepted: " + accepted.error().message());
    if (accepted->id != x.item.id || (!accepted->is_new && !is_lost))
      violate(n, "is other work");
    written += accepted->is_new ? 0 : 1;
  }

  /// False if there is none.
  bool claim_and_end(const std::string& node) {
    auto found = begin_claim(queue_, node, {{"add", 3}}, at(0)).get();
    if (!found) {
      note(found.error().what_happened() == effect::unknown);
      give_back_all(node);
      return true;
    }
    for (auto& x : *found)
      end({x.item.id, node, x.attempt});
    return !found->empty();
  }

  /// What it claimed without being told; it has nothing else at hand.
  void give_back_all(const std::string& node) {
    auto until = clock::now() + std::chrono::seconds{120};
    while (clock::now() < until) {
      auto count = give_back(queue_, node, at(0), 100);
      if (count && *count == 0)
        return;
      if (!count)
        note(count.error().what_happened() == effect::unknown);
    }
    violate(0, "claims cannot be given back");
  }

  void end(work_report x) {
    auto n = x.id.low;
    {
      std::lock_guard guard{mutex_};
      if (!given_.emplace(n, x.attempt).second)
        violations_.push_back(std::to_string(n) + " was given twice");
    }
    x.end = work_end::succeeded;
    x.follow = {{work(follows + n, {"next"}), std::to_string(n), "print"}};
    auto outcome = report(queue_, x, at(1));
    auto until = clock::now() + std::chrono::seconds{120};
    while (outcome != work_outcome::done && outcome != work_outcome::refused
           && clock::now() < until) {
      note(outcome == work_outcome::unknown);
      outcome = report(queue_, x, at(1));
    }
    if (outcome != work_outcome::done)
      return violate(n, "cannot be ended by whoever has it");
    ++done;
    std::lock_guard guard{mutex_};
    if (!ended_.insert(n).second)
      violations_.push_back(std::to_string(n) + " was done twice");
  }

  bool note(bool is_unknown) {
    ++(is_unknown ? unknown : failed);
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return is_unknown;
  }

  void violate(uint64_t n, const std::string& what) {
    std::lock_guard guard{mutex_};
    violations_.push_back(std::to_string(n) + ' ' + what);
  }

  work_queue& queue_;
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> next_{0};
  std::mutex mutex_; // guards what follows
  std::set<std::pair<uint64_t, uint32_t>> given_;
  std::set<uint64_t> ended_;
  std::vector<std::string> violations_;
  std::vector<std::thread> clients_;
};

} // namespace troupe::testing
