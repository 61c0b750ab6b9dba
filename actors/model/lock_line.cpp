#include "actors/model/lock_line.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

using std::chrono::milliseconds;

milliseconds lock_line::left(time_point now) const noexcept {
  using std::chrono::duration_cast;
  return duration_cast<milliseconds>(
    std::max(free_at_ - now, time_point::duration{0}));
}

bool lock_line::add(waiter x, time_point now) {
  auto is_held = next_ask_ && now < *next_ask_;
  if (is_held && x.until <= now)
    return false;
  waiting_.push_back(x);
  return true;
}

bool lock_line::remove(uint64_t id) {
  auto i = std::find_if(waiting_.begin(), waiting_.end(),
                        [id](const waiter& x) { return x.id == id; });
  if (i == waiting_.end())
    return false;
  waiting_.erase(i);
  return true;
}

std::optional<lock_line::waiter> lock_line::ask(time_point now) {
  if (asking_ || waiting_.empty() || (next_ask_ && now < *next_ask_))
    return std::nullopt;
  asking_ = waiting_.front().id;
  ask_again_ = false;
  return waiting_.front();
}

bool lock_line::granted() {
  auto id = *std::exchange(asking_, std::nullopt);
  // The next one finds out by itself for how long the lock is held now.
  next_ask_.reset();
  attempt_ = 0;
  return remove(id);
}

std::vector<lock_line::waiter>
lock_line::held(milliseconds left, time_point now, std::mt19937_64& random) {
  asking_.reset();
  free_at_ = now + left;
  pause(now, random);
  return take_late(now);
}

std::vector<lock_line::waiter> lock_line::failed(time_point now,
                                                 std::mt19937_64& random) {
  asking_.reset();
  pause(now, random);
  return take_late(now);
}

void lock_line::pause(time_point now, std::mt19937_64& random) {
  if (std::exchange(ask_again_, false)) {
    next_ask_.reset();
    return;
  }
  // Never at once: what was asked a moment ago is known.
  auto delay = std::max<std::chrono::nanoseconds>(
    pauses_.delay(attempt_, random), milliseconds{1});
  attempt_ = std::min(attempt_ + 1, 32u);
  next_ask_ = now + delay;
  if (free_at_ > now)
    next_ask_ = std::min(*next_ask_, free_at_);
}

void lock_line::released() noexcept {
  ask_again_ = asking_.has_value();
  next_ask_.reset();
  attempt_ = 0;
}

std::vector<lock_line::waiter> lock_line::expire(time_point now) {
  // Whoever is first when it is time to ask gets a last chance.
  auto is_held = !asking_ && next_ask_ && now < *next_ask_;
  return is_held ? take_late(now) : std::vector<waiter>{};
}

std::vector<lock_line::waiter> lock_line::take_late(time_point now) {
  std::vector<waiter> result;
  std::erase_if(waiting_, [&](const waiter& x) {
    if (x.until > now)
      return false;
    result.push_back(x);
    return true;
  });
  return result;
}

std::vector<lock_line::waiter> lock_line::take_all() {
  std::vector<waiter> result{waiting_.begin(), waiting_.end()};
  waiting_.clear();
  return result;
}

std::optional<lock_line::time_point> lock_line::next_look() const {
  if (asking_ || waiting_.empty())
    return std::nullopt;
  if (!next_ask_)
    return time_point::min();
  auto earliest =
    std::min_element(waiting_.begin(), waiting_.end(),
                     [](auto& x, auto& y) { return x.until < y.until; });
  return std::min(*next_ask_, earliest->until);
}

} // namespace troupe
