#include "nodes/store/postgres_options.hpp"

namespace troupe {

std::string_view to_string(replication_mode x) noexcept {
  switch (x) {
  case replication_mode::single:
    return "single";
  case replication_mode::sync:
    return "sync";
  }
  return "single";
}

std::optional<replication_mode>
replication_mode_from_string(std::string_view x) noexcept {
  for (auto mode : {replication_mode::single, replication_mode::sync})
    if (x == to_string(mode))
      return mode;
  return std::nullopt;
}

} // namespace troupe
