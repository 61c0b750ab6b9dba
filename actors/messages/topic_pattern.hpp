// Which topics a subscription takes, and which part of them is a key:
// `sensors/{key}/temperature` with MQTT, `sensors.{key}.temperature` with NATS.
// The broker is asked for the same with `{key}` as its wildcard of one level.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/model/parsed.hpp"

namespace troupe {

/// How topics are written.
enum class topic_style : uint8_t {
  /// Levels between slashes, which may be empty; `+` is any one level, `#` at
  /// the end any number of them, none included.
  mqtt,
  /// Tokens between dots, none empty; `*` is any one token, `>` at the end one
  /// or more.
  nats,
};

class topic_pattern {
public:
  /// Reads a pattern: a filter of that style, in which at most one level is
  /// `{key}`.
  static parsed<topic_pattern> parse(std::string_view text, topic_style style);

  /// As it was written.
  const std::string& text() const noexcept { return text_; }

  /// What the broker is asked for.
  const std::string& filter() const noexcept { return filter_; }

  bool has_key() const noexcept { return key_.has_value(); }

  bool matches(std::string_view topic) const;

  /// The part of `topic` that stands for `{key}`; nothing if it does not match,
  /// or there is no `{key}`.
  std::optional<std::string> key_of(std::string_view topic) const;

  friend bool operator==(const topic_pattern&, const topic_pattern&) = default;

private:
  topic_pattern() = default;

  topic_style style_ = topic_style::mqtt;
  std::string text_;
  std::string filter_;
  std::vector<std::string> levels_; // of the filter
  std::optional<size_t> key_;       // the level that is the key
};

} // namespace troupe
