// Functions and exposed actors of a module in virtual time, with the routes, the
// deadline keeper and one caller: what a node puts together, without a node.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/deadline_keeper.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/core/tree.hpp"
#include "actors/function/exposed_keeper.hpp"
#include "actors/function/pool.hpp"
#include "actors/routing/call_port.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "tests/support/actor_fixture.hpp"

namespace troupe::testing {

/// A call of a test, which notes how often it was answered.
template <class Call>
class noted final : public Call, public reply_port {
public:
  template <class... Ts>
  explicit noted(Ts&&... xs) : Call(std::forward<Ts>(xs)...) {
    this->port = this;
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    ++answers;
  }

  /// "value" bytes, or the error's type and effect: "not_found/none".
  std::string outcome() {
    if (answers == 0)
      return "open";
    EXPECT_EQ(answers, 1);
    if (auto reason = this->failure())
      return std::string{reason->type()} + "/"
             + std::string{to_string(reason->what_happened())};
    if constexpr (std::is_base_of_v<raw_invocation, Call>)
      return this->result().bytes;
    else
      return dump_json(detail::to_json_value(this->take_result()));
  }

  int answers = 0;
};

using noted_call = noted<raw_invocation>;
using noted_call_ptr = caf::intrusive_ptr<noted_call>;

/// What outlives the actors.
struct outside {
  route_source routes;
  deadline_keeper deadlines{time_point{}};
  call_environment env{routes, deadlines, false};
};

class function_fixture : public ::testing::Test,
                         public outside,
                         public actor_fixture {
public:
  function_fixture() { own(spawn_deadline_ticker(system(), deadlines)); }

  ~function_fixture() override { deadlines.on_armed({}); }

  /// Handlers that run at the end may still use the members of the test.
  void TearDown() override {
    deadlines.on_armed({});
    stop_all();
  }

  // -- what is served --------------------------------------------------------

  /// Serves all that `served` has.
  void serve(const module& served, pool_options pools = {},
             exposed_options keepers = {}) {
    auto table = std::make_shared<route_table>(*routes.load());
    for (auto& x : served.functions()) {
      auto target =
        caf::make_counted<function_target>(system(), x, 1, x->limits, env);
      start_pool(target, pools);
      functions[x->name] = target;
      table->functions[x->name].latest = target;
    }
    for (auto& x : served.exposed()) {
      auto target =
        caf::make_counted<exposed_target>(system(), x, x->limits, env);
      start_keeper(target, keepers);
      exposed[x->name] = target;
      table->functions[x->name].latest = target;
    }
    routes.publish(std::move(table));
    run();
  }

  void start_pool(const function_target_ptr& target,
                  pool_options options = {}) {
    keepers[target->definition().name] =
      own(system().spawn<pool_actor>(target, options));
    run();
  }

  void start_keeper(const exposed_target_ptr& target,
                    exposed_options options = {}) {
    options.seed = 1;
    keepers[target->definition().name] =
      own(system().spawn<exposed_keeper>(target, options));
    run();
  }

  // -- calls -----------------------------------------------------------------

  /// Submits a call with a body; it moves when the test runs.
  noted_call_ptr send(const std::string& name, std::string body = {},
                      std::optional<std::chrono::milliseconds> timeout = {},
                      std::string type = {}) {
    auto call =
      caf::make_counted<noted_call>(payload{std::move(body), std::move(type)});
    submit(name, call, timeout);
    return call;
  }

  void submit(const std::string& name, const invocation_ptr& call,
              std::optional<std::chrono::milliseconds> timeout = {}) {
    auto target = port.function(name);
    if (!target) {
      call->finish(target.error(), nullptr);
      return;
    }
    port.prepare(*call, **target, timeout);
    submit_watched(env, **target, call, system(), nullptr);
  }

  /// Submits a call, runs, and gives its outcome.
  std::string call(const std::string& name, std::string body = {},
                   std::string type = {}) {
    auto x = send(name, std::move(body), {}, std::move(type));
    run();
    return x->outcome();
  }

  template <class Signature, class... Ts>
  std::string typed(const std::string& name, Ts&&... xs) {
    auto x = caf::make_counted<noted<typed_invocation<Signature>>>(
      std::forward<Ts>(xs)...);
    submit(name, x);
    run();
    return x->outcome();
  }

  // -- what is there ---------------------------------------------------------

  tree_node describe(const std::string& name) {
    return *request<tree_node>(keepers.at(name), atom::describe::value);
  }

  call_stats stats(const std::string& name) {
    return (*port.function(name))->stats();
  }

  /// Ends the instance in slot `index`.
  void kill_instance(const std::string& name, size_t index = 0) {
    caf::anon_send_exit(functions.at(name)->at(index)->handle,
                        caf::exit_reason::kill);
  }

  call_port port{system(), env};
  std::map<std::string, function_target_ptr> functions;
  std::map<std::string, exposed_target_ptr> exposed;
  std::map<std::string, caf::actor> keepers;
};

} // namespace troupe::testing
