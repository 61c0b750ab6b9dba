#include "tests/support/nemesis.hpp"

#include <csignal>
#include <iomanip>
#include <stdexcept>
#include <thread>

namespace troupe::testing {

using namespace std::chrono_literals;

std::string_view to_string(fault x) noexcept {
  switch (x) {
  case fault::kill_one:
    return "kill one";
  case fault::kill_most:
    return "kill most";
  case fault::kill_all:
    return "kill all";
  case fault::pause_within_lease:
    return "pause within the lease";
  case fault::pause_past_lease:
    return "pause past the lease";
  case fault::pause_and_kill:
    return "pause one and kill another";
  case fault::drain_one:
    return "drain one";
  case fault::restart_all:
    return "restart all";
  case fault::unplug_one:
    return "unplug one";
  case fault::cut_pair:
    return "cut a pair";
  case fault::cut_one_way:
    return "cut one way";
  case fault::cut_all:
    return "cut all";
  case fault::store_restarted:
    return "store restarted";
  case fault::store_killed:
    return "store killed";
  case fault::store_paused:
    return "store paused";
  case fault::cut_from_store:
    return "cut one from the store";
  case fault::cut_answers_of_store:
    return "cut the store's answers to one";
  case fault::unplug_store:
    return "unplug the store";
  }
  return "?";
}

std::vector<fault> process_faults() {
  return {fault::kill_one,         fault::kill_most,
          fault::kill_all,         fault::pause_within_lease,
          fault::pause_past_lease, fault::pause_and_kill,
          fault::drain_one,        fault::restart_all};
}

std::vector<fault> network_faults() {
  return {fault::unplug_one, fault::cut_pair, fault::cut_one_way,
          fault::cut_all};
}

std::vector<fault> store_faults() {
  return {fault::store_restarted, fault::store_killed, fault::store_paused};
}

std::vector<fault> store_network_faults() {
  return {fault::cut_from_store, fault::cut_answers_of_store,
          fault::unplug_store};
}

bool is_store_outage(fault x) noexcept {
  return x == fault::store_restarted || x == fault::store_killed
         || x == fault::store_paused || x == fault::unplug_store
         || x == fault::cut_all;
}

void nemesis::clients(node_address& where) {
  clients_ = &where;
  for (auto& id : ids_)
    where.up(id, nodes_[id].port(), nodes_[id].network());
}

void nemesis::strike(fault x, const std::string& victim) {
  say("** " + std::string{to_string(x)} + ": " + victim);
  switch (x) {
  case fault::kill_one:
    kill(victim);
    last(0ms, 1500ms);
    start(victim);
    break;
  case fault::kill_most:
    for (auto& id : ids_)
      if (id != victim) {
        kill(id);
        last(0ms, 800ms);
      }
    for (auto& id : ids_)
      if (id != victim)
        start(id);
    break;
  case fault::kill_all:
    for (auto& id : ids_)
      kill(id);
    for (auto& id : ids_)
      start(id);
    break;
  case fault::pause_within_lease:
    pause(victim);
    last(200ms, 1000ms);
    wake(victim);
    break;
  case fault::pause_past_lease:
    pause_past_lease(victim, [] {});
    break;
  case fault::pause_and_kill: {
    auto other = other_than(victim);
    pause_past_lease(victim, [&] {
      kill(other);
      start(other);
    });
    break;
  }
  case fault::drain_one:
    stop(victim);
    start(victim);
    break;
  case fault::restart_all:
    for (auto& id : ids_) {
      stop(id);
      start(id);
    }
    break;
  case fault::unplug_one:
  case fault::cut_pair:
  case fault::cut_one_way:
  case fault::cut_all:
    cut(x, victim);
    break;
  case fault::store_restarted:
  case fault::store_killed:
  case fault::store_paused:
    strike_store(x);
    break;
  case fault::cut_from_store:
  case fault::cut_answers_of_store:
  case fault::unplug_store:
    cut_store(x, victim);
    break;
  }
  say("whole");
}

// -- steps -------------------------------------------------------------------

void nemesis::start(const std::string& id) {
  say("start " + id);
  auto& node = nodes_.start(id);
  say(id + " is up");
  clients_->up(id, node.port(), node.network());
}

void nemesis::kill(const std::string& id) {
  say("kill " + id);
  nodes_[id].kill();
  clients_->down(id);
}

void nemesis::stop(const std::string& id) {
  say("stop " + id);
  nodes_[id].signal(SIGTERM);
  clients_->down(id);
  auto status = nodes_[id].wait();
  say(id + " ended with " + std::to_string(status));
  EXPECT_EQ(status, 0) << id << " did not end in order";
}

void nemesis::pause(const std::string& id) {
  say("pause " + id);
  nodes_[id].signal(SIGSTOP);
  // Those who are at it wait for it to wake, the others need not.
  clients_->down(id);
}

void nemesis::wake(const std::string& id) {
  say("wake " + id);
  nodes_[id].signal(SIGCONT);
  clients_->up(id, nodes_[id].port(), nodes_[id].network());
}

void nemesis::pause_past_lease(const std::string& id,
                               const std::function<void()>& f) {
  pause(id);
  last(2000ms, 3000ms);
  f();
  last(2000ms, 3000ms);
  wake(id);
}

void nemesis::cut(fault x, const std::string& victim) {
  auto a = nodes_.host(victim);
  auto b = nodes_.host(other_than(victim));
  if (x == fault::unplug_one)
    network_->unplug(a);
  if (x == fault::cut_one_way || x == fault::cut_pair)
    network_->cut(a, b);
  if (x == fault::cut_pair)
    network_->cut(b, a);
  if (x == fault::cut_all)
    for (auto& id : ids_)
      network_->unplug(nodes_.host(id));
  last(500ms, 6000ms);
  network_->heal();
}

void nemesis::strike_store(fault x) {
  auto& server = *store_.server();
  switch (x) {
  case fault::store_restarted:
    server.stop(postgres_stop::fast);
    server.start();
    break;
  case fault::store_killed:
    server.stop(postgres_stop::killed);
    last(0ms, 5000ms);
    server.start();
    break;
  default:
    server.pause();
    last(3500ms, 7000ms); // and than answers are waited for
    server.resume();
    break;
  }
}

void nemesis::cut_store(fault x, const std::string& victim) {
  auto node = nodes_.host(victim);
  auto store = ids_.size();
  if (x == fault::unplug_store)
    network_->unplug(store);
  else
    network_->cut(store, node);
  if (x == fault::cut_from_store)
    network_->cut(node, store);
  last(500ms, 6000ms);
  network_->heal();
}

void nemesis::last(std::chrono::milliseconds least,
                   std::chrono::milliseconds most) {
  auto range = static_cast<uint64_t>((most - least).count()) + 1;
  std::this_thread::sleep_for(
    least + std::chrono::milliseconds{static_cast<int64_t>(random_() % range)});
}

void nemesis::say(const std::string& what) {
  auto time = std::chrono::duration<double>(clock::now() - start_);
  log_ << std::fixed << std::setprecision(4) << time.count() << " " << what
       << std::endl;
}

std::string nemesis::other_than(const std::string& id) {
  std::vector<std::string> others;
  for (auto& x : ids_)
    if (x != id)
      others.push_back(x);
  if (others.empty())
    throw std::logic_error("there is one node only");
  return others[random_() % others.size()];
}

} // namespace troupe::testing
