// What a caller names a call by, so that a repeat of it is not a second one. It
// travels as an HTTP field, hence its characters.

#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/invocation.hpp"
#include "actors/core/work_id.hpp"

namespace troupe {

inline constexpr size_t idempotency_key_length_max = 255;

/// 1 to 255 bytes of visible ASCII.
inline bool is_valid_idempotency_key(std::string_view key) noexcept {
  auto is_visible = [](char c) { return c > ' ' && c <= '~'; };
  return !key.empty() && key.size() <= idempotency_key_length_max
         && std::all_of(key.begin(), key.end(), is_visible);
}

/// The key under which queued work calls an entity. It has a space, as no key of
/// a caller has, and names the work.
inline std::string work_key(const invocation_id& work) {
  return "work " + to_string(work);
}

/// The key under which a reminder of an entity calls it. It has a space as well.
inline std::string reminder_key(const invocation_id& work) {
  return "reminder " + to_string(work);
}

/// The reminder that calls with this key; nothing if none does.
inline std::optional<invocation_id> reminder_of(std::string_view key) noexcept {
  constexpr std::string_view begin = "reminder ";
  if (!key.starts_with(begin))
    return std::nullopt;
  return parse_invocation_id(key.substr(begin.size()));
}

/// Calls with such a key are tried again when they fail: only what they have
/// done is recorded.
inline bool is_work_key(std::string_view key) noexcept {
  return key.starts_with("work ");
}

} // namespace troupe
