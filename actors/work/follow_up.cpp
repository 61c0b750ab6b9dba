#include "actors/work/follow_up.hpp"

#include <algorithm>

#include "actors/core/codec.hpp"
#include "actors/core/payload_json.hpp"

namespace troupe {

namespace {

constexpr auto steps_name = "steps";

json notes_of(const work_item& x) {
  auto result = json::parse(x.notes, nullptr, false);
  return result.is_object() ? result : json::object();
}

} // namespace

uint32_t steps_before(const work_item& x) {
  if (x.notes.empty())
    return 0;
  auto notes = notes_of(x);
  auto steps = notes.find(steps_name);
  return steps != notes.end() && steps->is_number_unsigned()
           ? steps->get<uint32_t>()
           : 0;
}

std::vector<work_request> follow_up(const work_item& source,
                                    const std::vector<work_destination>& to,
                                    const payload& arguments, work_ids& ids,
                                    work_time now) {
  if (to.empty())
    return {};
  auto notes = notes_of(source);
  notes[steps_name] = steps_before(source) + 1;
  notes.erase("group"); // the group of `source` waits for that alone
  std::vector<work_request> result;
  for (auto& x : to) {
    auto& next = result.emplace_back().item;
    next.id = ids.next(now);
    next.target = x.of(source);
    next.arguments = arguments;
    if (next.arguments.content_type.empty())
      next.arguments.content_type = "application/json";
    next.routing_key = source.target.is_entity() && !next.target.is_entity()
                         ? source.target.key
                         : source.routing_key;
    next.trace = source.trace;
    next.notes = dump_json(notes);
    next.priority = source.priority;
  }
  return result;
}

payload failure_notice(const work_item& source, uint32_t attempts,
                       const payload& arguments, const error& reason) {
  std::string text = "{\"id\":\"" + to_string(source.id) + "\",\"target\":"
                     + dump_json(json(to_string(source.target)))
                     + ",\"attempts\":" + std::to_string(attempts)
                     + ",\"error\":" + reason.to_json() + ",";
  append_payload(text, "arguments", arguments);
  return {text + "}", "application/json"};
}

} // namespace troupe
