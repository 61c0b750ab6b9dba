// How the outcomes of several calls become one.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe {

enum class group_join : uint8_t {
  /// All have succeeded; one that fails ends it.
  all,
  /// One has succeeded; when all have failed it has failed.
  any,
};

constexpr std::string_view to_string(group_join x) noexcept {
  return x == group_join::any ? "any" : "all";
}

constexpr std::optional<group_join>
parse_group_join(std::string_view text) noexcept {
  if (text == "all")
    return group_join::all;
  if (text == "any")
    return group_join::any;
  return std::nullopt;
}

} // namespace troupe
