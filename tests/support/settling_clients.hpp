// Clients of a store that may fail at any moment. Each has an entity of its own
// and knows what must be there of it: what was acknowledged, and at most one
// change of which nobody knows. Whenever it claims the entity, that is what it
// must find; a claim that finds one of the two settles which it is.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/store_calls.hpp"

namespace troupe::testing {

class settling_clients {
public:
  /// What a client adds to each change.
  using addition = std::function<void(commit_request&)>;

  settling_clients(state_store& store, int count, addition add = {})
    : store_(store), add_(std::move(add)) {
    for (int i = 0; i < count; ++i)
      clients_.emplace_back([this, i] {
        run({"settling", std::to_string(i)});
      });
  }

  settling_clients(const settling_clients&) = delete;
  settling_clients& operator=(const settling_clients&) = delete;

  ~settling_clients() { stop(); }

  /// Lets each settle its entity, so the store must work again by now.
  void stop() {
    is_over_ = true;
    for (auto& x : clients_)
      if (x.joinable())
        x.join();
  }

  /// Waits for so many more acknowledged changes; false if they do not come.
  bool wait_for(uint64_t changes,
                std::chrono::seconds time = std::chrono::seconds{60}) {
    auto end = std::chrono::steady_clock::now() + time;
    for (auto wanted = done + changes; done < wanted;) {
      if (std::chrono::steady_clock::now() > end)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
  }

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
  struct knowledge {
    stored_state certain;
    std::optional<stored_state> possible;
  };

  void run(const entity_id& entity) {
    knowledge known;
    uint64_t attempt = 0;
    while (claim_and_check(entity, known, ++attempt)) {
      auto token = fencing_token{7, attempt};
      while (!is_over_) {
        commit_request request{entity, token, known.certain.revision,
                               {},     {},    {}};
        request.next = {known.certain.revision + 1, std::to_string(++attempt)};
        if (add_)
          add_(request);
        if (!note(commit(store_, request), request.next, known))
          break;
      }
    }
  }

  /// Once it is over, a last time. False if there is no more to do.
  bool claim_and_check(const entity_id& entity, knowledge& known,
                       uint64_t attempt) {
    auto is_last = is_over_.load();
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    auto found = claim(store_, entity, {7, attempt});
    while (!found && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      found = claim(store_, entity, {7, attempt});
    }
    if (!found) {
      violate(entity, "it cannot be claimed: " + found.error().message());
      return false;
    }
    if (known.possible && found->found == *known.possible) {
      known.certain = *known.possible;
      ++written;
    }
    known.possible.reset();
    if (found->found != known.certain) {
      violate(entity, "revision " + std::to_string(found->found.revision)
                        + " state " + found->found.state + " is there, not "
                        + std::to_string(known.certain.revision) + " "
                        + known.certain.state);
      return false;
    }
    return !is_last;
  }

  /// False if it must be claimed again.
  bool note(commit_outcome outcome, const stored_state& next,
            knowledge& known) {
    switch (outcome) {
    case commit_outcome::done:
      known.certain = next;
      ++done;
      return true;
    case commit_outcome::refused:
    case commit_outcome::lock_lost: // they carry none
      return false;
    case commit_outcome::failed:
      ++failed;
      return false;
    case commit_outcome::unknown:
      known.possible = next;
      ++unknown;
      return false;
    }
    return false;
  }

  void violate(const entity_id& entity, const std::string& what) {
    std::lock_guard guard{mutex_};
    violations_.push_back(entity.key + ": " + what);
  }

  state_store& store_;
  addition add_;
  std::atomic<bool> is_over_{false};
  std::mutex mutex_;
  std::vector<std::string> violations_;
  std::vector<std::thread> clients_;
};

} // namespace troupe::testing
