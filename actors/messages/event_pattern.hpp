// Which values of an attribute a rule takes, and which part of them is a key:
// `com.example.alarm.*`, `/plant/{key}/line/*`.

#pragma once

#include <cstddef>
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

  /// Takes a time of no more than some hundred bytes compared for each byte of
  /// `value`, whatever both are.
  bool matches(std::string_view value) const;

  /// The part of `value` that stands for `{key}`; nothing if it does not match,
  /// or there is no `{key}`.
  std::optional<std::string> key_of(std::string_view value) const;

  friend bool operator==(const event_pattern&, const event_pattern&) = default;

private:
  event_pattern() = default;

  /// The texts between stars: one more than there are stars.
  using literals = std::vector<std::string>;

  /// Of the key.
  struct place {
    size_t begin = 0;
    size_t end = 0;
  };

  class begins;
  class ends;

  /// @pre there is no key
  bool matches_head(std::string_view value) const;

  /// Where the part after the last star may begin at the earliest; npos: the
  /// parts before it are not there.
  size_t first_end(std::string_view value) const;

  /// Where the part before the first star behind the key ends at the latest.
  size_t last_begin(std::string_view value) const;

  /// @pre there is a key
  std::optional<place> find_key(std::string_view value) const;

  std::string text_;
  literals head_{1}; // before the key
  literals tail_{1}; // behind it
  bool has_key_ = false;
};

} // namespace troupe
