#include "actors/core/invocation.hpp"

#include <utility>

#include "actors/core/interfaces.hpp"

namespace troupe {

std::string to_string(const invocation_id& id) {
  std::string result;
  append(result, id);
  return result;
}

void append(std::string& text, const invocation_id& id) {
  constexpr auto digits = "0123456789abcdef";
  auto at = text.size();
  text.resize(at + 32);
  for (size_t i = 0; i < 16; ++i) {
    text[at + 15 - i] = digits[id.high >> (4 * i) & 15];
    text[at + 31 - i] = digits[id.low >> (4 * i) & 15];
  }
}

invocation::invocation() = default;

invocation::~invocation() = default;

bool invocation::start() noexcept {
  auto expected = phase::waiting;
  return phase_.compare_exchange_strong(expected, phase::running);
}

bool invocation::unstart() noexcept {
  auto expected = phase::running;
  return phase_.compare_exchange_strong(expected, phase::waiting);
}

bool invocation::wanted() const noexcept {
  auto now = phase_.load(std::memory_order_relaxed);
  return now == phase::waiting || now == phase::running;
}

void invocation::finish(caf::execution_unit* host) noexcept {
  auto now = phase_.load(std::memory_order_relaxed);
  do {
    if (now != phase::waiting && now != phase::running)
      return;
  } while (!phase_.compare_exchange_weak(now, phase::answered));
  if (auto watch = watch_.load())
    watch->forget(*this);
  if (port)
    port->answered(*this, host);
}

void invocation::finish(error reason, caf::execution_unit* host) noexcept {
  fail(std::move(reason));
  finish(host);
}

void invocation::turn_away(error reason, caf::execution_unit* host) noexcept {
  auto by = std::exchange(placed_by, nullptr);
  if (!by) {
    finish(std::move(reason), host);
    return;
  }
  auto running = phase::running;
  phase_.compare_exchange_strong(running, phase::waiting);
  if (wanted())
    by->turned_away(this, std::move(reason));
}

void invocation::fail(error reason) {
  failure_ = std::make_unique<error>(std::move(reason));
}

void* invocation::typed(const std::type_info&) noexcept {
  return nullptr;
}

std::optional<effect> invocation::abandon() noexcept {
  auto now = phase_.load();
  do {
    if (now != phase::waiting && now != phase::running)
      return std::nullopt;
  } while (!phase_.compare_exchange_weak(now, phase::abandoned));
  if (auto watch = watch_.load())
    watch->forget(*this);
  return now == phase::waiting ? effect::none : effect::unknown;
}

bool invocation::abandon_waiting() noexcept {
  auto expected = phase::waiting;
  if (!phase_.compare_exchange_strong(expected, phase::abandoned))
    return false;
  if (auto watch = watch_.load())
    watch->forget(*this);
  return true;
}

void invocation::expire(caf::execution_unit* host) noexcept {
  auto what = abandon();
  if (!what)
    return;
  expiry_ = std::make_unique<error>(errc::deadline_exceeded, *what,
                                    *what == effect::none
                                      ? "the deadline passed in the queue"
                                      : "the deadline passed while it ran");
  phase_.store(phase::expired, std::memory_order_release);
  if (port)
    port->answered(*this, host);
}

bool invocation::answered() const noexcept {
  auto now = phase_.load(std::memory_order_acquire);
  return now == phase::answered || now == phase::expired;
}

const error* invocation::failure() const noexcept {
  return phase_.load(std::memory_order_acquire) == phase::expired
           ? expiry_.get()
           : failure_.get();
}

void invocation::watched_by(deadline_watch& watch) noexcept {
  // The mirror image of `finish` and `abandon`: one of the two sees what the
  // other did.
  watch_.store(&watch);
  if (auto now = phase_.load(); now != phase::waiting && now != phase::running)
    watch.forget(*this);
}

} // namespace troupe
