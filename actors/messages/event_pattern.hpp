// Which values of an attribute a rule takes, and which part of them is a key:
// `com.example.alarm.*`, `/plant/{key}/line/*`.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/model/parsed.hpp"

namespace troupe {

class event_pattern {
public:
  static constexpr size_t length_max = 256;

  /// Reads a pattern: `*` stands for any text, none included; `{key}`, which may
  /// be there once, for one or more characters other than `/`. Where there are
  /// several ways to see it, what stands first is as short as it can be.
  static parsed<event_pattern> parse(std::string_view text);

  /// As it was written.
  const std::string& text() const noexcept { return text_; }

  bool has_key() const noexcept { return has_key_; }

  /// Takes a time of no more than the product of both lengths.
  bool matches(std::string_view value) const;

  /// The part of `value` that stands for `{key}`; nothing if it does not match,
  /// or there is no `{key}`.
  std::optional<std::string> key_of(std::string_view value) const;

  friend bool operator==(const event_pattern&, const event_pattern&) = default;

private:
  event_pattern() = default;

  enum class kind : uint8_t { one, any, key_begin, key_rest };

  struct element {
    kind what = kind::one;
    char byte = 0;

    friend bool operator==(const element&, const element&) = default;
  };

  /// A way to see what was read so far.
  struct way {
    size_t at = 0;             // the next element
    size_t begin = 0, end = 0; // of the key
  };

  class walk;

  /// Of the key; both 0 if there is none.
  std::optional<way> find(std::string_view value) const;

  std::string text_;
  std::vector<element> elements_;
  bool has_key_ = false;
};

} // namespace troupe
