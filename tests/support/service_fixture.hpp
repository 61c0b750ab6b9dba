// Services in virtual time, over a store that fails as the test says: what a
// test of them calls, and what it sees.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/atoms.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/function/pool.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "actors/service/host.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/test_store.hpp"

namespace troupe {

using namespace std::chrono_literals;

/// A call and what became of it.
class outcome final : public reply_port {
public:
  explicit outcome(std::string body)
    : call(caf::make_counted<raw_invocation>(payload{std::move(body), {}})) {
    call->port = this;
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    ++answers;
  }

  /// The result, or the error's type and effect, or "-" if there is none yet.
  std::string text() const {
    if (answers == 0)
      return "-";
    EXPECT_EQ(answers, 1) << "answered more than once";
    if (auto x = call->failure())
      return std::string{x->type()} + " "
             + std::string{to_string(x->what_happened())};
    return call->result().bytes;
  }

  caf::intrusive_ptr<raw_invocation> call;
  int answers = 0;
};

using outcome_ptr = std::shared_ptr<outcome>;

/// What outlives the actors.
struct service_outside {
  std::vector<outcome_ptr> outcomes;
  testing::test_store store;
  route_source routes;
  deadline_keeper deadlines{time_point{}};
  call_environment env{routes, deadlines, false};
};

class service_fixture : public ::testing::Test,
                        public service_outside,
                        public actor_fixture {
protected:
  explicit service_fixture(module content) : module_(std::move(content)) {
    own(spawn_deadline_ticker(system(), deadlines));
  }

  ~service_fixture() override { deadlines.on_armed({}); }

  void SetUp() override { serve({}); }

  /// Starts the module's functions and services anew.
  void serve(service_options options) {
    auto table = std::make_shared<route_table>();
    for (auto& x : module_.functions()) {
      auto target =
        caf::make_counted<function_target>(system(), x, 1, x->limits, env);
      own(system().spawn<pool_actor>(target, pool_options{}));
      table->functions[x->name].latest = target;
    }
    for (auto& x : module_.services()) {
      auto target = caf::make_counted<service_target>(x, store, env, options);
      hosts[x->name] = own(system().spawn<host_actor>(target));
      table->services[x->name].host = target;
      table->services[x->name].definition = x;
      table->classes[*x->type] = x;
    }
    routes.publish(table);
    run();
  }

  /// A new build of the counter takes the place of the one that serves.
  void load_new_build() {
    service_target_ptr before{&target()};
    auto next =
      caf::make_counted<service_target>(module_.services().front(), store, env);
    auto table = std::make_shared<route_table>(*routes.load());
    table->services["counter"].host = next;
    auto host = own(system().spawn<host_actor>(next, hosts["counter"]));
    routes.publish(table);
    before->succeeded_by(next);
    caf::anon_send(std::exchange(hosts["counter"], host), atom::drain::value);
    run();
  }

  service_target& target(const std::string& name = "counter") {
    return static_cast<service_target&>(*routes.load()->services.at(name).host);
  }

  /// Submits a call; it is answered as messages and time go on.
  outcome_ptr begin(std::string key, std::string method, std::string body = {},
                    std::string if_match = {},
                    std::chrono::nanoseconds timeout = 30s) {
    return begin_at("counter", std::move(key), std::move(method),
                    std::move(body), std::move(if_match), timeout);
  }

  outcome_ptr begin_at(const std::string& service, std::string key,
                       std::string method, std::string body,
                       std::string if_match, std::chrono::nanoseconds timeout) {
    return begin(entity_call{service, std::move(key), std::move(method),
                             std::move(if_match)},
                 std::move(body), timeout);
  }

  outcome_ptr begin(entity_call to, std::string body = {},
                    std::chrono::nanoseconds timeout = 30s) {
    auto result = std::make_shared<outcome>(std::move(body));
    result->call->id = {1, ++last_id_};
    result->call->submitted = now();
    result->call->deadline = now() + timeout;
    auto service = to.service;
    result->call->entity = std::make_unique<entity_call>(std::move(to));
    submit_watched(env, target(service), result->call, system(), nullptr);
    outcomes.push_back(result);
    return result;
  }

  std::string call(entity_call to, std::string body = {}) {
    auto x = begin(std::move(to), std::move(body));
    run();
    return x->text();
  }

  /// Calls and runs until all is quiet; time stands still.
  std::string call(std::string key, std::string method, std::string body = {},
                   std::string if_match = {}) {
    auto x = begin(std::move(key), std::move(method), std::move(body),
                   std::move(if_match));
    run();
    return x->text();
  }

  /// What the store has of the counter `key`; "-" if nothing.
  std::string stored(const std::string& key) {
    auto i = store.entities.find({"counter", key});
    return i == store.entities.end()
             ? "-"
             : std::to_string(i->second.revision) + " " + i->second.state;
  }

  module module_;
  uint64_t last_id_ = 0;
  std::map<std::string, caf::actor> hosts;
};

} // namespace troupe
