#include "actors/core/work_queue.hpp"

#include "actors/model/fingerprint.hpp"

namespace troupe {

std::string to_string(const work_target& x) {
  if (x.is_outside())
    return x.name + "/" + x.key;
  if (x.is_entity())
    return x.name + "/" + x.key + "/" + x.method;
  return x.qualifier.empty() ? x.name : x.name + ":" + x.qualifier;
}

std::string fingerprint_of(const work_item& x) {
  return fingerprint({to_string(x.target), x.routing_key,
                      x.arguments.content_type, x.arguments.bytes});
}

} // namespace troupe
