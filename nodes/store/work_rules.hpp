// What is to be the same in every store of work.

#pragma once

#include <string>

#include "actors/core/errors.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// A target as text that no other target has: each part with its length, for
/// keys of entities hold any bytes. Idempotency keys are unique within it.
inline std::string key_scope(const work_target& x) {
  std::string result;
  for (auto part : {&x.name, &x.qualifier, &x.key, &x.method}) {
    result += std::to_string(part->size());
    result += ':';
    result += *part;
  }
  return result;
}

inline error key_of_other_work() {
  return {errc::idempotency_conflict,
          "work with other arguments had this idempotency key; take a new one"};
}

/// When work expired that has no attempts left.
inline constexpr work_time no_time_left{};

inline work_state state_of(work_end x) noexcept {
  switch (x) {
  case work_end::succeeded:
    return work_state::succeeded;
  case work_end::failed:
    return work_state::failed;
  case work_end::dead:
    return work_state::dead;
  }
  return work_state::dead;
}

/// How a report leaves the work.
inline work_state state_after(const work_report& x) noexcept {
  return x.end ? state_of(*x.end) : work_state::waiting;
}

inline uint32_t attempts_after(const work_report& x) noexcept {
  return !x.end && x.uncounted && x.attempt > 0 ? x.attempt - 1 : x.attempt;
}

/// What was let go before it began has nothing to say.
inline bool keeps_answer(const work_report& x) noexcept {
  return !x.end && x.uncounted && x.answer.bytes.empty();
}

} // namespace troupe
