#include "actors/supervision/child_spec.hpp"

namespace troupe {

std::optional<std::string> child_spec::validate() const {
  if (id.empty())
    return "a child needs an id";
  if (!start)
    return "child '" + id + "' has no start function";
  auto how = effective_stop();
  if (how.how == stop_policy::mode::infinite && kind == child_kind::worker)
    return "child '" + id + "' is a worker: it needs a limit to stop";
  if (how.how == stop_policy::mode::limit && how.limit.count() <= 0)
    return "child '" + id + "' needs a positive limit to stop";
  if (significant && restart == restart_type::permanent)
    return "child '" + id + "' is permanent: it cannot be significant";
  return std::nullopt;
}

stop_policy child_spec::effective_stop() const {
  if (stop)
    return *stop;
  return kind == child_kind::supervisor ? stop_policy::infinity()
                                        : stop_policy{};
}

const char* to_string(restart_type x) {
  switch (x) {
  case restart_type::permanent:
    return "permanent";
  case restart_type::transient:
    return "transient";
  case restart_type::temporary:
    return "temporary";
  }
  return "";
}

const char* to_string(child_kind x) {
  switch (x) {
  case child_kind::worker:
    return "worker";
  case child_kind::supervisor:
    return "supervisor";
  }
  return "";
}

} // namespace troupe
