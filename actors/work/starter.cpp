#include "actors/work/starter.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/core/idempotency_key.hpp"
#include "actors/core/kept_event.hpp"
#include "actors/core/module.hpp"
#include "actors/core/outside.hpp"
#include "actors/core/reminder.hpp"
#include "actors/core/submit.hpp"
#include "actors/core/work_destination.hpp"
#include "actors/core/work_notes.hpp"
#include "actors/work/attempt.hpp"
#include "actors/work/follow_up.hpp"

namespace troupe {

namespace {

/// Attempts that one turn begins: others want the thread as well.
constexpr size_t begun_max = 64;

error has_no_key(const work_target& x) {
  return {errc::bad_request,
          "'" + to_string(x)
            + "' has no key: what was done before it had none for {key} (a "
              "call of a function has one with Troupe-Key)"};
}

error is_too_long() {
  return {errc::bad_request, "its pipeline has more than "
                               + std::to_string(defaults::work::steps_max)
                               + " steps: it may lead back into itself"};
}

error is_gone() {
  return {errc::instance_lost, "the nodes that ran it are gone"};
}

error is_too_old(const std::string& why = {}) {
  return {errc::deadline_exceeded, effect::none,
          "it could not begin before it was too old" + why};
}

/// An error as it is stored, as a part of another one's message.
std::string after_colon(std::string_view stored) {
  auto what = error::from_json(json::parse(stored, nullptr, false));
  return ": " + std::string{what.type()} + ": " + what.message();
}

/// Why work is no call at all; nothing if it is one.
std::optional<error> why_unreadable(const work_item& x) {
  if (x.notes.find(unreadable_name) == x.notes.npos)
    return std::nullopt;
  auto notes = notes_of(x);
  auto why = notes.find(unreadable_name);
  return why == notes.end() ? std::nullopt
                            : std::optional{error::from_json(*why)};
}

} // namespace

dispatcher::starter::starter(dispatcher& front, caf::actor_system& sys,
                             std::shared_ptr<home_thread> home)
  : front_(front), system_(sys), routes_(front.env_.routes),
    home_(std::move(home)) {}

caf::intrusive_ptr<dispatcher::attempt>
dispatcher::starter::make_attempt(claimed_work work, std::string by) {
  auto keep = wants_arguments(work);
  return caf::make_counted<attempt>(front_, std::move(work), std::move(by),
                                    keep, home_);
}

void dispatcher::starter::begin_waiting(caf::execution_unit* here) {
  // What a handler begins while one runs here is not this turn's.
  auto next = std::exchange(next_, {});
  {
    std::lock_guard guard{front_.mutex_};
    auto& inbox = front_.inbox_;
    auto end =
      inbox.begin() + static_cast<ptrdiff_t>(std::min(inbox.size(), begun_max));
    next.assign(std::make_move_iterator(inbox.begin()),
                std::make_move_iterator(end));
    inbox.erase(inbox.begin(), end);
    if (!inbox.empty())
      front_.wake();
  }
  for (auto& [work, by] : next)
    begin(std::move(work), std::move(by), here);
  next.clear();
  next_ = std::move(next); // its memory
}

bool dispatcher::starter::wants_arguments(const claimed_work& x) const {
  return !front_.policy_of(x.item.target.lane())->on_failure.empty();
}

expected<call_target_ptr>
dispatcher::starter::target_of(const work_target& to) {
  if (to.is_entity() && !is_valid_key(to.key))
    return error{errc::bad_request, "a key is 1 to 512 bytes of UTF-8"};
  auto result = to.is_entity() ? find_service(*routes_, to.name)
                               : find_function(*routes_, to.name, to.qualifier);
  if (result && !(*result)->callable_by_bytes())
    return error{errc::bad_request,
                 "'" + to.name + "' can be called from C++ only"};
  return result;
}

void dispatcher::starter::begin(claimed_work work, std::string by,
                                caf::execution_unit* here) {
  if (work.item.expires < front_.now())
    return refuse(std::move(work), std::move(by), is_too_old(), here);
  if (steps_before(work.item) > defaults::work::steps_max)
    return refuse(std::move(work), std::move(by), is_too_long(), here);
  if (auto why = why_unreadable(work.item))
    return refuse(std::move(work), std::move(by), *why, here);
  if (lacks_a_key(work.item.target)) {
    auto why = has_no_key(work.item.target);
    return refuse(std::move(work), std::move(by), why, here);
  }
  if (work.item.target.is_outside())
    return send(std::move(work), std::move(by), here);
  auto target = target_of(work.item.target);
  if (!target)
    return refuse(std::move(work), std::move(by), target.error(), here);
  if (work.attempt == 1)
    front_.counts_.count_wait(front_.now() - work.item.due);
  auto length = work.item.arguments.bytes.size();
  auto call = make_attempt(std::move(work), std::move(by));
  call->came_with(length);
  auto& item = call->work().item;
  if (item.target.is_entity()) {
    auto& to = item.target;
    call->entity =
      std::make_unique<entity_call>(entity_call{to.name, to.key, to.method});
    call->entity->idempotency_key =
      is_reminder(item) ? reminder_key(item.id) : work_key(item.id);
  }
  call->routing_key = item.routing_key;
  call->trace = item.trace;
  call->id = item.id;
  call->submitted = system_.clock().now();
  call->deadline = call->submitted + (*target)->timeout();
  submit_watched(front_.env_, **target, call, system_, here);
}

void dispatcher::starter::expire(std::vector<claimed_work> work,
                                 const std::string& by,
                                 caf::execution_unit* here) {
  front_.counts_.expired.fetch_add(work.size(), std::memory_order_relaxed);
  {
    std::lock_guard guard{front_.mutex_};
    for (auto& x : work)
      front_.running_.insert(x.item.id);
  }
  for (auto& x : work) {
    auto had_attempts = x.attempt < x.item.attempts_max;
    auto call = make_attempt(std::move(x), by);
    call->has_expired();
    call->start();
    if (had_attempts)
      finish_late(std::move(call));
    else
      call->finish(is_gone(), here);
  }
}

/// What it waited for is what went wrong last, or that nobody here can do it.
void dispatcher::starter::finish_late(caf::intrusive_ptr<attempt> call) {
  auto id = call->work().item.id;
  front_.queue_->find(id, [&front = front_, call = std::move(call)](
                            const expected<std::optional<work_view>>& x) {
    if (x && *x && !(*x)->answer.bytes.empty())
      return call->finish(is_too_old(after_colon((*x)->answer.bytes)), nullptr);
    auto missing = front.why_it_waits(call->work().item.target.lane());
    call->finish(missing ? is_too_old(after_colon(missing->to_json()))
                         : is_too_old(),
                 nullptr);
  });
}

void dispatcher::starter::send(claimed_work work, std::string by,
                               caf::execution_unit* here) {
  auto sender = front_.options_.sender;
  if (!sender)
    return refuse(std::move(work), std::move(by),
                  {errc::not_found, "this node tells nobody outside"}, here);
  auto keep = wants_arguments(work);
  auto& data = work.item.arguments;
  auto event =
    event_of(work.item, keep ? data : std::exchange(data, payload{}));
  if (!event)
    return refuse(std::move(work), std::move(by), event.error(), here);
  if (work.attempt == 1)
    front_.counts_.count_wait(front_.now() - work.item.due);
  auto call = make_attempt(std::move(work), std::move(by));
  call->start();
  try {
    sender->send(std::move(*event), [call](expected<payload> what) {
      if (!what)
        return call->finish(what.error(), nullptr);
      call->set_result(std::move(*what));
      call->finish(nullptr);
    });
  } catch (const std::system_error& e) { // no thread for another broker
    call->finish({errc::too_many_requests, e.what()}, here);
  }
}

void dispatcher::starter::refuse(claimed_work work, std::string by,
                                 const error& why, caf::execution_unit* here) {
  auto call = make_attempt(std::move(work), std::move(by));
  call->start();
  call->finish(why, here);
}

} // namespace troupe
