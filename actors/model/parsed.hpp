// A value that was read from a text, or why it could not be. The library's
// `expected` stands a layer higher, with the errors that go over HTTP; who
// answers a request makes a `bad_request` of the reason.

#pragma once

#include <string>
#include <utility>
#include <variant>

namespace troupe {

/// Why a text could not be read; says what is wrong and where.
struct parse_error {
  std::string message;
};

template <class T>
class [[nodiscard]] parsed {
public:
  parsed(T value) : content_(std::in_place_index<0>, std::move(value)) {}

  parsed(parse_error reason)
    : content_(std::in_place_index<1>, std::move(reason)) {}

  explicit operator bool() const noexcept { return content_.index() == 0; }

  /// @pre there is a value
  const T& operator*() const { return std::get<0>(content_); }

  const T* operator->() const { return &**this; }

  /// @pre there is no value
  const std::string& reason() const { return std::get<1>(content_).message; }

private:
  std::variant<T, parse_error> content_;
};

} // namespace troupe
