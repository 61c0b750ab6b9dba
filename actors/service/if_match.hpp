// The condition of a call: `If-Match` of RFC 9110, with an entity's revision as
// its entity-tag.

#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

enum class if_match : uint8_t {
  /// The revision is one of those named.
  holds,
  /// It is none of them.
  differs,
  /// The condition cannot be read.
  malformed,
};

/// Whether `condition` holds for an entity at `revision`. `*` holds for any that
/// `exists`; a weak tag never holds, as the RFC says.
if_match check_if_match(std::string_view condition, uint64_t revision,
                        bool exists);

} // namespace troupe
