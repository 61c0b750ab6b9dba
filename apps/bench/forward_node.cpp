#include "apps/bench/forward_node.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include "actors/core/defaults.hpp"
#include "actors/core/module.hpp"
#include "actors/function/pool.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

caf::actor_system_config& prepare(caf::actor_system_config& config) {
  link::prepare(config);
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", size_t{2});
  config.set("scheduler.max-throughput", defaults::scheduler::max_throughput);
  return config;
}

module content() {
  module m;
  m.function("add", [](int64_t a, int64_t b) { return a + b; });
  m.function("echo", [](payload x) { return x; });
  return m;
}

} // namespace

forward_node::forward_node(const std::string& id)
  : system_(prepare(config_)),
    deadlines_(system_.clock().now()), env_{routes_, deadlines_, true} {
  actors_.push_back(spawn_deadline_ticker(system_, deadlines_));
  auto table = std::make_shared<route_table>();
  auto served = content();
  for (auto& x : served.functions()) {
    auto here =
      caf::make_counted<function_target>(system_, x, 1, x->limits, env_);
    actors_.push_back(system_.spawn<pool_actor>(here, pool_options{}));
    table->functions[x->name].latest = caf::make_counted<cluster_target>(
      system_, x->name, std::string{}, here, *this);
  }
  routes_.publish(std::move(table));
  receiver_ = std::make_unique<call_receiver>(system_, env_, *this);
  link::link_options options;
  options.self = identity(id);
  link_ = link::make_caf_link(system_, options);
  link_->listen(*this);
}

forward_node::~forward_node() {
  deadlines_.on_armed({});
  link_->stop(std::chrono::seconds{1});
  receiver_ = nullptr;
  routes_.publish(std::make_shared<route_table>());
  for (auto& x : actors_)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  actors_.clear();
  system_.await_all_actors_done();
}

void forward_node::connect(const std::string& id, const std::string& address) {
  peer_ = link_->connect({identity(id), address});
  if (up_.get_future().wait_for(std::chrono::seconds{10})
      != std::future_status::ready)
    throw cannot_measure{"the link to the peer does not come up"};
}

void forward_node::received(std::vector<incoming_call_ptr> calls) noexcept {
  receiver_->received(std::move(calls));
}

expected<placement> forward_node::place(const invocation&, std::string_view,
                                        const call_target&) {
  return placement{peer_, std::nullopt};
}

void forward_node::refresh(const invocation&, const failed_placement&,
                           std::function<void(expected<void>)> done) {
  done({});
}

std::optional<owner_hint>
forward_node::refuse(const shard_claim&) const noexcept {
  return std::nullopt;
}

void forward_node::wait_for_owner(const shard_claim&, time_point,
                                  std::function<void(expected<void>)> done) {
  done({});
}

} // namespace troupe::bench
