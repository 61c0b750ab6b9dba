// Traces of callers: a W3C `traceparent` is passed on as it came.

#pragma once

#include <algorithm>
#include <string_view>

namespace troupe {

/// Whether it can be passed on anywhere. What cannot is left out, as if the caller
/// had none (W3C Trace Context, 4.3): a broker of MQTT ends the connection of
/// whoever sends it a text that is no UTF-8, and a line end is a header of its own.
inline bool is_trace_parent(std::string_view x) noexcept {
  constexpr size_t length_max = 512;
  return !x.empty() && x.size() <= length_max
         && std::all_of(x.begin(), x.end(),
                        [](char c) { return c > ' ' && c < 0x7F; });
}

} // namespace troupe
