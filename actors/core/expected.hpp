// A value or an error: what every call gives.

#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "actors/core/errors.hpp"

namespace troupe {

/// A `T`, or the `error` that came in its place.
template <class T>
class [[nodiscard]] expected {
public:
  using value_type = T;

  expected(T value) : content_(std::in_place_index<0>, std::move(value)) {}

  expected(troupe::error reason)
    : content_(std::in_place_index<1>, std::move(reason)) {}

  bool has_value() const noexcept { return content_.index() == 0; }

  explicit operator bool() const noexcept { return has_value(); }

  /// The value. @throws error_exception if there is an error instead.
  T& value() & {
    check();
    return std::get<0>(content_);
  }

  const T& value() const& {
    check();
    return std::get<0>(content_);
  }

  T&& value() && {
    check();
    return std::get<0>(std::move(content_));
  }

  T value_or(T other) const& {
    return has_value() ? std::get<0>(content_) : std::move(other);
  }

  T& operator*() & noexcept { return *std::get_if<0>(&content_); }

  const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }

  T* operator->() noexcept { return std::get_if<0>(&content_); }

  const T* operator->() const noexcept { return std::get_if<0>(&content_); }

  /// The error. @pre `!has_value()`
  const troupe::error& error() const { return std::get<1>(content_); }

  friend bool operator==(const expected& x, const T& y) {
    return x.has_value() && *x == y;
  }

private:
  void check() const {
    if (!has_value())
      throw error_exception{std::get<1>(content_)};
  }

  std::variant<T, troupe::error> content_;
};

/// Nothing, or the `error` that came in its place.
template <>
class [[nodiscard]] expected<void> {
public:
  using value_type = void;

  expected() = default;

  expected(troupe::error reason) : reason_(std::move(reason)) {}

  bool has_value() const noexcept { return !reason_; }

  explicit operator bool() const noexcept { return has_value(); }

  /// @throws error_exception if there is an error.
  void value() const {
    if (reason_)
      throw error_exception{*reason_};
  }

  const troupe::error& error() const { return reason_.value(); }

private:
  std::optional<troupe::error> reason_;
};

} // namespace troupe
