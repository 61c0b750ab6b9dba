#include "actors/supervision/supervisor_state.hpp"

#include <algorithm>
#include <cassert>
#include <exception>
#include <limits>
#include <memory>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

namespace troupe {

namespace {

using std::chrono::nanoseconds;
using event = supervisor_event::kind;

bool is_normal(const caf::error& reason) {
  return !reason || reason == caf::exit_reason::user_shutdown;
}

bool restarts(restart_type type, bool normal) {
  switch (type) {
  case restart_type::permanent:
    return true;
  case restart_type::transient:
    return !normal;
  case restart_type::temporary:
    return false;
  }
  return false;
}

std::mt19937_64 make_random(uint64_t seed) {
  return std::mt19937_64{seed != 0 ? seed : std::random_device{}()};
}

template <class T>
void answer(caf::typed_response_promise<T>& promise, caf::expected<T> result) {
  if (result)
    promise.deliver(std::move(*result));
  else
    promise.deliver(std::move(result.error()));
}

tree_node describe_given_up(const std::string& id) {
  tree_node result;
  result.kind = "given_up";
  result.name = id;
  result.state = "stopping";
  return result;
}

} // namespace

struct gathering {
  tree_node root;
  size_t missing = 0;
  caf::typed_response_promise<tree_node> promise;

  /// When the supervisor exits, its pending requests go, and this with them.
  ~gathering() {
    if (promise.pending())
      promise.deliver(make_error(supervisor_errc::shutting_down));
  }

  void answer_if_complete() {
    if (missing == 0)
      promise.deliver(std::move(root));
  }

  /// What the child says of itself goes before what its parent knows of it,
  /// except for its name. Its past is its own (those it keeps) or, if it has
  /// none, what its parent knows: its restarts are added up.
  void fill(size_t i, tree_node told) {
    auto& known = root.children[i];
    told.name = std::move(known.name);
    told.restarts += known.restarts;
    if (!known.last_reason.empty())
      told.last_reason = std::move(known.last_reason);
    if (known.state != "up")
      told.state = std::move(known.state);
    known = std::move(told);
    --missing;
    answer_if_complete();
  }

  void miss(size_t i, const caf::error& why) {
    if (why == caf::sec::request_timeout && root.children[i].state == "up")
      root.children[i].state = "silent";
    --missing;
    answer_if_complete();
  }
};

supervisor_state::supervisor_state(supervisor_actor::pointer self)
  : self_{self} {}

supervisor_state::~supervisor_state() {
  for (auto& x : children_) {
    for (auto& waiter : x.waiters)
      waiter.deliver(make_error(supervisor_errc::shutting_down));
    if (x.handle)
      caf::anon_send_exit(x.handle, caf::exit_reason::kill);
  }
  group_.reset();
  group_due_ = false;
  exit_reason_ = caf::error{};
  run_deferred();
}

void supervisor_state::init(supervisor_options options,
                            std::vector<child_spec> children) {
  assert(!options.validate());
  options_ = std::move(options);
  window_.emplace(options_.intensity, options_.period);
  backoff_.emplace(options_.backoff);
  random_ = make_random(options_.seed);
  for (auto& spec : children) {
    auto& x = children_.append(std::move(spec));
    if (auto error = start(x)) {
      shut_down(std::move(error));
      return;
    }
    if (!x.handle && x.spec.restart == restart_type::temporary)
      children_.erase(x);
  }
}

// -- requests -----------------------------------------------------------------

void supervisor_state::start_child(child_spec spec, handle_promise promise) {
  if (defer([=, this] { start_child(spec, promise); }))
    return;
  answer(promise, add_child(std::move(spec)));
}

void supervisor_state::restart_child(const std::string& id,
                                     handle_promise promise) {
  if (defer([=, this] { restart_child(id, promise); }))
    return;
  answer(promise, start_again(id));
}

void supervisor_state::erase_child(const std::string& id,
                                   info_promise promise) {
  if (defer([=, this] { erase_child(id, promise); }))
    return;
  answer(promise, forget_child(id));
}

void supervisor_state::terminate_child(const std::string& id,
                                       info_promise promise) {
  if (defer([=, this] { terminate_child(id, promise); }))
    return;
  if (exit_reason_) {
    promise.deliver(make_error(supervisor_errc::shutting_down));
    return;
  }
  auto x = children_.find(id);
  if (x == nullptr) {
    promise.deliver(make_error(supervisor_errc::not_found, id));
    return;
  }
  if (x->handle) {
    x->waiters.push_back(promise);
    if (x->state != child_state::stopping)
      stop(*x);
    return;
  }
  call_off(*x);
  promise.deliver(x->info());
}

std::vector<child_info> supervisor_state::list_children() {
  std::vector<child_info> result;
  for (auto& x : children_)
    result.push_back(x.info());
  return result;
}

child_counts supervisor_state::count_children() {
  child_counts result;
  for (auto& x : children_) {
    ++result.specs;
    if (x.handle)
      ++result.active;
    if (x.spec.kind == child_kind::supervisor)
      ++result.supervisors;
    else
      ++result.workers;
  }
  return result;
}

void supervisor_state::describe(
  caf::typed_response_promise<tree_node> promise) {
  auto all = std::make_shared<gathering>();
  all->promise = promise;
  all->root.kind = "supervisor";
  all->root.name = options_.name;
  all->root.state = exit_reason_ ? "stopping" : "up";
  std::vector<std::pair<size_t, caf::actor>> asked;
  for (auto& x : children_) {
    if (x.handle && x.spec.kind == child_kind::supervisor)
      asked.emplace_back(all->root.children.size(), x.handle);
    all->root.children.push_back(describe_child(x));
  }
  for (auto& [address, id] : given_up_)
    all->root.children.push_back(describe_given_up(id));
  all->missing = asked.size();
  all->answer_if_complete();
  for (auto& [i, handle] : asked)
    ask(all, i, handle);
}

void supervisor_state::ask(std::shared_ptr<gathering> all, size_t i,
                           const caf::actor& keeper) {
  self_->request(keeper, options_.describe_timeout, atom::describe::value)
    .then([all, i](tree_node& told) { all->fill(i, std::move(told)); },
          [all, i](caf::error& why) { all->miss(i, why); });
}

// -- events -------------------------------------------------------------------

void supervisor_state::on_down(const caf::down_msg& msg) {
  if (auto x = children_.find(msg.source))
    child_ended(*x, msg.reason);
  else
    given_up_.erase(msg.source);
}

void supervisor_state::on_exit(const caf::exit_msg& msg) {
  if (msg.reason && children_.find(msg.source) == nullptr)
    shut_down(msg.reason);
}

void supervisor_state::on_retry(uint64_t timer) {
  auto x = find_timer(timer);
  if (x == nullptr || x->state != child_state::waiting)
    return;
  x->timer = 0;
  if (options_.strategy == restart_strategy::one_for_one)
    revive(*x);
  else
    begin_group(*x, std::nullopt);
}

void supervisor_state::on_late(uint64_t timer) {
  auto x = find_timer(timer);
  if (x == nullptr || x->state != child_state::stopping)
    return;
  if (x->killed) {
    give_up(*x);
    return;
  }
  report(event::killed, x->spec.id);
  kill(*x);
}

// -- start --------------------------------------------------------------------

caf::error supervisor_state::start(child& x) {
  auto handle = call_start(x);
  if (!handle) {
    x.last_reason = render(handle.error());
    x.state = child_state::down;
    report(event::start_failed, x.spec.id, x.last_reason);
    return make_error(supervisor_errc::start_failed,
                      "'" + x.spec.id + "': " + x.last_reason);
  }
  if (!*handle) {
    x.state = child_state::down;
    return {};
  }
  x.state = child_state::up;
  x.started_at = self_->clock().now();
  self_->monitor(*handle);
  children_.bind(x, std::move(*handle));
  report(event::started, x.spec.id);
  return {};
}

caf::expected<caf::actor> supervisor_state::call_start(child& x) {
  try {
    return x.spec.start(self_);
  } catch (const std::exception& e) {
    return make_error(supervisor_errc::start_failed, e.what());
  } catch (...) {
    return make_error(supervisor_errc::start_failed, "unknown exception");
  }
}

caf::expected<caf::actor> supervisor_state::add_child(child_spec spec) {
  if (exit_reason_)
    return make_error(supervisor_errc::shutting_down);
  if (auto problem = check_child(options_, spec))
    return make_error(supervisor_errc::bad_spec, *problem);
  if (auto x = children_.find(spec.id))
    return make_error(x->state == child_state::down
                        ? supervisor_errc::already_present
                        : supervisor_errc::already_started,
                      spec.id);
  auto& x = children_.append(std::move(spec));
  auto error = start(x);
  auto handle = x.handle;
  if (error || (!handle && x.spec.restart == restart_type::temporary))
    children_.erase(x);
  if (error)
    return error;
  return handle;
}

caf::expected<caf::actor> supervisor_state::start_again(const std::string& id) {
  auto x = find_down(id);
  if (!x)
    return std::move(x.error());
  if (auto error = start(**x))
    return error;
  return (*x)->handle;
}

caf::expected<child_info>
supervisor_state::forget_child(const std::string& id) {
  auto x = find_down(id);
  if (!x)
    return std::move(x.error());
  auto info = (*x)->info();
  children_.erase(**x);
  return info;
}

caf::expected<child*> supervisor_state::find_down(const std::string& id) {
  if (exit_reason_)
    return make_error(supervisor_errc::shutting_down);
  auto x = children_.find(id);
  if (x == nullptr)
    return make_error(supervisor_errc::not_found, id);
  switch (x->state) {
  case child_state::up:
  case child_state::stopping:
    return make_error(supervisor_errc::running, id);
  case child_state::waiting:
    return make_error(supervisor_errc::restarting, id);
  case child_state::down:
    break;
  }
  return x;
}

// -- the end of a child -------------------------------------------------------

void supervisor_state::child_ended(child& x, const caf::error& reason) {
  auto by_itself = x.state == child_state::up && !x.in_group && !exit_reason_;
  children_.unbind(x);
  x.state = child_state::down;
  x.timer = 0;
  x.killed = false;
  x.last_reason = render(reason);
  report(event::ended, x.spec.id, x.last_reason);
  if (by_itself)
    child_gone(x, is_normal(reason));
  else
    child_stopped(x);
}

void supervisor_state::child_stopped(child& x) {
  for (auto& waiter : x.waiters)
    waiter.deliver(x.info());
  x.waiters.clear();
  if (exit_reason_) {
    children_.erase(x);
    step_shutdown();
  } else if (x.in_group) {
    step_group();
  } else if (x.spec.restart == restart_type::temporary) {
    children_.erase(x);
  }
}

void supervisor_state::child_gone(child& x, bool normal) {
  if (!restarts(x.spec.restart, normal)) {
    child_finished(x);
    return;
  }
  if (self_->clock().now() - x.started_at >= options_.backoff_reset)
    x.attempt = 0;
  request_restart(x);
}

void supervisor_state::child_finished(child& x) {
  auto last = ends_supervisor(x);
  if (x.spec.restart == restart_type::temporary)
    children_.erase(x);
  if (last)
    shut_down(caf::exit_reason::user_shutdown);
}

bool supervisor_state::ends_supervisor(const child& x) {
  if (!x.spec.significant)
    return false;
  switch (options_.significance) {
  case auto_shutdown::never:
    return false;
  case auto_shutdown::any_significant:
    return true;
  case auto_shutdown::all_significant:
    return std::none_of(children_.begin(), children_.end(), [](auto& y) {
      return y.spec.significant && y.state != child_state::down;
    });
  }
  return false;
}

// -- restart ------------------------------------------------------------------

void supervisor_state::request_restart(child& x) {
  if (!window_->record(self_->clock().now())) {
    shut_down(make_error(supervisor_errc::intensity_exceeded,
                         "'" + x.spec.id + "': " + x.last_reason));
    return;
  }
  auto delay = backoff_->delay(x.attempt, random_);
  if (x.attempt < std::numeric_limits<uint32_t>::max())
    ++x.attempt;
  report(event::restart_due, x.spec.id, x.last_reason, delay);
  if (options_.strategy == restart_strategy::one_for_one)
    wait(x, delay);
  else
    begin_group(x, delay);
}

void supervisor_state::wait(child& x, nanoseconds delay) {
  x.state = child_state::waiting;
  x.timer = ++timers_;
  if (delay.count() == 0)
    self_->send(self_, atom::retry::value, x.timer);
  else
    self_->delayed_send(self_, delay, atom::retry::value, x.timer);
}

void supervisor_state::begin_group(child& trigger,
                                   std::optional<nanoseconds> delay) {
  auto member = options_.strategy == restart_strategy::one_for_all;
  for (auto& x : children_) {
    member = member || &x == &trigger;
    if (!member)
      continue;
    x.in_group = true;
    if (x.state == child_state::waiting)
      x.timer = 0;
  }
  group_ = group_restart{trigger.spec.id, delay};
  group_due_ = false;
  step_group();
}

void supervisor_state::step_group() {
  if (auto x = last_living_member()) {
    if (x->state != child_state::stopping)
      stop(*x);
    return;
  }
  drop_temporary_members();
  auto group = *std::exchange(group_, std::nullopt);
  if (group.delay)
    wait_group(*children_.find(group.trigger), *group.delay);
  else
    start_group();
  if (!group_due_)
    run_deferred();
}

child* supervisor_state::last_living_member() {
  child* result = nullptr;
  for (auto& x : children_)
    if (x.in_group && x.handle)
      result = &x;
  return result;
}

void supervisor_state::drop_temporary_members() {
  for (auto i = children_.begin(); i != children_.end();) {
    auto& x = *i++;
    if (x.in_group && x.spec.restart == restart_type::temporary)
      children_.erase(x);
  }
}

void supervisor_state::wait_group(child& trigger, nanoseconds delay) {
  for (auto& x : children_)
    if (std::exchange(x.in_group, false))
      x.state = child_state::waiting;
  group_due_ = delay.count() == 0;
  wait(trigger, delay);
}

void supervisor_state::start_group() {
  child* failed = nullptr;
  for (auto& x : children_) {
    if (!std::exchange(x.in_group, false))
      continue;
    if (failed != nullptr)
      x.state = child_state::waiting;
    else if (start(x))
      failed = &x;
    else
      ++x.restarts;
  }
  if (failed != nullptr)
    request_restart(*failed);
}

void supervisor_state::revive(child& x) {
  if (start(x))
    request_restart(x);
  else
    ++x.restarts;
}

bool supervisor_state::defer(std::function<void()> request) {
  if (!group_ && !group_due_)
    return false;
  deferred_.push_back(std::move(request));
  return true;
}

void supervisor_state::run_deferred() {
  for (auto& request : std::exchange(deferred_, {}))
    request();
}

// -- stop ---------------------------------------------------------------------

void supervisor_state::stop(child& x) {
  x.state = child_state::stopping;
  auto policy = x.spec.effective_stop();
  if (policy.how == stop_policy::mode::brutal) {
    kill(x);
    return;
  }
  self_->send_exit(x.handle, caf::exit_reason::user_shutdown);
  if (policy.how == stop_policy::mode::limit)
    arm_late(x, policy.limit);
}

void supervisor_state::kill(child& x) {
  x.killed = true;
  // ahead of what waits in its mailbox
  x.handle->eq_impl(caf::make_message_id(caf::message_priority::high),
                    self_->ctrl(), self_->context(),
                    caf::exit_msg{self_->address(), caf::exit_reason::kill});
  arm_late(x, options_.kill_limit);
}

void supervisor_state::give_up(child& x) {
  report(event::given_up, x.spec.id);
  given_up_.emplace(x.handle.address(), x.spec.id);
  child_ended(x, caf::exit_reason::kill);
}

void supervisor_state::call_off(child& x) {
  auto timer = std::exchange(x.timer, 0);
  x.state = child_state::down;
  if (timer == 0 || options_.strategy == restart_strategy::one_for_one)
    return;
  // the rest of its group must not wait forever
  for (auto& y : children_)
    if (y.state == child_state::waiting) {
      y.timer = timer;
      return;
    }
}

void supervisor_state::shut_down(caf::error reason) {
  if (exit_reason_)
    return;
  report(event::stopping, {}, render(reason));
  exit_reason_ = std::move(reason);
  group_.reset();
  group_due_ = false;
  run_deferred();
  step_shutdown();
}

void supervisor_state::step_shutdown() {
  while (!children_.empty()) {
    auto& x = children_.last();
    if (x.handle) {
      if (x.state != child_state::stopping)
        stop(x);
      return;
    }
    children_.erase(x);
  }
  self_->quit(*exit_reason_);
}

// -- helpers ------------------------------------------------------------------

void supervisor_state::arm_late(child& x, nanoseconds delay) {
  x.timer = ++timers_;
  self_->delayed_send(self_, delay, atom::late::value, x.timer);
}

void supervisor_state::report(event what, const std::string& id,
                              std::string reason, nanoseconds delay) {
  if (options_.on_event)
    options_.on_event({what, id, std::move(reason), delay});
}

std::string supervisor_state::render(const caf::error& reason) const {
  return render_reason(self_->system(), reason);
}

child* supervisor_state::find_timer(uint64_t timer) {
  for (auto& x : children_)
    if (x.timer == timer)
      return &x;
  return nullptr;
}

tree_node supervisor_state::describe_child(const child& x) const {
  tree_node result;
  result.kind = x.spec.role.empty() ? to_string(x.spec.kind) : x.spec.role;
  result.name = x.spec.id;
  result.state = to_string(x.state);
  result.restarts = x.restarts;
  result.last_reason = x.last_reason;
  return result;
}

} // namespace troupe
