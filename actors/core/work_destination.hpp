// Where the outcome of queued work goes: into other work. What one function
// returns is the argument of the next, or an event for somebody outside;
// pipelines are made of that.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/expected.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// The key of an entity, or the routing key of a call of a function.
const std::string& key_of(const work_item& x) noexcept;

/// It was to have the key of what was done before, which had none.
bool lacks_a_key(const work_target& x) noexcept;

/// A function, a method of an entity whose key may depend on what was done, or
/// somebody outside.
class work_destination {
public:
  /// Reads `NAME`, `NAME:QUALIFIER` or `SERVICE/KEY/METHOD`. In KEY, `{key}` is
  /// the key of what was done (of the entity, or the routing key of a function's
  /// call) and `{id}` is its id; further slashes belong to KEY. A URL, with the
  /// same names after its host, is somebody outside: see `parse_outside`.
  /// `bad_request` if it is something else.
  static expected<work_destination> parse(std::string_view text);

  /// What is to be called after `source`.
  work_target of(const work_item& source) const;

  /// With `{key}` and `{id}` as they were written.
  const work_target& pattern() const noexcept { return pattern_; }

  bool is_outside() const noexcept { return pattern_.is_outside(); }

  /// As `parse` reads it.
  std::string to_string() const { return troupe::to_string(pattern_); }

  friend bool operator==(const work_destination&,
                         const work_destination&) = default;

private:
  explicit work_destination(work_target pattern)
    : pattern_(std::move(pattern)) {}

  work_target pattern_;
};

} // namespace troupe
