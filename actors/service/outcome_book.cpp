#include "actors/service/outcome_book.hpp"

#include <algorithm>

#include "actors/core/codec.hpp"
#include "actors/model/fingerprint.hpp"

namespace troupe {

std::string call_fingerprint(const invocation& call) {
  auto arguments = call.copy_arguments();
  auto& to = *call.entity;
  switch (to.operation) {
  case entity_operation::call:
    break;
  case entity_operation::replace:
    return fingerprint(
      {"", "replace", std::to_string(to.schema), arguments.bytes});
  case entity_operation::erase:
    return fingerprint({"", "erase", arguments.bytes});
  }
  return fingerprint({to.method, arguments.bytes});
}

recorded_outcome record_outcome(const invocation& call, std::string print) {
  recorded_outcome result;
  result.id = call.entity->idempotency_key;
  result.fingerprint = std::move(print);
  result.revision = call.revision.value_or(0);
  auto keep = [&](const error& reason) {
    result.failed = true;
    result.body = reason.to_json();
  };
  if (auto reason = call.pending_failure()) {
    keep(*reason);
    return result;
  }
  try {
    auto answer = call.copy_result();
    result.content_type = std::move(answer.content_type);
    result.body = std::move(answer.bytes);
  } catch (...) {
    // The first caller has it; a repeat learns why it cannot.
    keep(
      error::from_exception(std::current_exception()).with_effect(effect::ran));
  }
  return result;
}

void replay_outcome(invocation& call, std::string_view print,
                    const recorded_outcome& first) {
  if (first.fingerprint != print) {
    call.fail({errc::idempotency_conflict,
               "a call with another method or other arguments had this "
               "idempotency key; take a new one"});
    return;
  }
  try {
    if (first.failed) {
      call.fail(error::from_json(parse_json(first.body)));
    } else {
      call.set_result({first.body, first.content_type});
      call.revision = first.revision;
    }
  } catch (const error_exception& e) {
    call.fail(error{e.reason()}.with_effect(effect::ran));
  }
}

void outcome_book::add(recorded_outcome x, uint64_t position) {
  entries_.push_back({std::move(x), position});
}

const recorded_outcome* outcome_book::find(std::string_view id) const noexcept {
  for (auto& x : entries_)
    if (x.outcome.id == id)
      return &x.outcome;
  return nullptr;
}

std::vector<recorded_outcome> outcome_book::take_new() {
  std::vector<recorded_outcome> result;
  for (; taken_ < entries_.size(); ++taken_)
    result.push_back(entries_[taken_].outcome);
  return result;
}

void outcome_book::forget_until(uint64_t durable) {
  auto end = std::find_if(entries_.begin(), entries_.end(),
                          [&](const entry& x) { return x.position > durable; });
  taken_ -= std::min(taken_, static_cast<size_t>(end - entries_.begin()));
  entries_.erase(entries_.begin(), end);
}

void outcome_book::clear() noexcept {
  entries_.clear();
  taken_ = 0;
}

} // namespace troupe
