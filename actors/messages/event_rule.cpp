#include "actors/messages/event_rule.hpp"

#include <array>
#include <utility>

#include "actors/core/cloud_event_json.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/kept_event.hpp"
#include "actors/core/module.hpp"
#include "actors/core/outside.hpp"
#include "actors/core/sha256.hpp"
#include "actors/model/trace_parent.hpp"

namespace troupe {

namespace {

error bad(std::string what) {
  return {errc::bad_request, std::move(what)};
}

struct condition {
  const char* attribute;
  const std::string cloud_event::*value;
  const std::optional<event_pattern> event_rule::*pattern;
};

constexpr std::array conditions = {
  condition{"type", &cloud_event::type, &event_rule::type},
  condition{"source", &cloud_event::source, &event_rule::source},
  condition{"subject", &cloud_event::subject, &event_rule::subject},
};

/// The pattern that has the key; null if none has.
const condition* key_condition(const event_rule& x) {
  for (auto& y : conditions)
    if (auto& pattern = x.*y.pattern; pattern && pattern->has_key())
      return &y;
  return nullptr;
}

expected<void> check_outside(const event_rule& x) {
  auto& to = x.target;
  if (to.is_entity() || !to.function.empty() || !to.method.empty()
      || x.takes_event)
    return bad("give either to, or who is called and with what");
  auto text = x.outside->to_string();
  if (!looks_outside(text))
    return bad("to is a URL: http, https, nats, mqtt");
  if (text.find("{id}") != text.npos)
    return bad("{id} has no meaning here");
  return {};
}

expected<void> check_target(const event_rule& x) {
  if (x.outside)
    return check_outside(x);
  auto& to = x.target;
  if (to.is_entity() == !to.function.empty())
    return bad("give a function, a service and a method, or to");
  if (to.is_entity()) {
    if (!is_valid_name(to.service))
      return bad("'" + to.service + "' is no name of a service");
    if (!is_valid_name(to.method))
      return bad("the service needs a method");
    return {};
  }
  if (!to.method.empty())
    return bad("a method is of a service, not of a function");
  if (!is_valid_name(to.function)
      || (!to.qualifier.empty() && !is_valid_name(to.qualifier)))
    return bad("'" + to.function + "' is no name of a function");
  return {};
}

expected<void> check_key(const event_rule& x) {
  int ways = !x.target.key.empty() + !x.key_attribute.empty();
  for (auto& y : conditions)
    ways += x.*y.pattern && (x.*y.pattern)->has_key();
  if (ways > 1)
    return bad("there is one key: {key} in one pattern, key, or fixed-key");
  auto is_needed =
    x.target.is_entity()
    || (x.outside && x.outside->to_string().find("{key}") != std::string::npos);
  if (ways == 0 && is_needed)
    return bad("it needs a key: {key} in a pattern, key, or fixed-key");
  if (!x.target.key.empty() && !is_valid_key(x.target.key))
    return bad("a key is 1 to 512 bytes of UTF-8");
  auto& name = x.key_attribute;
  if (!name.empty() && !is_extension_name(name) && !own_attribute(name))
    return bad("'" + name + "' is no attribute of an event");
  return {};
}

/// Empty if there is to be none.
expected<std::string> key_in(const event_rule& rule, const cloud_event& x) {
  std::optional<std::string> key = rule.target.key;
  auto from = rule.key_attribute;
  if (auto in = key_condition(rule)) {
    from = in->attribute;
    key = (rule.*in->pattern)->key_of(x.*in->value);
  } else if (!from.empty()) {
    key = x.attribute(from);
  }
  if (from.empty() || (key && is_valid_key(*key)))
    return key.value_or("");
  return bad("the rule '" + rule.name + "' takes a key from the attribute '"
             + from
             + "' of an event, and this has none: a key is 1 to 512 "
               "bytes of UTF-8");
}

/// Data and attributes: others may have written either at any length.
size_t size_of(const work_item& x) {
  return x.arguments.bytes.size() + x.arguments.content_type.size()
         + x.notes.size();
}

error is_too_large(const cloud_event& x) {
  return {errc::payload_too_large,
          "the event '" + x.id + "' has more than "
            + std::to_string(defaults::work::payload_max)
            + " bytes, its attributes among them"};
}

} // namespace

expected<void> event_rule::validate() const {
  if (!is_valid_name(name))
    return bad("'" + name + "' is no name of A-Z, a-z, 0-9, _ and -");
  if (!type && !source && !subject)
    return bad("give a pattern for type, source or subject; type:* is for all "
               "events");
  if (auto good = check_target(*this); !good)
    return good;
  return check_key(*this);
}

bool event_rule::matches(const cloud_event& x) const {
  for (auto& y : conditions)
    if (auto& pattern = this->*y.pattern;
        pattern && !((x.*y.value).size() > 0 && pattern->matches(x.*y.value)))
      return false;
  return true;
}

expected<work_request> event_rule::call_of(const cloud_event& x) const {
  auto key = key_in(*this, x);
  if (!key)
    return key.error();
  work_request result;
  auto& item = result.item;
  if (outside) {
    item.routing_key = std::move(*key);
    item.target = outside->of(item);
    keep_event(item, x);
  } else if (target.is_entity()) {
    item.target = {target.service, {}, std::move(*key), target.method};
  } else {
    item.target = {target.function, target.qualifier};
    item.routing_key = std::move(*key);
  }
  if (outside) {
    item.arguments = {x.data.value_or(""), x.datacontenttype};
  } else {
    item.arguments = takes_event
                       ? payload{to_json(x), std::string{structured_event_type}}
                       : x.body();
    item.notes =
      dump_json({{"rule", name}, {"eventSource", x.source}, {"eventId", x.id}});
  }
  if (outside && size_of(item) > defaults::work::payload_max)
    return is_too_large(x);
  if (auto trace = x.attribute("traceparent"); trace && is_trace_parent(*trace))
    item.trace = *trace;
  // It has a space, as no key of a caller has. Whatever else of the event is
  // otherwise when it comes again (a time, a trace) makes it no other event.
  result.idempotency_key = "event " + name + " " + sha256({x.source, x.id});
  result.fingerprint = "event";
  return result;
}

} // namespace troupe
