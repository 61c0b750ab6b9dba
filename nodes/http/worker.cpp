#include "nodes/http/worker.hpp"

#include <algorithm>
#include <ctime>

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/http/connection.hpp"

namespace troupe::http {

namespace {

using std::chrono::milliseconds;

/// Connections past the limit that are told so; more are only closed.
constexpr size_t turned_away_max = 256;

/// Smaller bodies are left to the allocator.
constexpr size_t pooled_body_min = 64 * 1024;

/// How often time-outs are looked at: a quarter of the shortest, so that they
/// come at most that much late.
milliseconds sweep_interval(const options& x) {
  auto shortest = std::min({x.head_time, x.body_progress_time, x.idle_time,
                            x.write_progress_time, x.linger_time});
  return std::clamp(shortest / 4, milliseconds{1}, milliseconds{1000});
}

} // namespace

worker::worker(const options& limits) : limits_(limits) {}

worker::~worker() {
  while (first_ != nullptr) {
    auto* x = first_;
    first_ = x->next;
    delete x;
  }
}

void worker::run(const handler_factory& make,
                 const std::function<void()>& ready) {
  handler_ = make(loop_);
  ready();
  loop_.run();
  tear_down();
}

void worker::tear_down() {
  for (auto* x = first_; x != nullptr;) {
    auto* next = x->next;
    x->abandon();
    x = next;
  }
  handler_.reset();
  loop_.forget_posted();
}

// -- connections --------------------------------------------------------------

void worker::adopt(int fd) {
  accepted.add(1);
  connections.add(1);
  add(fd).start();
}

void worker::turn_away(int fd) {
  turned_away.add(1);
  if (turned_away_open_ == turned_away_max) {
    ::close(fd);
    return;
  }
  ++turned_away_open_;
  add(fd).turn_away();
}

connection& worker::add(int fd) {
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  auto* x = new connection(*this, fd);
  x->next = first_;
  if (first_ != nullptr)
    first_->prev = x;
  first_ = x;
  schedule_sweep();
  return *x;
}

void worker::closed(connection& x) {
  if (x.is_turned_away()) {
    --turned_away_open_;
    return;
  }
  connections.subtract(1);
  load.fetch_sub(1, std::memory_order_relaxed);
}

void worker::retire(connection& x) {
  (x.prev != nullptr ? x.prev->next : first_) = x.next;
  if (x.next != nullptr)
    x.next->prev = x.prev;
  loop_.retire(std::unique_ptr<pollable>{&x});
}

void worker::drain() {
  draining_ = true;
  for (auto* x = first_; x != nullptr;) {
    auto* next = x->next;
    x->close_if_idle();
    x = next;
  }
}

// -- time ---------------------------------------------------------------------

void worker::schedule_sweep() {
  if (std::exchange(sweeping_, true))
    return;
  loop_.after(sweep_interval(limits_), [this] {
    sweeping_ = false;
    sweep();
  });
}

void worker::sweep() {
  for (auto* x = first_; x != nullptr;) {
    auto* next = x->next;
    x->check_time();
    x = next;
  }
  give_back_memory();
  if (first_ != nullptr || has_peaked_)
    schedule_sweep();
}

void worker::give_back_memory() {
  if (std::exchange(large_bodies_, false) || !std::exchange(has_peaked_, false))
    return;
  pool_.clear();
  pool_.shrink_to_fit();
  pool_bytes_ = 0;
  // The allocator keeps what was freed once for ever, unless told otherwise.
  ::malloc_trim(0);
}

std::string_view worker::date() {
  auto now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::strftime(date_.data(), date_.size(), "%a, %d %b %Y %H:%M:%S GMT",
                  &utc);
  }
  return {date_.data(), 29};
}

// -- the pool of bodies -------------------------------------------------------

void worker::recycle_sent() {
  for (auto& x : sent_bodies_)
    recycle(std::move(x));
  sent_bodies_.clear();
}

void worker::recycle(std::string&& body) {
  auto owned = std::move(body);
  if (owned.capacity() < pooled_body_min)
    return;
  large_bodies_ = has_peaked_ = true;
  if (owned.capacity() > limits_.pool_bytes_max - pool_bytes_)
    return; // the rest goes back to the allocator
  owned.clear();
  pool_bytes_ += owned.capacity();
  pool_.push_back(std::move(owned));
}

bool worker::charge(size_t before, size_t now) {
  auto share = limits_.bodies_bytes_max / std::max(1u, limits_.threads);
  if (now > before && charged_ - before + now > share)
    return false;
  charged_ = charged_ - before + now;
  return true;
}

std::string worker::take_body(size_t size) {
  large_bodies_ = has_peaked_ = true;
  for (auto& x : pool_) {
    if (x.capacity() < size || x.capacity() / 4 > size)
      continue;
    pool_bytes_ -= x.capacity();
    std::swap(x, pool_.back());
    auto result = std::move(pool_.back());
    pool_.pop_back();
    return result;
  }
  return {};
}

} // namespace troupe::http
