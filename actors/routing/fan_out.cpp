#include "actors/routing/fan_out.hpp"

#include <algorithm>
#include <cassert>
#include <exception>
#include <optional>

#include <caf/actor_system.hpp>

#include "actors/core/deadline_keeper.hpp"
#include "actors/core/lender.hpp"

namespace troupe {

namespace {

std::chrono::milliseconds until(time_point deadline, time_point now) {
  return std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
}

error not_begun() {
  return {errc::deadline_exceeded, "the deadline passed before it began"};
}

} // namespace

// -- answers on their way back -------------------------------------------------

fan_out_inbox::fan_out_inbox(size_t most, std::function<void()> wake)
  : wake_(std::move(wake)) {
  // Whoever answers need not be able to get memory.
  answered_.reserve(most);
  taken_.reserve(most);
}

void fan_out_inbox::put(size_t slot) noexcept {
  {
    std::lock_guard guard{mutex_};
    if (closed_)
      return;
    assert(answered_.size() < answered_.capacity());
    answered_.push_back(slot);
    if (answered_.size() > 1)
      return; // the first one has said so
  }
  wake_();
}

const std::vector<size_t>& fan_out_inbox::take() {
  taken_.clear();
  std::lock_guard guard{mutex_};
  answered_.swap(taken_);
  return taken_;
}

void fan_out_inbox::close() noexcept {
  std::lock_guard guard{mutex_};
  closed_ = true;
}

// -- the fan-out ---------------------------------------------------------------

fan_out::fan_out(call_port& port, fan_out_work& work, fan_out_options options,
                 std::function<void()> wake)
  : port_(port), work_(work), options_(options), room_(options.parallel) {
  assert(options.parallel >= 1
         && options.parallel <= fan_out_options::parallel_max);
  auto most = std::min(options.parallel, work.size());
  inbox_ = caf::make_counted<fan_out_inbox>(most, std::move(wake));
  slots_.resize(most);
  for (auto i = most; i > 0; --i)
    free_.push_back(i - 1);
}

fan_out::~fan_out() {
  stop();
}

bool fan_out::step(turn* together) {
  if (stopped_)
    return false;
  collect();
  if (port_.system().clock().now() >= options_.deadline)
    end_late();
  for (size_t i = 0; i < begun_max && may_begin(); ++i)
    begin(together);
  return may_begin();
}

void fan_out::stop() noexcept {
  if (std::exchange(stopped_, true))
    return;
  inbox_->close();
  for (auto& x : slots_)
    if (auto call = std::exchange(x.call, nullptr))
      call->abandon();
}

bool fan_out::may_begin() const noexcept {
  auto is_left = !turned_away_.empty() || next_ < work_.size();
  return is_left && running_ < room_;
}

void fan_out::begin(turn* together) {
  auto index = next_;
  if (turned_away_.empty()) {
    ++next_;
  } else {
    index = turned_away_.back();
    turned_away_.pop_back();
  }
  try {
    submit(index, together);
  } catch (...) {
    auto reason = error::from_exception(std::current_exception());
    ++ended_;
    work_.failed(index, reason.with_effect(effect::none));
  }
}

void fan_out::submit(size_t index, turn* together) {
  auto now = port_.system().clock().now();
  if (now >= options_.deadline)
    throw error_exception{not_begun()};
  auto target = work_.target(port_).value();
  auto call = work_.make(index);
  port_.prepare(*call, *target, until(options_.deadline, now));
  call->deadline = std::min(call->deadline, options_.deadline);
  if (!call->entity && call->routing_key.empty())
    call->routing_key = to_string(call->id);
  auto place = free_.back();
  static_cast<fan_out_member&>(*call->port).bind(inbox_, place);
  free_.pop_back();
  slots_[place] = {call, index};
  ++running_;
  lender thread{port_.system(), nullptr, false, together};
  target->submit(call, thread);
  if (!call->answered())
    port_.environment().deadlines.add(std::move(call));
}

void fan_out::collect() {
  for (auto place : inbox_->take()) {
    auto call = std::exchange(slots_[place].call, nullptr);
    free_.push_back(place);
    --running_;
    end(slots_[place].index, *call);
  }
}

void fan_out::end(size_t index, invocation& call) {
  auto reason = call.failure();
  if (reason && *reason == errc::too_many_requests
      && reason->what_happened() == effect::none && running_ > 0) {
    // Whoever ends next makes room.
    room_ = running_;
    turned_away_.push_back(index);
    return;
  }
  room_ = std::min(room_ + 1, options_.parallel);
  ++ended_;
  work_.done(index, call);
}

void fan_out::end_late() {
  // Whoever answers just now comes first, and is heard of soon.
  for (auto& x : slots_)
    if (x.call)
      x.call->expire(nullptr);
  collect();
  fail_left(not_begun());
}

void fan_out::drop_waiting(const error& reason) {
  if (stopped_)
    return;
  for (size_t place = 0; place < slots_.size(); ++place) {
    auto& x = slots_[place];
    if (!x.call || !x.call->abandon_waiting())
      continue;
    x.call = nullptr;
    free_.push_back(place);
    --running_;
    ++ended_;
    work_.failed(x.index, reason);
  }
  fail_left(reason);
}

/// Those that were never submitted, or found no room.
void fan_out::fail_left(const error& reason) {
  auto fail = [&](size_t index) {
    ++ended_;
    work_.failed(index, reason);
  };
  for (auto index : std::exchange(turned_away_, {}))
    fail(index);
  while (next_ < work_.size())
    fail(next_++);
}

} // namespace troupe
