#include "actors/service/entity_state.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "actors/core/codec.hpp"

namespace troupe {

namespace {

struct level {
  const json* value;
  size_t depth;
};

/// What JSON cannot give back as it was. Iterative: the state may be nested
/// deeper than a stack can follow.
void check_durable(const json& state) {
  std::vector<level> open{{&state, 1}};
  while (!open.empty()) {
    auto [value, depth] = open.back();
    open.pop_back();
    if (value->is_number_float() && !std::isfinite(value->get<double>()))
      throw std::domain_error("the state has a number that is not finite");
    if (!value->is_structured())
      continue;
    if (depth > defaults::service::state_depth_max)
      throw std::length_error(
        "the state is nested deeper than "
        + std::to_string(defaults::service::state_depth_max) + " levels");
    for (auto& child : *value)
      if (child.is_structured() || child.is_number_float())
        open.push_back({&child, depth + 1});
  }
}

std::string serialize(const service_object& object) {
  auto state = object.save();
  check_durable(state);
  return state.dump(); // throws for bytes that are not UTF-8
}

/// Where `given` has a member that `kept` has not, as a JSON pointer.
std::optional<std::string> find_lost(const json& given, const json& kept) {
  if (given.is_object() && kept.is_object())
    for (auto& [name, value] : given.items()) {
      auto i = kept.find(name);
      auto below = i != kept.end() ? find_lost(value, *i) : std::string{};
      if (below)
        return '/' + name + *below;
    }
  if (given.is_array() && kept.is_array() && given.size() == kept.size())
    for (size_t i = 0; i < given.size(); ++i)
      if (auto below = find_lost(given[i], kept[i]))
        return '/' + std::to_string(i) + *below;
  return std::nullopt;
}

/// Somebody who sets a whole state means all of it.
void check_nothing_is_lost(const service_definition& definition,
                           const json& given, const json& kept) {
  if (auto at = find_lost(given, kept))
    throw error_exception{
      {errc::bad_request,
       "'" + definition.name + "' has no place for what is at " + *at}};
}

void upgrade(const service_definition& definition, json& state,
             uint32_t schema) {
  if (schema > definition.schema())
    throw error_exception{{errc::not_implemented, effect::none,
                           "the state has schema " + std::to_string(schema)
                             + ", and this build of '" + definition.name
                             + "' knows "
                             + std::to_string(definition.schema())}};
  for (auto i = std::max<uint32_t>(schema, 1); i < definition.schema(); ++i)
    definition.upgrades[i - 1](state);
}

/// A new object, as `state` says unless that is empty.
std::unique_ptr<service_object> make(const service_definition& definition,
                                     std::string_view state, uint32_t schema) {
  auto result = definition.make();
  if (state.empty())
    return result;
  auto parsed = parse_json(state, defaults::service::state_depth_max);
  upgrade(definition, parsed, schema);
  result->load(parsed);
  return result;
}

} // namespace

void entity_state::load(const service_definition& definition,
                        const stored_state& found) {
  unload();
  auto object = make(definition, found.state, found.schema);
  set_reminders(reminder_table::from_text(found.reminders));
  // Not the stored text: the class may write the same state in another way.
  snapshot_ = serialize(*object);
  revision_ = found.revision;
  exists_ = found.exists();
  object_ = std::move(object);
}

void entity_state::keep_unreadable(const stored_state& found, error reason) {
  unload();
  try {
    set_reminders(reminder_table::from_text(found.reminders));
  } catch (const std::exception&) {
    // They are what cannot be read.
  }
  revision_ = found.revision;
  exists_ = found.exists();
  unreadable_ = std::make_unique<error>(std::move(reason));
}

void entity_state::unload() noexcept {
  object_.reset();
  unreadable_.reset();
  reminders_.reset();
  snapshot_ = {};
  revision_ = 0;
  exists_ = false;
}

stored_state
entity_state::snapshot(const service_definition& definition) const {
  return {revision_, exists_ ? snapshot_ : std::string{}, definition.schema(),
          reminders().to_text()};
}

bool entity_state::advance() {
  auto now = serialize(*object_);
  if (now == snapshot_)
    return false;
  snapshot_ = std::move(now);
  ++revision_;
  exists_ = true;
  return true;
}

void entity_state::restore(const service_definition& definition) {
  object_.reset();
  object_ = make(definition, exists_ ? snapshot_ : std::string_view{},
                 definition.schema());
}

bool entity_state::replace(const service_definition& definition,
                           std::string_view state, uint32_t schema) {
  if (state.empty())
    throw error_exception{{errc::bad_request, "there is no state"}};
  auto parsed = parse_json(state, defaults::service::state_depth_max);
  upgrade(definition, parsed, schema);
  auto object = definition.make();
  object->load(parsed);
  auto kept = object->save();
  detail::check_nothing_was_cut(parsed, kept);
  check_nothing_is_lost(definition, parsed, kept);
  auto now = serialize(*object);
  object_ = std::move(object);
  unreadable_.reset();
  if (exists_ && now == snapshot_)
    return false;
  snapshot_ = std::move(now);
  ++revision_;
  exists_ = true;
  return true;
}

void entity_state::erase(const service_definition& definition) {
  auto object = definition.make();
  snapshot_ = serialize(*object);
  object_ = std::move(object);
  unreadable_.reset();
  reminders_.reset();
  ++revision_;
  exists_ = false;
}

// -- reminders ---------------------------------------------------------------

const reminder_table& entity_state::reminders() const noexcept {
  static const reminder_table none;
  return reminders_ ? *reminders_ : none;
}

void entity_state::set_reminders(reminder_table x) {
  if (x.empty())
    reminders_.reset();
  else
    reminders_ = std::make_unique<reminder_table>(std::move(x));
}

} // namespace troupe
