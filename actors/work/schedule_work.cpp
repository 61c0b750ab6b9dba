#include "actors/work/schedule_work.hpp"

#include "actors/core/own_services.hpp"
#include "actors/core/work_notes.hpp"

namespace troupe {

namespace {

constexpr auto schedule_name = "schedule";

} // namespace

void to_json(json& to, const schedule_failure& from) {
  to = {{"id", from.id}, {"errorType", from.error_type}};
}

void from_json(const json& from, schedule_failure& to) {
  from.at("id").get_to(to.id);
  from.at("errorType").get_to(to.error_type);
}

std::string schedule_notes(std::string_view schedule) {
  return dump_json({{schedule_name, schedule}});
}

std::optional<work_request> schedule_news(const work_item& source,
                                          const error& reason) {
  if (source.notes.find(schedule_name) == source.notes.npos)
    return std::nullopt;
  auto notes = notes_of(source);
  auto name = notes.find(schedule_name);
  // What follows a call of it has its notes, too.
  if (name == notes.end() || !name->is_string() || notes.contains("follows"))
    return std::nullopt;
  work_request result;
  auto& item = result.item;
  item.target = {
    std::string{schedules_service}, {}, name->get<std::string>(), "failed"};
  schedule_failure what{to_string(source.id), std::string{reason.type()}};
  item.arguments = {dump_json(what), "application/json"};
  item.trace = source.trace;
  item.priority = source.priority;
  return result;
}

} // namespace troupe
