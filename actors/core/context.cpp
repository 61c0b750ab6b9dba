#include "actors/core/context.hpp"

#include "actors/core/defaults.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/module.hpp"
#include "actors/core/random_name.hpp"
#include "actors/core/reminder.hpp"
#include "actors/model/rfc3339.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

[[noreturn]] void only_in_a_method() {
  throw error_exception{
    {errc::not_implemented, effect::ran,
     "a function has no commit that something could be sent with"}};
}

[[noreturn]] void refuse(std::string why) {
  throw error_exception{{errc::bad_request, std::move(why)}};
}

void check_target(const work_target& x) {
  if (!is_valid_name(x.name))
    refuse("'" + x.name + "' is no name of a function or service");
  if (x.is_entity()) {
    if (!is_valid_key(x.key))
      refuse("a key is 1 to 512 bytes of UTF-8");
    if (!is_valid_name(x.method) || !x.qualifier.empty())
      refuse("'" + to_string(x) + "' is no method of an entity");
  } else if (!x.key.empty()
             || (!x.qualifier.empty() && !is_valid_name(x.qualifier))) {
    refuse("'" + to_string(x) + "' is no function");
  }
}

} // namespace

// -- call_host ---------------------------------------------------------------

const service_definition* call_host::own_service() const noexcept {
  return nullptr;
}

work_time call_host::wall_time() const {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

invocation_id call_host::send(work_request) {
  only_in_a_method();
}

void call_host::withdraw(const invocation_id&) {
  only_in_a_method();
}

void call_host::erase_entity() {
  only_in_a_method();
}

size_t call_host::publish(const cloud_event&) {
  only_in_a_method();
}

void call_host::remind(const std::string&, work_request) {
  only_in_a_method();
}

bool call_host::forget(const std::string&) {
  only_in_a_method();
}

std::optional<work_time> call_host::reminder(const std::string&) const {
  only_in_a_method();
}

// -- context -----------------------------------------------------------------

work_time context::time_after(milliseconds delay) const {
  if (delay < milliseconds{0} || delay > defaults::work::delay_max)
    refuse("a delay is from none to 366 days");
  return host_.wall_time() + delay;
}

invocation_id context::send(work_target to, payload arguments,
                            send_options options) {
  check_target(to);
  if (options.priority > work_priority_max)
    refuse("a priority is 0 to 9");
  if (!options.routing_key.empty()
      && (to.is_entity() || !is_valid_key(options.routing_key)))
    refuse("a routing key is for functions, and 1 to 512 bytes of UTF-8");
  auto& key = options.idempotency_key;
  if (!key.empty() && !is_valid_idempotency_key(key))
    refuse("an idempotency key is 1 to 255 bytes of visible ASCII");
  work_request request;
  auto& item = request.item;
  item.target = std::move(to);
  item.arguments = std::move(arguments);
  item.routing_key = std::move(options.routing_key);
  item.trace = std::string{trace()};
  item.priority = options.priority;
  item.due = time_after(options.delay);
  request.idempotency_key = std::move(key);
  if (!request.idempotency_key.empty())
    request.fingerprint = fingerprint_of(item);
  return host_.send(std::move(request));
}

size_t context::publish(cloud_event event) {
  if (event.id.empty())
    event.id = random_name();
  if (event.time.empty())
    event.time =
      to_rfc3339(std::chrono::floor<std::chrono::seconds>(host_.wall_time()));
  if (!trace().empty())
    event.extensions.emplace("traceparent", std::string{trace()});
  return host_.publish(event);
}

void context::remind(std::string name, work_time at, std::string method,
                     payload arguments) {
  if (at > last_reminder)
    refuse("a reminder is for the year 2199 at last");
  work_request request;
  auto& item = request.item;
  item.target.method = std::move(method);
  item.arguments = std::move(arguments);
  item.trace = std::string{trace()};
  item.notes = reminder_notes;
  item.due = at;
  host_.remind(name, std::move(request));
}

} // namespace troupe
