// What the services of the examples are, one operation at a time: what
// histories of them are held against.

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe::testing {

/// `counter`: a number that only rises.
struct counter_specification {
  using state = int64_t;

  struct call {
    /// Above 0; 0: `get`.
    int64_t by = 0;

    friend auto operator<=>(const call&, const call&) = default;
  };

  /// The number after the call.
  using result = int64_t;

  static std::optional<state> apply(const state& now, const call& x,
                                    const std::optional<result>& seen) {
    if (seen && *seen != now + x.by)
      return std::nullopt;
    return now + x.by;
  }

  static bool observes(const call& x, const std::optional<result>&) {
    return x.by == 0;
  }

  static bool possible(const state& now, const call& x,
                       const std::optional<result>& seen) {
    return !seen || now + x.by <= *seen;
  }

  static std::string text(const call& x) {
    return x.by == 0 ? "get" : "increment " + std::to_string(x.by);
  }

  static std::string text(int64_t x) { return std::to_string(x); }
};

/// `data_service`: a value with a revision, written under the condition that the
/// revision is the expected one. Values are unique, so every write changes it.
struct register_specification {
  struct state {
    uint64_t revision = 0;

    /// JSON.
    std::string value = "null";

    friend auto operator<=>(const state&, const state&) = default;
  };

  struct call {
    /// What is written; nothing: it is read.
    std::optional<std::string> value;

    /// The revision of `If-Match`; nothing: whatever it is.
    std::optional<uint64_t> expected;

    friend auto operator<=>(const call&, const call&) = default;
  };

  struct result {
    /// The revision after the call; nothing if the answer did not tell, which
    /// only a refusal may.
    std::optional<uint64_t> revision;

    /// What was read.
    std::string value;

    /// The condition did not hold.
    bool refused = false;
  };

  static std::optional<state> apply(const state& now, const call& x,
                                    const std::optional<result>& seen) {
    if (seen && seen->refused)
      return is_refused(now, x, *seen) ? std::optional{now} : std::nullopt;
    if (x.expected && *x.expected != now.revision)
      return std::nullopt;
    state next = now;
    if (x.value)
      next = {now.revision + 1, *x.value};
    if (seen && seen->revision != next.revision)
      return std::nullopt;
    if (seen && !x.value && seen->value != now.value)
      return std::nullopt;
    return next;
  }

  static bool observes(const call& x, const std::optional<result>& seen) {
    return !x.value || (seen && seen->refused);
  }

  static bool possible(const state& now, const call& x,
                       const std::optional<result>& seen) {
    if (seen && seen->refused)
      return !seen->revision || now.revision <= *seen->revision;
    if (x.expected && now.revision > *x.expected)
      return false;
    if (!seen)
      return true;
    return now.revision + (x.value ? 1 : 0) <= seen->revision.value_or(0);
  }

  static std::string text(const call& x) {
    auto condition =
      x.expected ? " if at " + std::to_string(*x.expected) : std::string{};
    return (x.value ? "set " + *x.value : "get") + condition;
  }

  static std::string text(const result& x) {
    auto at = x.revision ? " at " + std::to_string(*x.revision) : std::string{};
    return (x.refused ? "refused" : x.value.empty() ? "done" : x.value) + at;
  }

  static std::string text(const state& x) {
    return x.value + " at " + std::to_string(x.revision);
  }

private:
  static bool is_refused(const state& now, const call& x, const result& seen) {
    return x.expected && *x.expected != now.revision
           && (!seen.revision || *seen.revision == now.revision);
  }
};

} // namespace troupe::testing
