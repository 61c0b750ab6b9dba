#include "actors/service/entity_state.hpp"

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

} // namespace

void entity_state::load(const stored_state& committed) {
  unload();
  make(committed.revision, committed.state);
}

void entity_state::unload() noexcept {
  object_.reset();
  snapshot_.clear();
  revision_ = 0;
}

std::optional<std::string> entity_state::changed() const {
  auto now = serialize(*object_);
  if (now == snapshot_)
    return std::nullopt;
  return now;
}

void entity_state::committed(std::string state) noexcept {
  ++revision_;
  snapshot_ = std::move(state);
}

void entity_state::restore() {
  auto snapshot = std::move(snapshot_);
  auto revision = revision_;
  unload();
  make(revision, snapshot);
}

void entity_state::make(uint64_t revision, const std::string& state) {
  auto object = definition_.make();
  if (!state.empty())
    object->load(parse_json(state, defaults::service::state_depth_max));
  // Not the stored text: the class may write the same state in another way.
  snapshot_ = serialize(*object);
  revision_ = revision;
  object_ = std::move(object);
}

} // namespace troupe
