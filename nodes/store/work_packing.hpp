// What is never searched for in a row of work is packed into one column: to take
// a row apart and put it together again costs a database as much as it does to
// find it.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// Each with its length before it: `3:add4:live0:0:`.
std::string pack(std::initializer_list<std::string_view> parts);

/// Packs into `to`, which keeps its memory.
void pack(std::string& to, std::initializer_list<std::string_view> parts);

/// False if `packed` has other parts.
[[nodiscard]] bool try_unpack(std::string_view packed,
                              std::initializer_list<std::string*> parts);

inline std::string pack(const work_target& x) {
  return pack({x.name, x.qualifier, x.key, x.method});
}

inline void pack(std::string& to, const work_target& x) {
  pack(to, {x.name, x.qualifier, x.key, x.method});
}

[[nodiscard]] inline bool try_unpack(std::string_view packed, work_target& to) {
  return try_unpack(packed, {&to.name, &to.qualifier, &to.key, &to.method});
}

} // namespace troupe
