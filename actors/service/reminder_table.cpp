#include "actors/service/reminder_table.hpp"

#include <stdexcept>

#include "actors/core/codec.hpp"
#include "actors/core/work_id.hpp"

namespace troupe {

const reminder_table::entry*
reminder_table::find(const std::string& name) const noexcept {
  auto i = entries_.find(name);
  return i != entries_.end() ? &i->second : nullptr;
}

std::optional<std::string>
reminder_table::name_of(const invocation_id& work) const {
  for (auto& [name, x] : entries_)
    if (x.id == work)
      return name;
  return std::nullopt;
}

std::string reminder_table::to_text() const {
  if (entries_.empty())
    return {};
  auto result = json::object();
  for (auto& [name, x] : entries_)
    result[name] = {to_string(x.id), x.due.time_since_epoch().count()};
  return dump_json(result);
}

reminder_table reminder_table::from_text(std::string_view text) {
  reminder_table result;
  if (text.empty())
    return result;
  auto found = parse_json(text);
  for (auto& [name, x] : found.items()) {
    auto id = parse_invocation_id(x.at(0).get<std::string>());
    if (!id)
      throw std::runtime_error("a reminder has no id");
    result.set(
      name,
      {*id, work_time{std::chrono::milliseconds{x.at(1).get<int64_t>()}}});
  }
  return result;
}

} // namespace troupe
