#include "actors/work/follow_up.hpp"

#include <algorithm>
#include <cstring>

#include "actors/core/codec.hpp"
#include "actors/core/kept_event.hpp"
#include "actors/core/outside.hpp"
#include "actors/core/payload_json.hpp"
#include "actors/core/work_notes.hpp"
#include "actors/model/fingerprint.hpp"
#include "actors/model/rfc3339.hpp"

namespace troupe {

namespace {

constexpr auto steps_name = "steps";
constexpr auto event_name = "event";

/// Where an event comes from: a reference of a URI, in which a key is one part.
std::string source_of(const work_target& x) {
  if (x.is_outside())
    return to_string(x);
  if (!x.is_entity())
    return "/functions/" + to_string(x);
  return "/services/" + x.name + "/" + outside_part(outside_kind::http, x.key)
         + "/" + x.method;
}

cloud_event event_after(const work_item& source, work_end how, work_time now) {
  cloud_event result;
  result.id = to_string(source.id);
  result.source = source_of(source.target);
  result.type =
    how == work_end::succeeded ? "troupe.work.succeeded" : "troupe.work.failed";
  result.time = to_rfc3339(std::chrono::floor<std::chrono::seconds>(now));
  result.subject = key_of(source);
  if (!result.validate()) // a key may be of any text, a subject not
    result.subject.clear();
  return result;
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

invocation_id follow_up_id(const invocation_id& source, work_end how,
                           size_t number) {
  // Of a UUID, the variant.
  constexpr uint64_t kept_bits = uint64_t{3} << 62;
  auto name = how == work_end::succeeded ? "success" : "failure";
  auto hash = fingerprint({to_string(source), name, std::to_string(number)});
  invocation_id result{source.high, 0};
  std::memcpy(&result.low, hash.data(), sizeof result.low);
  result.low = (source.low & kept_bits) | (result.low & ~kept_bits);
  return result;
}

std::vector<work_request> follow_up(const work_item& source, work_end how,
                                    const std::vector<work_destination>& to,
                                    const payload& arguments, work_time now) {
  if (to.empty())
    return {};
  auto notes = notes_of(source);
  notes[steps_name] = steps_before(source) + 1;
  notes["follows"] = to_string(source.id);
  notes.erase(unreadable_name);
  notes.erase("group");    // the group of `source` waits for that alone
  notes.erase(event_name); // of the step before
  std::vector<work_request> result;
  for (auto& x : to) {
    auto& next = result.emplace_back().item;
    next.id = follow_up_id(source.id, how, result.size() - 1);
    next.target = x.of(source);
    next.arguments = arguments;
    if (next.arguments.content_type.empty())
      next.arguments.content_type = "application/json";
    next.routing_key = source.target.is_entity() && !next.target.is_entity()
                         ? source.target.key
                         : source.routing_key;
    next.trace = source.trace;
    next.notes = dump_json(notes);
    if (next.target.is_outside())
      keep_event(next, event_after(source, how, now));
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
