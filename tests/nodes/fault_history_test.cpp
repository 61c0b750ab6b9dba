// Services over a store that fails in every way, in virtual time: whatever its
// clients saw must have an explanation by one object that lost nothing that it
// acknowledged, did nothing twice, and told of no state that is lost. The whole
// assembly of a node runs, message by message, in an order that a seed decides.
//
// TROUPE_HISTORY_RUNS sets how many runs there are, TROUPE_SEED with which
// chances; the seed of a run that fails is printed with it.

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/core/submit.hpp"
#include "nodes/assembly.hpp"
#include "nodes/store/forwarding_store.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/faulty_store.hpp"
#include "tests/support/history.hpp"
#include "tests/support/linearizability_specifications.hpp"

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

// -- what is served ----------------------------------------------------------

struct counter {
  int64_t value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)

  int64_t increment(int64_t by) { return value += by; }

  int64_t get() const { return value; }
};

struct data_service {
  json data;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(data_service, data)

  json set_data(json value) { return data = std::move(value); }

  json get_data() const { return data; }
};

module served() {
  module m;
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  m.service<data_service>("data_service")
    .method("get_data", &data_service::get_data)
    .method("set_data", &data_service::set_data);
  return m;
}

constexpr auto key = "k";

/// Of a counter whose clients repeat what they cannot be sure of.
constexpr auto once_key = "once";

// -- a node in virtual time --------------------------------------------------

using coordinator = caf::scheduler::test_coordinator;

coordinator& scheduler_of(caf::actor_system& sys) {
  return dynamic_cast<coordinator&>(sys.scheduler());
}

void settle(caf::actor_system& sys) {
  while (scheduler_of(sys).try_run_once())
    ;
}

class virtual_node {
public:
  explicit virtual_node(std::unique_ptr<state_store> store)
    : assembly_(options(), std::move(store), settle), port_(assembly_.port()) {
    assembly_.install("the module under test", served()).value();
  }

  coordinator& scheduler() { return scheduler_of(assembly_.system()); }

  time_point now() { return scheduler().clock().now(); }

  void submit(const invocation_ptr& call, std::chrono::milliseconds timeout) {
    auto target = *port_.service(call->entity->service);
    port_.prepare(*call, *target, timeout);
    submit_watched(port_.environment(), *target, call, assembly_.system(),
                   nullptr);
  }

private:
  static assembly_options options() {
    assembly_options result;
    result.virtual_time = true;
    result.service.idle_time = 100ms; // entities come and go
    return result;
  }

  assembly assembly_;
  call_port port_;
};

// -- who calls ---------------------------------------------------------------

class client : public reply_port {
public:
  client(virtual_node& node, std::mt19937_64& random, uint32_t number)
    : node_(node), random_(random), number_(number) {}

  bool busy() const noexcept { return call_ != nullptr; }

  /// Begins an operation. @pre not busy
  virtual void begin() = 0;

  /// It has begun something that it has to repeat.
  virtual bool unfinished() const { return false; }

  /// A read that has time. @pre not busy
  virtual void begin_read(std::chrono::milliseconds timeout) = 0;

  void answered(invocation&, caf::execution_unit*) noexcept override {
    auto call = std::exchange(call_, nullptr);
    if (auto reason = call->failure())
      failed(*reason);
    else
      succeeded(*call);
  }

protected:
  virtual void succeeded(raw_invocation& call) = 0;

  virtual void failed(const error& reason) = 0;

  void submit(entity_call what, std::string body,
              std::chrono::milliseconds timeout) {
    call_ = caf::make_counted<raw_invocation>(payload{std::move(body), {}});
    call_->port = this;
    call_->entity = std::make_unique<entity_call>(std::move(what));
    node_.submit(call_, timeout);
  }

  /// Few calls are so short that they end before their commit does.
  std::chrono::milliseconds some_time() {
    auto dice = random_() % 8;
    return dice == 0 ? 20ms : dice == 1 ? 500ms : 5s;
  }

  virtual_node& node_;
  std::mt19937_64& random_;
  uint32_t number_;

private:
  caf::intrusive_ptr<raw_invocation> call_;
};

class counter_client final : public client {
public:
  using history_type = history<counter_specification>;

  counter_client(virtual_node& node, std::mt19937_64& random, uint32_t number,
                 history_type& to)
    : client(node, random, number), history_(to) {}

  void begin() override {
    auto dice = random_() % 10;
    if (dice < 4)
      begin_read(some_time());
    else
      add(dice < 8 ? 1 : 1000);
  }

  void begin_read(std::chrono::milliseconds timeout) override {
    id_ = history_.begin(number_, key, {0});
    submit({"counter", key, "get", {}}, {}, timeout);
  }

private:
  void add(int64_t by) {
    id_ = history_.begin(number_, key, {by});
    submit({"counter", key, "increment", {}}, std::to_string(by), some_time());
  }

  void succeeded(raw_invocation& call) override {
    history_.completed(id_, std::stoll(call.result().bytes));
  }

  void failed(const error& reason) override {
    history_.ended(id_, to_string(reason.what_happened()),
                   std::string{reason.type()});
  }

  history_type& history_;
  history_type::id id_ = 0;
};

/// Increments; what failed or may have, it repeats under the same idempotency
/// key until it is answered.
class stubborn_client final : public client {
public:
  using history_type = history<counter_specification>;

  stubborn_client(virtual_node& node, std::mt19937_64& random, uint32_t number,
                  history_type& to)
    : client(node, random, number), history_(to) {}

  void begin() override {
    if (!unfinished_) {
      by_ = random_() % 4 == 0 ? 1000 : 1;
      id_ = history_.begin(number_, once_key, {by_});
      ++last_;
    }
    unfinished_ = true;
    entity_call what{"counter", once_key, "increment", {}};
    what.idempotency_key =
      std::to_string(number_) + "-" + std::to_string(last_);
    submit(std::move(what), std::to_string(by_), some_time());
  }

  void begin_read(std::chrono::milliseconds timeout) override {
    by_ = 0;
    id_ = history_.begin(number_, once_key, {0});
    submit({"counter", once_key, "get", {}}, {}, timeout);
  }

  bool unfinished() const override { return unfinished_; }

private:
  void succeeded(raw_invocation& call) override {
    unfinished_ = false;
    history_.completed(id_, std::stoll(call.result().bytes));
  }

  void failed(const error&) override {}

  history_type& history_;
  history_type::id id_ = 0;
  int64_t by_ = 0;
  bool unfinished_ = false;
  uint64_t last_ = 0;
};

class register_client final : public client {
public:
  using history_type = history<register_specification>;

  register_client(virtual_node& node, std::mt19937_64& random, uint32_t number,
                  history_type& to)
    : client(node, random, number), history_(to) {}

  void begin() override {
    if (outdated_ || random_() % 4 == 0)
      begin_read(some_time());
    else
      write();
  }

  void begin_read(std::chrono::milliseconds timeout) override {
    reads_ = true;
    id_ = history_.begin(number_, key, {});
    submit({"data_service", key, "get_data", {}}, {}, timeout);
  }

private:
  void write() {
    reads_ = false;
    outdated_ = true;
    auto value =
      "\"" + std::to_string(number_) + "-" + std::to_string(++last_) + "\"";
    id_ = history_.begin(number_, key, {value, revision_});
    submit({"data_service", key, "set_data",
            "\"" + std::to_string(revision_) + "\""},
           value, some_time());
  }

  void succeeded(raw_invocation& call) override {
    revision_ = call.revision.value();
    outdated_ = false;
    history_.completed(
      id_, {revision_, reads_ ? call.result().bytes : std::string{}, false});
  }

  void failed(const error& reason) override {
    if (reason == errc::revision_mismatch)
      history_.completed(id_, {std::nullopt, {}, true});
    else
      history_.ended(id_, to_string(reason.what_happened()),
                     std::string{reason.type()});
  }

  history_type& history_;
  history_type::id id_ = 0;
  bool reads_ = false;
  uint64_t revision_ = 0;
  bool outdated_ = false;
  uint64_t last_ = 0;
};

// -- another node ------------------------------------------------------------

/// Changes entities that it has claimed. What it did is over, for others, once
/// they have been told: until then the lease of this node would forbid it.
class other_node {
public:
  other_node(faulty_store& store, std::mt19937_64& random,
             history<counter_specification>& counters,
             history<register_specification>& registers)
    : random_(random), counters_(counters), registers_(registers) {
    store.on_other = [this](auto& id, auto& found) { return act(id, found); };
    store.on_other_seen = [this](auto& id, size_t n) { seen(changes_[id], n); };
  }

  /// Everybody knows of everything.
  void finish() {
    for (auto& [id, x] : changes_)
      seen(x, x.ends.size());
  }

private:
  static constexpr uint32_t number = 99;

  /// Of one entity.
  struct changes {
    std::vector<std::function<void()>> ends;
    size_t seen = 0;
  };

  std::optional<std::string> act(const entity_id& id,
                                 const stored_state& found) {
    if (random_() % 3 == 0)
      return std::nullopt;
    return id.service == "counter" ? add(id, found) : set(id, found);
  }

  std::string add(const entity_id& id, const stored_state& found) {
    counter x;
    if (found.exists())
      x = json::parse(found.state);
    x.increment(1);
    auto begun = counters_.begin(number, id.key, {1});
    changes_[id].ends.emplace_back(
      [=, this] { counters_.completed(begun, x.value); });
    return json(x).dump();
  }

  std::string set(const entity_id& id, const stored_state& found) {
    data_service x;
    auto revision = found.revision + 1;
    x.data = "other-" + std::to_string(revision);
    auto begun =
      registers_.begin(number, id.key, {x.data.dump(), found.revision});
    changes_[id].ends.emplace_back([=, this] {
      registers_.completed(begun, {revision, {}, false});
    });
    return json(x).dump();
  }

  static void seen(changes& x, size_t n) {
    for (; x.seen < n; ++x.seen)
      x.ends[x.seen]();
  }

  std::mt19937_64& random_;
  history<counter_specification>& counters_;
  history<register_specification>& registers_;
  std::map<entity_id, changes> changes_;
};

// -- a run -------------------------------------------------------------------

constexpr uint32_t clients_per_key = 8;
constexpr size_t keys = 3;
constexpr size_t operations_per_run = 450;

/// Turns after which something is taken for lost.
constexpr size_t turns_max = 1'000'000;

class fault_run {
public:
  fault_run(uint64_t seed, std::unique_ptr<state_store> beneath)
    : random_(seed), store_(make_store(std::move(beneath))),
      node_(std::unique_ptr<state_store>{store_}),
      other_(*store_, random_, counters_, registers_) {
    for (uint32_t i = 0; i < clients_per_key; ++i) {
      clients_.push_back(
        std::make_unique<counter_client>(node_, random_, i, counters_));
      clients_.push_back(
        std::make_unique<register_client>(node_, random_, i, registers_));
      clients_.push_back(
        std::make_unique<stubborn_client>(node_, random_, i, counters_));
    }
  }

  /// Whether what everybody saw can be explained.
  ::testing::AssertionResult run() {
    for (size_t begun = 0; begun < operations_per_run;)
      begun += turn() ? 1 : 0;
    store_->heal();
    if (!finish())
      return ::testing::AssertionFailure() << "a call was never answered";
    for (size_t i = 0; i < keys; ++i)
      clients_[i]->begin_read(60s);
    if (!finish())
      return ::testing::AssertionFailure() << "the last read is not answered";
    other_.finish();
    if (auto x = is_linearizable(counters_); !x)
      return x;
    return is_linearizable(registers_);
  }

  history_counts counts() const {
    auto result = counters_.counts();
    result += registers_.counts();
    return result;
  }

  size_t faults() const { return store_->faults(); }

private:
  faulty_store* make_store(std::unique_ptr<state_store> beneath) {
    return new faulty_store{std::move(beneath), random_()};
  }

  /// One thing happens; true if it is that an operation begins.
  bool turn() {
    auto dice = random_() % 100;
    if (dice < 20)
      return begin_one();
    if (dice < 65)
      node_.scheduler().try_run_once();
    else if (dice < 98)
      store_->step(node_.now());
    else
      advance(std::chrono::milliseconds{1 + random_() % 30});
    return false;
  }

  bool begin_one() {
    auto& x = *clients_[random_() % clients_.size()];
    if (x.busy())
      return false;
    x.begin();
    return true;
  }

  void advance(std::chrono::milliseconds time) {
    node_.scheduler().advance_time(time);
  }

  /// Begins what has to be repeated.
  bool all_finished() {
    auto result = true;
    for (auto& x : clients_) {
      if (!x->busy() && x->unfinished())
        x->begin();
      result = result && !x->busy();
    }
    return result;
  }

  /// Lets all that goes on come to its end, also in the store.
  bool finish() {
    for (size_t i = 0; i < turns_max; ++i) {
      if (node_.scheduler().try_run_once() || store_->step(node_.now()))
        continue;
      if (all_finished())
        return true;
      advance(10ms);
    }
    return false;
  }

  std::mt19937_64 random_;
  history<counter_specification> counters_;
  history<register_specification> registers_;
  faulty_store* store_;                          // owned by the node
  std::vector<std::unique_ptr<client>> clients_; // outlive calls
  virtual_node node_;
  other_node other_;
};

// -- stores that break their word --------------------------------------------

/// What a store does that is wrong.
enum class defect { none, forgets, writes_late, ignores_tokens, refuses_after };

/// A store in memory with a defect.
class defective_store final : public forwarding_store {
public:
  explicit defective_store(defect what)
    : forwarding_store(std::make_unique<memory_store>()), defect_(what) {}

  void commit(commit_request x, commit_callback done) override {
    if (defect_ != defect::ignores_tokens && ++commits_ % 8 != 0) {
      flush();
      inner().commit(std::move(x), std::move(done));
      return;
    }
    switch (defect_) {
    case defect::none:
      inner().commit(std::move(x), std::move(done));
      return;
    case defect::forgets:
      done(commit_outcome::done);
      return;
    case defect::writes_late:
      waiting_ = std::move(x);
      done(commit_outcome::done);
      return;
    case defect::ignores_tokens:
      inner().claim(x.entity, x.token, [](auto) {});
      inner().commit(std::move(x), std::move(done));
      return;
    case defect::refuses_after:
      inner().commit(std::move(x), [](auto) {});
      done(commit_outcome::failed);
      return;
    }
  }

private:
  void flush() {
    if (auto x = std::exchange(waiting_, std::nullopt))
      inner().commit(std::move(*x), [](auto) {});
  }

  defect defect_;
  size_t commits_ = 0;
  std::optional<commit_request> waiting_;
};

TEST(fault_history, of_counters_and_compare_and_set_is_linearizable) {
  auto seed = history_seed();
  auto runs = number_from_environment("TROUPE_HISTORY_RUNS", 1000);
  history_counts counts;
  size_t faults = 0;
  for (uint64_t i = 0; i < runs; ++i) {
    fault_run run{seed + i, std::make_unique<memory_store>()};
    ASSERT_TRUE(run.run()) << "TROUPE_SEED=" << seed + i;
    counts += run.counts();
    faults += run.faults();
  }
  std::cout << runs << " runs, " << faults << " faults, " << counts << '\n';
  EXPECT_GT(faults, runs);
  EXPECT_GT(counts.unknown, 0u);
  EXPECT_LE(counts.unknown_percent(), 5.0);
  EXPECT_GT(counts.completed, counts.operations / 2);
}

TEST(fault_history, is_the_same_for_the_same_seed) {
  auto seed = history_seed();
  auto outcome = [&] {
    fault_run run{seed, std::make_unique<memory_store>()};
    auto good = bool{run.run()};
    auto counts = run.counts();
    return std::tuple{good, run.faults(), counts.completed, counts.failed,
                      counts.unknown};
  };
  EXPECT_EQ(outcome(), outcome());
}

// The test can fail: it finds each of these.
class fault_history_of : public ::testing::TestWithParam<defect> {};

TEST_P(fault_history_of, a_store_that_breaks_its_word_is_not_linearizable) {
  constexpr uint64_t runs_max = 100;
  auto seed = history_seed();
  uint64_t i = 0;
  auto found = false;
  for (; i < runs_max && !found; ++i) {
    fault_run run{seed + i, std::make_unique<defective_store>(GetParam())};
    found = !run.run();
  }
  EXPECT_TRUE(found) << "in " << i << " runs";
  std::cout << "found in run " << i << '\n';
}

INSTANTIATE_TEST_SUITE_P(, fault_history_of,
                         ::testing::Values(defect::forgets, defect::writes_late,
                                           defect::ignores_tokens,
                                           defect::refuses_after),
                         [](auto& x) -> std::string {
                           switch (x.param) {
                           case defect::none:
                             return "does_its_work";
                           case defect::forgets:
                             return "forgets";
                           case defect::writes_late:
                             return "writes_late";
                           case defect::ignores_tokens:
                             return "ignores_tokens";
                           case defect::refuses_after:
                             return "refuses_after";
                           }
                           return {};
                         });

} // namespace
} // namespace troupe::testing
