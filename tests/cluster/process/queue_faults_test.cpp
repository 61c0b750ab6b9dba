// Clients at all nodes of a cluster that queue calls, while nodes are killed,
// paused past their leases, drained and started again. Whatever was accepted
// ends: in a result, in its destination, or as a dead letter. What changes an
// entity has changed it once.
//
// A client that is not told whether its call was accepted asks again, with the
// same key, until it is.
//
// TROUPE_QUEUED sets how many calls there are, TROUPE_FAULT_ROUNDS how many
// faults at least, TROUPE_SEED with which chances, TROUPE_FAULTS (a number, see
// `fault`) that one fault alone.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/history_clients.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/nemesis.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

using json = nlohmann::json;
using namespace std::chrono_literals;

constexpr size_t client_count = 12;
constexpr size_t counters = 40;

/// Calls that are accepted before a fault begins, and after it is over.
constexpr size_t calls_before = 150;
constexpr size_t calls_after = 150;

/// What is left when the last fault is over is at most a pause before a repeat.
constexpr auto time_to_end = 60s;

enum class kind : uint8_t {
  increments, // a counter
  adds,       // and has a result
  fails,      // and becomes a dead letter
  is_told,    // cannot begin, and an entity is told so
};

struct queued_call {
  kind what = kind::adds;
  size_t number = 0;

  /// Once it is accepted.
  std::string id{};
};

/// All calls, each of which one client queues.
class call_list {
public:
  call_list(size_t count, uint64_t seed) {
    std::mt19937_64 random{seed};
    for (size_t i = 0; i < count; ++i) {
      auto dice = random() % 10;
      calls_.push_back({dice < 6   ? kind::increments
                        : dice < 8 ? kind::adds
                        : dice < 9 ? kind::fails
                                   : kind::is_told,
                        i});
    }
  }

  /// Null when there are no more.
  queued_call* next() {
    auto i = next_.fetch_add(1);
    return i < calls_.size() ? &calls_[i] : nullptr;
  }

  void accepted() { ++accepted_; }

  size_t count_accepted() const { return accepted_; }

  const std::vector<queued_call>& all() const { return calls_; }

private:
  std::vector<queued_call> calls_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> accepted_{0};
};

std::string counter_of(const queued_call& x) {
  return "c" + std::to_string(x.number % counters);
}

/// An entity that is told of the failure of `id`.
std::string told(const std::string& id) {
  return "data_service/told-" + id;
}

class queueing_client final : public history_client {
public:
  queueing_client(node_address& where, uint64_t seed, call_list& calls)
    : history_client(where, seed), calls_(calls) {}

  /// Asked for after its end.
  std::vector<std::string> surprises;

protected:
  bool call(const node_place& at) override {
    if (!mine_ && !(mine_ = calls_.next())) {
      std::this_thread::sleep_for(5ms); // until all others are done, too
      return true;
    }
    auto [path, body] = request_of(*mine_);
    auto [how, answer] = ask_without_limit(
      "POST", at, path, body,
      {"Prefer: respond-async",
       "Idempotency-Key: call-" + std::to_string(mine_->number)});
    if (how == sent::answered && answer.status == 202) {
      mine_->id = json::parse(answer.body).at("id");
      mine_ = nullptr;
      calls_.accepted();
    } else if (how == sent::answered && answer.status < 500
               && answer.status != 429)
      surprises.push_back(answer.head + answer.body);
    return how != sent::refused;
  }

private:
  static std::pair<std::string, std::string> request_of(const queued_call& x) {
    auto n = std::to_string(x.number);
    switch (x.what) {
    case kind::increments:
      return {"/services/counter/" + counter_of(x) + "/increment", "1"};
    case kind::adds:
      return {"/invoke/add", "[" + n + ",1]"};
    case kind::fails:
      return {"/invoke/fail", n};
    case kind::is_told:
      return {"/invoke/sleep", "\"no number\""};
    }
    return {};
  }

  call_list& calls_;
  queued_call* mine_ = nullptr;
};

class queue_faults : public ::testing::TestWithParam<test::store_kind> {
protected:
  void start() {
    test::cluster_settings settings;
    settings.store = store_.get();
    settings.logs = evidence_.path();
    settings.options = {
      "--queued", "counter/=pause:20ms,max-pause:200ms",
      "--queued", "fail=attempts:2,pause:20ms",
      "--queued", "sleep=on-failure:" + told("{id}") + "/set_data"};
    nodes_ = std::make_unique<test::node_cluster>(settings);
    for (auto& id : ids_)
      nodes_->start(id);
    nemesis_ = std::make_unique<nemesis>(*nodes_, ids_, *store_, nullptr,
                                         random_(), story_, begin_);
  }

  void run(call_list& calls) {
    node_address where;
    std::vector<queueing_client*> all;
    client_threads clients;
    for (size_t i = 0; i < client_count; ++i) {
      auto x = std::make_unique<queueing_client>(where, random_(), calls);
      all.push_back(x.get());
      clients.start(std::move(x));
    }
    nemesis_->clients(where);
    auto left = number_from_environment("TROUPE_FAULT_ROUNDS", 3);
    while (calls.count_accepted() < calls.all().size() || left > 0) {
      where.wait_for(calls_before);
      nemesis_->strike(next_fault(), ids_[random_() % ids_.size()]);
      where.wait_for(calls_after);
      left -= left > 0 ? 1 : 0;
      ++faults_;
    }
    where.close();
    clients.join();
    for (auto x : all)
      EXPECT_EQ(x->surprises, std::vector<std::string>{});
  }

  fault next_fault() {
    constexpr uint64_t any = ~uint64_t{0};
    auto only = number_from_environment("TROUPE_FAULTS", any);
    if (only != any)
      return static_cast<fault>(only);
    if (to_come_.empty()) {
      to_come_ = process_faults();
      std::shuffle(to_come_.begin(), to_come_.end(), random_);
    }
    auto result = to_come_.back();
    to_come_.pop_back();
    return result;
  }

  json read(const std::string& path) {
    auto& node = (*nodes_)[ids_[random_() % ids_.size()]];
    auto x = test::get(node, path);
    return x.status == 200 ? json::parse(x.body, nullptr, false) : json{};
  }

  /// Nothing waits and nothing runs.
  void wait_for_the_end() {
    auto until = nemesis::clock::now() + time_to_end;
    json last;
    while (nemesis::clock::now() < until) {
      last = read("/queue");
      auto lanes = last.find("lanes");
      if (lanes != last.end()
          && std::all_of(lanes->begin(), lanes->end(), [](auto& x) {
               return x.at("queued") == 0 && x.at("running") == 0;
             }))
        return;
      std::this_thread::sleep_for(50ms);
    }
    ADD_FAILURE() << "still there: " << last;
  }

  void check(const call_list& calls) {
    std::map<std::string, int64_t> sums;
    std::map<std::string, size_t> ends;
    for (auto& x : calls.all()) {
      if (x.what == kind::increments)
        ++sums[counter_of(x)];
      auto found = read("/invocations/" + x.id);
      if (!found.is_object()) {
        ADD_FAILURE() << x.id << " is not there";
        continue;
      }
      auto state = found.value("state", "");
      ++ends[state];
      attempts_ += found.value("attempts", 0);
      EXPECT_EQ(state, x.what == kind::fails     ? "dead_lettered"
                       : x.what == kind::is_told ? "failed"
                                                 : "succeeded")
        << found;
      if (x.what == kind::adds) {
        EXPECT_EQ(found["result"], x.number + 1) << found;
      }
      if (x.what == kind::is_told) {
        EXPECT_TRUE(read("/services/" + told(x.id)).is_object()) << x.id;
      }
    }
    for (auto& [key, sum] : sums)
      EXPECT_EQ(read("/services/counter/" + key).value("value", int64_t{-1}),
                sum)
        << key;
    std::cout << calls.all().size() << " queued calls, " << faults_
              << " faults, " << attempts_ << " attempts counted:";
    for (auto& [state, count] : ends)
      std::cout << ' ' << count << ' ' << state;
    std::cout << std::endl;
  }

  uint64_t seed_ = history_seed();
  std::mt19937_64 random_{seed_};
  const nemesis::clock::time_point begin_ = nemesis::clock::now();
  kept_evidence evidence_;
  std::ofstream story_ = evidence_.file("story");
  std::unique_ptr<test::shared_store> store_ = GetParam().make();
  const std::vector<std::string> ids_{"a", "b", "c"};
  std::unique_ptr<test::node_cluster> nodes_;
  std::unique_ptr<nemesis> nemesis_;
  std::vector<fault> to_come_;
  size_t faults_ = 0;
  size_t attempts_ = 0;
};

TEST_P(queue_faults, lose_no_call_that_was_accepted) {
  start();
  call_list calls{number_from_environment("TROUPE_QUEUED", 1500), random_()};
  run(calls);
  wait_for_the_end();
  check(calls);
}

INSTANTIATE_TEST_SUITE_P(on, queue_faults,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
