// Typed values at a JSON border. One argument is the value itself, several are
// an array, none is an empty body or `null`; `void` answers `null`. A single
// `std::string` or `payload` is the body itself, raw. Conversions are strict: a
// number that does not fit its type is an error, never a rounded value.

#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

using json = nlohmann::json;

/// JSON nested deeper than this is refused.
inline constexpr size_t json_depth_max = 512;

/// Parses `text`.
/// @throws error_exception `bad_request` if it is no JSON or too deep
json parse_json(std::string_view text, size_t depth_max = json_depth_max);

/// As `parse_json`, without making anything of it.
void check_json(std::string_view text, size_t depth_max = json_depth_max);

/// What `e` says; of an exception of the JSON library, without its number.
std::string_view plain_text(const std::exception& e) noexcept;

/// `value` as text; bytes that are not UTF-8 are replaced.
std::string dump_json(const json& value);

/// A JSON string as an argument, where `std::string` would be the raw body. No
/// aggregate: GCC 12 destroys an aggregate twice that is made within the
/// operand of a `co_await`, as in `co_await f(text{"x"})`.
struct text {
  text() = default;
  text(std::string x) : value(std::move(x)) {}

  std::string value;
};

namespace detail {

[[noreturn]] void throw_bad_argument(const std::string& why);

/// "expected `what`, got a string".
[[noreturn]] void throw_not(const char* what, const json& got);

[[noreturn]] void throw_out_of_range(const json& got, int64_t least,
                                     uint64_t most);

/// Throws the exception that is handled now as a `bad_request` of the argument
/// at `position`, counted from 1; 0: of a value that is no argument.
[[noreturn]] void rethrow_bad_argument(size_t position);

/// The array of `arity` arguments, at least two, in `body`.
json parse_arguments(std::string_view body, size_t arity);

/// The only argument in `body`.
json parse_argument(std::string_view body);

void check_no_argument(std::string_view body);

/// @throws error_exception `bad_request` if a number or an array of `sent` is
///         not what it was any more in `kept`, which was made from it
void check_nothing_was_cut(const json& sent, const json& kept);

template <class T>
struct from_json_impl {
  static T apply(const json& x) {
    // The library rounds and wraps what is inside of classes.
    auto result = x.get<T>();
    if constexpr (std::is_constructible_v<json, const T&>)
      check_nothing_was_cut(x, json(result));
    return result;
  }
};

template <>
struct from_json_impl<bool> {
  static bool apply(const json& x) {
    if (!x.is_boolean())
      throw_not("true or false", x);
    return x.get<bool>();
  }
};

template <std::integral T>
requires(!std::same_as<T, bool>) struct from_json_impl<T> {
  static T apply(const json& x) {
    if (!x.is_number_integer())
      throw_not("an integer", x);
    auto fits = x.is_number_unsigned() ? std::in_range<T>(x.get<uint64_t>())
                                       : std::in_range<T>(x.get<int64_t>());
    if (!fits)
      throw_out_of_range(x, std::numeric_limits<T>::min(),
                         std::numeric_limits<T>::max());
    return x.get<T>();
  }
};

template <std::floating_point T>
struct from_json_impl<T> {
  static T apply(const json& x) {
    if (!x.is_number())
      throw_not("a number", x);
    // Only a narrower type than JSON's double can be left.
    auto value = x.get<double>();
    if (value > std::numeric_limits<T>::max()
        || value < std::numeric_limits<T>::lowest())
      throw_not("a number that fits into a float", x);
    return x.get<T>();
  }
};

template <>
struct from_json_impl<std::string> {
  static std::string apply(const json& x) {
    if (!x.is_string())
      throw_not("a string", x);
    return x.get<std::string>();
  }
};

template <>
struct from_json_impl<text> {
  static text apply(const json& x) {
    return {from_json_impl<std::string>::apply(x)};
  }
};

template <>
struct from_json_impl<json> {
  static json apply(const json& x) { return x; }
};

template <class T>
struct from_json_impl<std::optional<T>> {
  static std::optional<T> apply(const json& x) {
    if (x.is_null())
      return std::nullopt;
    return from_json_impl<T>::apply(x);
  }
};

template <class T>
struct from_json_impl<std::vector<T>> {
  static std::vector<T> apply(const json& x) {
    if (!x.is_array())
      throw_not("an array", x);
    std::vector<T> result;
    result.reserve(x.size());
    for (auto& y : x)
      result.push_back(from_json_impl<T>::apply(y));
    return result;
  }
};

template <class Map>
struct map_from_json {
  static Map apply(const json& x) {
    if (!x.is_object())
      throw_not("an object", x);
    Map result;
    for (auto& [key, value] : x.items())
      result.emplace(key,
                     from_json_impl<typename Map::mapped_type>::apply(value));
    return result;
  }
};

template <class T>
struct from_json_impl<std::map<std::string, T>>
  : map_from_json<std::map<std::string, T>> {};

template <class T>
struct from_json_impl<std::unordered_map<std::string, T>>
  : map_from_json<std::unordered_map<std::string, T>> {};

template <class T>
struct is_optional : std::false_type {};

template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

template <class T>
inline constexpr bool is_raw =
  std::is_same_v<T, std::string> || std::is_same_v<T, payload>;

/// The tuple is one argument that takes the body as it is.
template <class Tuple>
inline constexpr bool is_raw_tuple = false;

template <class T>
inline constexpr bool is_raw_tuple<std::tuple<T>> = is_raw<T>;

inline constexpr auto raw_content_type = "application/octet-stream";

template <class T>
json to_json_value(const T& x) {
  if constexpr (std::is_same_v<T, text>) {
    return json(x.value);
  } else if constexpr (is_optional<T>::value) {
    return x ? to_json_value(*x) : json(nullptr);
  } else if constexpr (std::is_same_v<T, payload>) {
    return json(x.bytes);
  } else {
    return json(x);
  }
}

} // namespace detail

/// `x` as a `T`.
/// @param position which argument it is, from 1, for the error; 0: it is none
/// @throws error_exception `bad_request` if it does not fit
template <class T>
T from_json(const json& x, size_t position = 0) {
  try {
    return detail::from_json_impl<T>::apply(x);
  } catch (...) {
    detail::rethrow_bad_argument(position);
  }
}

/// The arguments `Tuple` from a body.
/// @throws error_exception `bad_request` if they do not fit
template <class Tuple>
Tuple decode_arguments(payload body) {
  constexpr auto arity = std::tuple_size_v<Tuple>;
  if constexpr (arity == 0) {
    detail::check_no_argument(body.bytes);
    return {};
  } else if constexpr (arity == 1) {
    using T = std::tuple_element_t<0, Tuple>;
    if constexpr (std::is_same_v<T, std::string>) {
      return Tuple{std::move(body.bytes)};
    } else if constexpr (std::is_same_v<T, payload>) {
      return Tuple{std::move(body)};
    } else if constexpr (std::is_same_v<T, json>) {
      return Tuple{detail::parse_argument(body.bytes)};
    } else {
      if constexpr (detail::is_optional<T>::value)
        if (body.bytes.empty())
          return Tuple{};
      return Tuple{from_json<T>(detail::parse_argument(body.bytes), 1)};
    }
  } else {
    auto all = detail::parse_arguments(body.bytes, arity);
    return [&]<size_t... Is>(std::index_sequence<Is...>) {
      return Tuple{
        from_json<std::tuple_element_t<Is, Tuple>>(all[Is], Is + 1)...};
    }
    (std::make_index_sequence<arity>{});
  }
}

/// A body from arguments.
template <class... As>
payload encode_arguments(std::tuple<As...>& arguments) {
  if constexpr (sizeof...(As) == 0) {
    return {};
  } else if constexpr (detail::is_raw_tuple<std::tuple<As...>>) {
    auto& x = std::get<0>(arguments);
    if constexpr (std::is_same_v<As..., payload>)
      return std::move(x);
    else
      return {std::move(x), detail::raw_content_type};
  } else if constexpr (sizeof...(As) == 1) {
    return {dump_json(detail::to_json_value(std::get<0>(arguments))), {}};
  } else {
    return {dump_json(std::apply(
              [](const As&... xs) {
                return json::array({detail::to_json_value(xs)...});
              },
              arguments)),
            {}};
  }
}

/// A body from a result.
template <class T>
payload encode_result(T& x) {
  if constexpr (std::is_same_v<T, payload>)
    return std::move(x);
  else
    return {dump_json(detail::to_json_value(x)), {}};
}

/// A result from a body.
/// @throws error_exception `bad_request` if it does not fit
template <class T>
T decode_result(payload body) {
  if constexpr (std::is_same_v<T, payload>) {
    return body;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!body.content_type.empty())
      return std::move(body.bytes);
    return from_json<T>(parse_json(body.bytes));
  } else {
    return from_json<T>(parse_json(body.bytes));
  }
}

} // namespace troupe
