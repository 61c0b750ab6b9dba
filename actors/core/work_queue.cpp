#include "actors/core/work_queue.hpp"

namespace troupe {

std::string to_string(const work_target& x) {
  if (x.is_entity())
    return x.name + "/" + x.key + "/" + x.method;
  return x.qualifier.empty() ? x.name : x.name + ":" + x.qualifier;
}

} // namespace troupe
