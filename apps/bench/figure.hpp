// One line of the bench: what was measured, what it stands beside, and what is
// required of it. A figure without its baseline from the same run says more
// about the machine than about us.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::bench {

/// What is required of a figure's `judged` value.
struct requirement {
  enum class bound : uint8_t { at_least, at_most };

  bound kind = bound::at_least;
  double limit = 0;

  bool met_by(double value) const noexcept {
    return kind == bound::at_least ? value >= limit : value <= limit;
  }
};

constexpr requirement at_least(double limit) {
  return {requirement::bound::at_least, limit};
}

constexpr requirement at_most(double limit) {
  return {requirement::bound::at_most, limit};
}

/// One round: the baseline, then ours.
struct round_pair {
  double bare = 0;
  double ours = 0;
};

struct figure {
  std::string name;

  /// Of `bare` and `ours`.
  std::string unit;

  /// What `bare` is; empty: the figure stands alone.
  std::string baseline;

  /// Medians of the rounds.
  std::optional<double> bare;
  double ours = 0;

  /// `ours` / `bare`: the median of the rounds' own ratios, for the machine may
  /// be busier in one round than in the next.
  std::optional<double> ratio;

  std::optional<requirement> required;

  /// One more sentence; may be empty.
  std::string note;

  std::vector<round_pair> rounds;

  /// What `required` is about: the ratio if there is one.
  double judged() const noexcept { return ratio.value_or(ours); }

  bool met() const noexcept { return !required || required->met_by(judged()); }
};

/// @pre `values` is not empty
double median(std::vector<double> values);

/// Fills medians and ratio in from `rounds`.
figure from_rounds(std::string name, std::string unit, std::string baseline,
                   std::optional<requirement> required,
                   std::vector<round_pair> rounds);

} // namespace troupe::bench
