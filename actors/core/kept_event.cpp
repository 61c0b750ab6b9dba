#include "actors/core/kept_event.hpp"

#include <utility>

#include "actors/core/cloud_event_json.hpp"
#include "actors/core/work_notes.hpp"

namespace troupe {

namespace {

constexpr auto event_name = "event";

} // namespace

void keep_event(work_item& in, cloud_event attributes) {
  attributes.datacontenttype.clear();
  attributes.data.reset();
  auto notes = notes_of(in);
  notes[event_name] = json::parse(to_json(attributes));
  in.notes = dump_json(notes);
}

expected<outgoing_event> event_of(const work_item& x, payload data) {
  auto event = read_event(dump_json(notes_of(x)[event_name]));
  if (!event)
    return event.error();
  event->datacontenttype = std::move(data.content_type);
  if (!data.bytes.empty() || !event->datacontenttype.empty())
    event->data = std::move(data.bytes);
  return outgoing_event{x.target, std::move(*event), x.trace};
}

} // namespace troupe
