#include "actors/messages/subscription_lease.hpp"

#include <utility>

#include "actors/core/random_name.hpp"

namespace troupe {

namespace {

/// Steps within the time of a lease, and renewals.
constexpr int steps = 16;
constexpr int renewals = 4;

/// Questions of a node that does not have it.
constexpr int questions = 8;

/// A node gives it up a little before others can have it: what is done then
/// takes a while.
constexpr int margin = 8;

/// A lock that no client can ask for: their names have no blank.
std::string lock_name(const std::string& subscription) {
  return "subscription " + subscription;
}

} // namespace

subscription_lease::subscription_lease(lock_table& table,
                                       const std::string& subscription,
                                       lease_options options)
  : table_(table), name_(lock_name(subscription)), options_(std::move(options)),
    holder_(random_name()) {}

void subscription_lease::start() {
  {
    std::lock_guard guard{mutex_};
    runs_ = true;
  }
  step();
}

bool subscription_lease::is_held() const {
  std::lock_guard guard{mutex_};
  return held_ && options_.now() < valid_until_;
}

/// All that is decided is decided here, one step after the other.
void subscription_lease::step() {
  auto now = options_.now();
  enum class next { nothing, ask, renew } what = next::nothing;
  bool has_it = false;
  {
    std::lock_guard guard{mutex_};
    if (!runs_)
      return;
    if (held_ && now >= valid_until_)
      lose();
    has_it = held_.has_value();
    if (!asks_ && now >= next_) {
      asks_ = true;
      what = held_ ? next::renew : next::ask;
    }
  }
  if (has_it != std::exchange(was_told_, has_it))
    (has_it ? options_.on_gained : options_.on_lost)();
  if (what == next::ask)
    ask();
  else if (what == next::renew)
    renew();
  options_.after(options_.ttl / steps,
                 [self = shared_from_this()] { self->step(); });
}

void subscription_lease::ask() {
  lock_request request{name_, {}, options_.ttl};
  {
    std::lock_guard guard{mutex_};
    request.holder = holder_;
  }
  table_.acquire(std::move(request),
                 [self = shared_from_this(),
                  sent = options_.now()](const expected<lock_answer>& answer) {
                   self->asked(sent, answer);
                 });
}

void subscription_lease::asked(clock::time_point sent,
                               const expected<lock_answer>& answer) {
  std::lock_guard guard{mutex_};
  asks_ = false;
  next_ = sent + options_.ttl / questions;
  if (!answer || !answer->done)
    return;
  held_ = lock_proof{name_, answer->now.token};
  valid_until_ = sent + options_.ttl - options_.ttl / margin;
  next_ = sent + options_.ttl / renewals;
  if (!runs_) // it was given up meanwhile
    table_.release(*std::exchange(held_, std::nullopt),
                   [](const expected<lock_answer>&) {});
}

void subscription_lease::renew() {
  std::optional<lock_proof> held;
  {
    std::lock_guard guard{mutex_};
    held = held_;
  }
  if (!held)
    return;
  table_.renew(*held, options_.ttl,
               [self = shared_from_this(),
                sent = options_.now()](const expected<lock_answer>& answer) {
                 self->renewed(sent, answer);
               });
}

void subscription_lease::renewed(clock::time_point sent,
                                 const expected<lock_answer>& answer) {
  std::lock_guard guard{mutex_};
  asks_ = false;
  if (!held_)
    return;
  if (answer && !answer->done)
    return lose();
  next_ = sent + options_.ttl / renewals;
  if (answer)
    valid_until_ = sent + options_.ttl - options_.ttl / margin;
}

/// @pre the mutex is held
void subscription_lease::lose() {
  held_.reset();
  holder_ = random_name(); // another request
  next_ = {};
}

void subscription_lease::stop() {
  std::lock_guard guard{mutex_};
  runs_ = false;
  if (auto held = std::exchange(held_, std::nullopt))
    table_.release(*held, [](const expected<lock_answer>&) {});
}

} // namespace troupe
