// What the methods of an entity send with their commits, and its reminders.

#include "actors/service/activation.hpp"

#include "actors/core/event_routes.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/module.hpp"
#include "actors/core/reminder.hpp"
#include "actors/core/work_outlet.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse_to_send(errc code, std::string why) {
  throw error_exception{{code, effect::none, std::move(why)}};
}

} // namespace

const service_definition* activation::own_service() const noexcept {
  return &definition();
}

work_time activation::wall_time() const {
  auto outlet = target_->options().outlet;
  return outlet ? outlet->now() : call_host::wall_time();
}

// -- sending -----------------------------------------------------------------

work_outlet& activation::outlet() const {
  auto& x = *work_->current;
  if (x.method->is_const)
    refuse_to_send(errc::bad_request,
                   "'" + x.method->name + "' is const: it commits nothing");
  auto result = target_->options().outlet;
  if (!result)
    refuse_to_send(errc::not_implemented,
                   "this store takes no work with a commit");
  return *result;
}

invocation_id activation::send(work_request request) {
  auto& to = outlet();
  auto& sent = work_->current->sent;
  auto bytes = request.item.arguments.bytes.size();
  if (bytes > defaults::work::payload_max
      || sent.bytes() + bytes > defaults::service::sent_bytes)
    refuse_to_send(errc::payload_too_large,
                   "a call takes " + std::to_string(defaults::work::payload_max)
                     + " bytes, and all that one call sends "
                     + std::to_string(defaults::service::sent_bytes));
  if (sent.work.size() >= defaults::service::sends)
    refuse_to_send(errc::bad_request,
                   "one call sends " + std::to_string(defaults::service::sends)
                     + " others at most");
  to.complete(request);
  sent.work.push_back(std::move(request));
  return sent.work.back().item.id;
}

void activation::withdraw(const invocation_id& id) {
  outlet();
  auto& sent = work_->current->sent;
  if (std::erase_if(sent.work, [&](auto& x) { return x.item.id == id; }) > 0)
    return;
  if (sent.withdrawn.size() >= defaults::service::sends)
    refuse_to_send(errc::bad_request,
                   "one call withdraws "
                     + std::to_string(defaults::service::sends)
                     + " others at most");
  sent.withdrawn.push_back(id);
}

void activation::erase_entity() {
  auto& x = *work_->current;
  if (x.method->is_const)
    refuse_to_send(errc::bad_request,
                   "'" + x.method->name + "' is const: it commits nothing");
  x.erases = true;
}

size_t activation::publish(const cloud_event& event) {
  auto& to = outlet();
  auto rules = target_->options().events;
  if (!rules)
    refuse_to_send(errc::not_implemented, "there are no rules for events here");
  auto calls = rules->calls_of(event);
  if (!calls)
    throw error_exception{calls.error()};
  auto& sent = work_->current->sent.work;
  auto before = sent.size();
  try {
    for (auto& x : *calls) {
      x.item.due = to.now();
      send(std::move(x));
    }
  } catch (...) { // all or none, also if the method goes on
    sent.resize(before);
    throw;
  }
  return calls->size();
}

// -- reminders ---------------------------------------------------------------

const reminder_table& activation::reminders_now() const {
  auto& x = *work_->current;
  return x.reminders ? *x.reminders : state_.reminders();
}

reminder_table& activation::changed_reminders() {
  auto& x = *work_->current;
  if (!x.reminders)
    x.reminders.emplace(state_.reminders());
  return *x.reminders;
}

void activation::remind(const std::string& name, work_request request) {
  outlet();
  if (!is_valid_name(name))
    refuse_to_send(errc::bad_request,
                   "a reminder's name has 1 to 64 of A-Z, a-z, 0-9, _ and -");
  auto& to = request.item.target;
  auto method = definition().find(to.method);
  if (!method || method->is_const)
    refuse_to_send(errc::bad_request, "'" + to.method + "' is no method of '"
                                        + definition().name
                                        + "' that may change something");
  auto& known = reminders_now();
  if (!known.find(name) && known.size() >= defaults::service::reminders)
    refuse_to_send(errc::bad_request,
                   "an entity has "
                     + std::to_string(defaults::service::reminders)
                     + " reminders at most");
  to.name = definition().name;
  to.key = key;
  send(std::move(request));
  drop_reminder(name);
  auto& item = work_->current->sent.work.back().item;
  changed_reminders().set(name, {item.id, item.due});
}

bool activation::forget(const std::string& name) {
  outlet();
  return drop_reminder(name);
}

bool activation::drop_reminder(const std::string& name) {
  auto found = reminders_now().find(name);
  if (!found)
    return false;
  auto id = found->id;
  changed_reminders().erase(name);
  auto& sent = work_->current->sent;
  if (std::erase_if(sent.work, [&](auto& x) { return x.item.id == id; }) == 0)
    sent.withdrawn.push_back(id);
  return true;
}

std::optional<work_time> activation::reminder(const std::string& name) const {
  auto found = reminders_now().find(name);
  return found ? std::optional{found->due} : std::nullopt;
}

bool activation::is_void_reminder() {
  auto& x = *work_->current;
  auto id = reminder_of(x.call().entity->idempotency_key);
  if (!id)
    return false;
  auto name = state_.reminders().name_of(*id);
  if (!name)
    return true;
  x.reminded = true;
  changed_reminders().erase(*name);
  return false;
}

// -- the end of a call -------------------------------------------------------

bool activation::leave_nothing() {
  auto reminders = reminders_now().entries();
  for (auto& [name, reminder] : reminders)
    drop_reminder(name);
  auto had_state = state_.exists();
  if (had_state || !reminders.empty())
    state_.erase(definition());
  else
    state_.restore(definition());
  return had_state || !reminders.empty();
}

bool activation::keep_what_was_sent() {
  auto& x = *work_->current;
  if (x.sent.empty() && !x.reminders)
    return false;
  if (x.reminders)
    state_.set_reminders(std::move(*x.reminders));
  work_->leaving.add(std::move(x.sent));
  return true;
}

void activation::tell_what_waits() {
  for (auto& [lane, due] : work_->leaving.committed())
    target_->options().outlet->waits(lane, due);
}

} // namespace troupe
