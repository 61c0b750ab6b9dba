#include "actors/work/group_work.hpp"

#include "actors/core/codec.hpp"
#include "actors/core/payload_json.hpp"
#include "actors/core/work_notes.hpp"
#include "actors/work/follow_up.hpp"
#include "actors/work/group_service.hpp"

namespace troupe {

namespace {

constexpr auto json_type = "application/json";

constexpr std::string_view group_name = "group";

work_request call_of_group(const work_item& source, std::string key,
                           const char* method, std::string body) {
  work_request result;
  auto& item = result.item;
  item.target = {std::string{groups_service}, {}, std::move(key), method};
  item.arguments = {std::move(body), json_type};
  item.trace = source.trace;
  item.priority = source.priority;
  return result;
}

std::string numbered(const group_member& x) {
  return "{\"call\":" + std::to_string(x.number) + ",";
}

void append_typed(std::string& to, std::string_view name, const payload& x) {
  append_payload(to, name, x);
  if (!is_json(x))
    to += ",\"contentType\":" + dump_json(json(x.content_type));
}

json targets_of(const std::vector<work_destination>& all,
                const work_item& source) {
  auto result = json::array();
  for (auto& x : all)
    result.push_back(to_string(x.of(source)));
  return result;
}

} // namespace

std::string notes_of(const group_member& x, uint32_t steps) {
  return dump_json({{"steps", steps}, {group_name, {x.group, x.number}}});
}

std::optional<group_member> member_of(const work_item& x) {
  if (x.notes.find(group_name) == x.notes.npos)
    return std::nullopt;
  auto notes = notes_of(x);
  auto found = notes.find(group_name);
  if (found == notes.end() || !found->is_array() || found->size() != 2
      || !(*found)[0].is_string() || !(*found)[1].is_number_unsigned())
    return std::nullopt;
  return group_member{(*found)[0].get<std::string>(),
                      (*found)[1].get<uint32_t>()};
}

work_request arrival(const work_item& source, const group_member& x,
                     const payload& result) {
  auto body = numbered(x);
  append_typed(body, "result", result);
  return call_of_group(source, x.group, "arrived", body + "}");
}

work_request arrival(const work_item& source, const group_member& x,
                     const error& reason) {
  return call_of_group(source, x.group, "arrived",
                       numbered(x) + "\"error\":" + reason.to_json() + "}");
}

work_request group_after(const work_item& source, const work_policy& policy,
                         const payload& result) {
  auto calls = json::array();
  for (auto& x : policy.on_success) {
    auto target = x.of(source);
    json call{{"target", to_string(target)}};
    auto& key =
      source.target.is_entity() ? source.target.key : source.routing_key;
    if (!target.is_entity() && !key.empty())
      call["routingKey"] = key;
    calls.push_back(std::move(call));
  }
  json spec{{"calls", std::move(calls)},
            {"join", to_string(*policy.join)},
            {"then", targets_of(policy.then, source)},
            {"onFailure", targets_of(policy.on_failure, source)},
            {"priority", source.priority},
            {"steps", steps_before(source) + 1}};
  auto body = dump_json(spec);
  body.back() = ',';
  append_typed(body, "input", result);
  return call_of_group(source, to_string(source.id), "begin", body + "}");
}

} // namespace troupe
