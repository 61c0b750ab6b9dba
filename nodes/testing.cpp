#include "nodes/testing.hpp"

#include <deque>

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "nodes/assembly.hpp"
#include "nodes/store/forwarding_store.hpp"
#include "nodes/store/memory_store.hpp"

namespace troupe {

std::ostream& operator<<(std::ostream& out, errc x) {
  return out << to_string(x);
}

std::ostream& operator<<(std::ostream& out, const error& x) {
  return out << x.type() << " (effect " << to_string(x.what_happened())
             << "): " << x.message();
}

} // namespace troupe

namespace troupe::testing {

namespace {

/// The store of a bench answers before it returns.
constexpr std::chrono::milliseconds at_once{0};

using coordinator = caf::scheduler::test_coordinator;

coordinator& scheduler_of(caf::actor_system& sys) {
  return dynamic_cast<coordinator&>(sys.scheduler());
}

void settle(caf::actor_system& sys) {
  auto& scheduler = scheduler_of(sys);
  while (scheduler.has_job())
    scheduler.run_once();
}

} // namespace

class bench::faulty_store final : public forwarding_store {
public:
  explicit faulty_store(memory_lock_table::clock now)
    : forwarding_store(std::make_unique<memory_store>(
      std::make_shared<memory_shard_table>(),
      std::make_shared<memory_lock_table>(std::move(now)))) {}

  void commit(commit_request request, commit_callback done) override {
    if (faults_.empty())
      return inner().commit(std::move(request), std::move(done));
    auto fault = faults_.front();
    faults_.pop_front();
    if (fault == commit_outcome::unknown)
      inner().commit(std::move(request),
                     [done](commit_outcome) { done(commit_outcome::unknown); });
    else
      done(fault);
  }

  void next(commit_outcome fault) { faults_.push_back(fault); }

private:
  std::deque<commit_outcome> faults_;
};

bench::bench(const module& content) {
  auto store = std::make_unique<faulty_store>([this] {
    using std::chrono::milliseconds;
    auto time = std::chrono::floor<milliseconds>(now().time_since_epoch());
    return lock_time{"virtual", time, time};
  });
  store_ = store.get();
  assembly_options options;
  options.virtual_time = true;
  options.incarnation = "bench";
  options.work.seed = 1;
  options.work.clock = [this] { return wall_time(); };
  assembly_ =
    std::make_unique<assembly>(std::move(options), std::move(store), settle);
  port_ = std::make_unique<call_port>(assembly_->port());
  assembly_->install("the module under test", content).value();
}

bench::~bench() = default;

expected<void> bench::run(const invocation_ptr& call, std::string_view name) {
  auto target = call->entity ? port_->service(name) : port_->function(name);
  if (!target)
    return target.error();
  return drive(call, **target);
}

expected<void> bench::drive(const invocation_ptr& call, call_target& target) {
  port_->prepare(*call, target, std::nullopt);
  submit_watched(port_->environment(), target, call, system(), nullptr);
  return go_on_until([&] { return call->answered(); });
}

expected<void> bench::go_on_until(const std::function<bool()>& is_done) {
  settle(system());
  auto& scheduler = scheduler_of(system());
  while (!is_done()) {
    if (!scheduler.trigger_timeout())
      return error{errc::internal_error, "nothing is left that could answer"};
    settle(system());
  }
  return {};
}

const service_definition* bench::find_class(const std::type_info& type) {
  auto& classes = port_->routes().classes;
  auto i = classes.find(std::type_index{type});
  return i != classes.end() ? i->second.get() : nullptr;
}

// -- stored entities ---------------------------------------------------------

expected<entity_page> bench::keys(const std::string& service, key_query query) {
  if (auto target = port_->service(service); !target)
    return target.error();
  return read_page(*store_, service, std::move(query), at_once);
}

expected<stored_state> bench::state(const std::string& service,
                                    const std::string& key) {
  if (auto target = port_->service(service); !target)
    return target.error();
  return read_state(*store_, {service, key}, at_once);
}

expected<void> bench::replace(const std::string& service,
                              const std::string& key, const stored_state& state,
                              const call_options& options) {
  entity_call to{service, key};
  to.operation = entity_operation::replace;
  to.schema = state.schema;
  return change(std::move(to), state.state, options);
}

expected<void> bench::erase(const std::string& service, const std::string& key,
                            const call_options& options) {
  entity_call to{service, key};
  to.operation = entity_operation::erase;
  return change(std::move(to), {}, options);
}

expected<void> bench::change(entity_call to, std::string body,
                             const call_options& options) {
  auto service = to.service;
  auto entity = make_entity_call(std::move(to), options);
  if (!entity)
    return entity.error();
  auto call = caf::make_counted<raw_invocation>(payload{std::move(body), {}});
  call->entity = std::move(*entity);
  if (auto done = run(call, service); !done)
    return done;
  if (auto reason = call->failure())
    return *reason;
  return {};
}

// -- locks -------------------------------------------------------------------

expected<lock_proof> bench::lock(std::string name,
                                 const lock_options& options) {
  std::optional<expected<lock_grant>> got;
  assembly_->locks().acquire(std::move(name), options,
                             [&](expected<lock_grant> x) { got = x; });
  if (auto done = go_on_until([&] { return got.has_value(); }); !done)
    return done.error();
  if (!*got)
    return got->error();
  return got->value().proof;
}

expected<void> bench::release(const lock_proof& held) {
  expected<void> result;
  assembly_->locks().release(held, [&](expected<void> x) { result = x; });
  settle(system());
  return result;
}

// -- time --------------------------------------------------------------------

void bench::advance(std::chrono::nanoseconds time) {
  auto& scheduler = scheduler_of(system());
  auto until = scheduler.clock().now() + time;
  settle(system());
  scheduler.advance_time(caf::timespan{time});
  settle(system());
  // Timers that others have set meanwhile, up to the same moment.
  while (scheduler.clock().now() < until) {
    scheduler.advance_time(until - scheduler.clock().now());
    settle(system());
  }
}

std::chrono::steady_clock::time_point bench::now() const {
  return assembly_->system().clock().now();
}

work_time bench::wall_time() const {
  using namespace std::chrono;
  constexpr work_time start = sys_days{year{2026} / 1 / 1};
  // It is asked before all is made.
  auto since_start = assembly_ ? now().time_since_epoch() : nanoseconds{0};
  return start + floor<milliseconds>(since_start);
}

void bench::refuse_next_commit() {
  store_->next(commit_outcome::refused);
}

void bench::fail_next_commit() {
  store_->next(commit_outcome::failed);
}

void bench::lose_next_outcome() {
  store_->next(commit_outcome::unknown);
}

caf::actor_system& bench::system() {
  return assembly_->system();
}

} // namespace troupe::testing
