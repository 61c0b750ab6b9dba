// A short name for long bytes: calls are compared by it to tell a repeat from
// another call that came with the same idempotency key. Not for secrets: who
// wants to can make two texts with one fingerprint.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace troupe {

/// 16 bytes: XXH3 (https://xxhash.com) of all parts with their lengths.
std::string fingerprint(std::initializer_list<std::string_view> parts);

} // namespace troupe
