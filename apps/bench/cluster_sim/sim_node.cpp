#include "apps/bench/cluster_sim/sim_node.hpp"

#include <ctime>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"

namespace troupe::bench {

namespace {

/// The processor's time of this thread.
std::chrono::nanoseconds cpu_now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec}
         + std::chrono::nanoseconds{time.tv_nsec};
}

/// As names of incarnations are: 32 hexadecimal digits.
std::string draw_incarnation(std::mt19937_64& random) {
  constexpr auto digits = "0123456789abcdef";
  std::string result;
  for (int i = 0; i < 32; ++i)
    result += digits[random() % 16];
  return result;
}

} // namespace

lease_row describe_node(uint32_t number, std::mt19937_64& random) {
  lease_row result;
  result.node = "node-" + std::to_string(number);
  result.incarnation = draw_incarnation(random);
  result.link_endpoint = "10.0." + std::to_string(number / 250) + "."
                         + std::to_string(number % 250 + 1) + ":8701";
  result.http_url = "http://" + result.link_endpoint;
  result.version = "0.1.0";
  result.settings = "lease 2000 ms, dead after 3000 ms, heartbeat 500 ms";
  return result;
}

sim_node::sim_node(sim_world& world, uint32_t number, double rate)
  : world_(world), number_(number),
    state_(world.shards, cluster_state::default_lease,
           [this] { return process_.boot(); }),
    process_(world.time, rate),
    way_(
      world.store, world.time, world.random,
      [this](std::function<void()> what) { receive(what); },
      world.proof_of_death) {}

sim_node::~sim_node() {
  process_.end({&membership_});
}

membership_options sim_node::membership() {
  membership_options result;
  result.self = describe_node(number_, world_.random);
  result.new_incarnation = [this] {
    return incarnation_ = draw_incarnation(world_.random);
  };
  result.place = [this](auto& nodes, uint32_t count) {
    return world_.places.find(nodes, count);
  };
  result.nudge = [this](const lease_row& peer) {
    world_.nudge(peer.incarnation);
  };
  result.validate(cluster_state::default_lease);
  return result;
}

void sim_node::start() {
  membership_ = process_.system().spawn<membership_actor>(
    membership(), state_, static_cast<lease_table&>(way_),
    static_cast<shard_table&>(way_));
  receive([] {});
}

void sim_node::die() {
  process_.die();
  world_.store.leases.process_ended(incarnation_);
}

void sim_node::lose_link() {
  receive([this] { caf::anon_send(membership_, atom::wake::value); });
}

void sim_node::nudge() {
  receive([this] { caf::anon_send(membership_, atom::refresh::value); });
}

void sim_node::receive(const std::function<void()>& what) {
  if (is_dead())
    return;
  auto begin = cpu_now();
  process_.receive(what);
  world_.cpu += cpu_now() - begin;
  arm();
  if (on_run)
    on_run();
}

void sim_node::arm() {
  auto due = process_.next_due();
  if (!due || (armed_ && *armed_ <= *due))
    return;
  armed_ = due;
  world_.time.after(*due - world_.time.now(), [this, due] {
    if (armed_ != due)
      return; // there was something earlier
    armed_.reset();
    receive([] {});
  });
}

} // namespace troupe::bench
