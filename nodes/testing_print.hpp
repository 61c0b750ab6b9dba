// What a test that fails shows of results: their values and errors, instead of
// their bytes. GoogleTest finds these functions by itself.

#pragma once

#include <ostream>
#include <string>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "actors/core/expected.hpp"

namespace troupe {

inline void PrintTo(const error& x, std::ostream* out) {
  *out << x.type() << " (" << to_string(x.what_happened())
       << "): " << x.message();
}

inline void PrintTo(errc x, std::ostream* out) {
  *out << to_string(x);
}

template <class T>
void PrintTo(const expected<T>& x, std::ostream* out) {
  if (!x)
    PrintTo(x.error(), out);
  else if constexpr (std::is_void_v<T>)
    *out << "done";
  else if constexpr (requires { *out << *x; })
    *out << *x;
  else if constexpr (requires { nlohmann::json(*x); })
    *out << nlohmann::json(*x).dump();
  else
    *out << "a value";
}

} // namespace troupe
