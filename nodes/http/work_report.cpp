#include "nodes/http/work_report.hpp"

#include <chrono>

#include "actors/core/codec.hpp"
#include "actors/core/payload_json.hpp"
#include "actors/work/group_work.hpp"
#include "nodes/http/gateway_parts.hpp"

namespace troupe {

namespace {

std::string json_string(std::string_view text) {
  return dump_json(json(text));
}

void add_time(std::string& to, const char* name, work_time time) {
  to.append(",\"").append(name).append("\":\"");
  to.append(to_rfc3339(time)).append("\"");
}

bool has_ended(work_state x) noexcept {
  return x == work_state::succeeded || x == work_state::failed
         || x == work_state::dead;
}

/// Of the notes, what says where it comes from.
json origin_of(const work_item& x) {
  if (x.notes.empty())
    return json::object();
  json result;
  try {
    result = parse_json(x.notes);
  } catch (const error_exception&) { // not what this version writes
  }
  if (!result.is_object())
    return json::object();
  result.erase("steps");
  result.erase(unreadable_name); // it is its error
  result.erase("group");
  if (auto member = member_of(x)) {
    result["group"] = member->group;
    result["number"] = member->number;
  }
  return result;
}

} // namespace

std::string_view to_string(work_state x) noexcept {
  switch (x) {
  case work_state::waiting:
    return "queued";
  case work_state::claimed:
    return "running";
  case work_state::succeeded:
    return "succeeded";
  case work_state::failed:
    return "failed";
  case work_state::dead:
    return "dead_lettered";
  }
  return "unknown";
}

std::string to_json(const work_view& x) {
  std::string result = "{\"id\":\"" + to_string(x.id) + "\",\"target\":";
  result += json_string(to_string(x.target));
  result.append(",\"state\":\"").append(to_string(x.state));
  result += "\",\"priority\":" + std::to_string(x.priority);
  result += ",\"attempts\":" + std::to_string(x.attempts);
  add_time(result, "createdAt", x.accepted);
  if (x.state == work_state::waiting)
    add_time(result, "dueAt", x.due);
  if (!x.claimed_by.empty())
    result += ",\"claimedBy\":" + json_string(x.claimed_by);
  if (has_ended(x.state))
    add_time(result, "finishedAt", x.finished);
  if (x.state == work_state::succeeded) {
    result += ',';
    append_payload(result, "result", x.answer);
  } else if (is_json(x.answer) && !x.answer.bytes.empty()) {
    result.append(",\"error\":").append(x.answer.bytes);
  }
  return result + '}';
}

std::string to_json(const work_item& x) {
  std::string result = "{\"id\":\"" + to_string(x.id) + "\",\"target\":";
  result += json_string(to_string(x.target));
  result += ",\"priority\":" + std::to_string(x.priority);
  result += ",\"maxAttempts\":" + std::to_string(x.attempts_max);
  add_time(result, "createdAt", x.accepted);
  add_time(result, "expiresAt", x.expires);
  if (!x.routing_key.empty())
    result += ",\"routingKey\":" + json_string(x.routing_key);
  if (!x.trace.empty())
    result += ",\"trace\":" + json_string(x.trace);
  if (auto origin = origin_of(x); !origin.empty())
    result += ",\"origin\":" + dump_json(origin);
  result += ",\"contentType\":" + json_string(x.arguments.content_type) + ",";
  append_payload(result, "arguments", x.arguments);
  return result + '}';
}

} // namespace troupe
