#include "actors/core/work_notes.hpp"

namespace troupe {

json notes_of(const work_item& x) {
  auto result = json::parse(x.notes, nullptr, false);
  return result.is_object() ? result : json::object();
}

} // namespace troupe
