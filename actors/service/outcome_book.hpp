// The outcomes of calls with an idempotency key that are not durable yet. A
// repeat that comes before the commit finds the first one here; later ones find
// it in the store.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/invocation.hpp"

namespace troupe {

/// The outcome of `call`, which ended well or badly; a result that cannot be
/// copied is kept as an error.
/// @pre its arguments' fingerprint was taken before it ran
recorded_outcome record_outcome(const invocation& call, std::string print);

/// What a repeat of `call` is recognized by. @pre it did not run yet
std::string call_fingerprint(const invocation& call);

/// Sets the answer of `call` to what was recorded; `idempotency_conflict` if it
/// is another call with the same key.
void replay_outcome(invocation& call, std::string_view print,
                    const recorded_outcome& first);

class outcome_book {
public:
  /// `x` becomes durable with the change at `position`.
  void add(recorded_outcome x, uint64_t position);

  /// The one of `id`; null if it is none of those that are not durable.
  const recorded_outcome* find(std::string_view id) const noexcept;

  /// Some are in the commit under way.
  bool committing() const noexcept { return taken_ > 0; }

  /// The oldest. @pre not empty
  const recorded_outcome& first() const noexcept {
    return entries_.front().outcome;
  }

  /// Those that no commit has taken along yet, for the next one.
  std::vector<recorded_outcome> take_new();

  /// Changes up to `durable` are durable.
  void forget_until(uint64_t durable);

  void clear() noexcept;

private:
  struct entry {
    recorded_outcome outcome;
    uint64_t position = 0;
  };

  std::vector<entry> entries_; // by position
  size_t taken_ = 0;           // so many of them are in a commit
};

} // namespace troupe
