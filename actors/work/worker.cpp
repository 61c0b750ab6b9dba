#include "actors/work/worker.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/work/lane_search.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

/// Between two looks at what is not told: who is gone, what is late.
constexpr milliseconds tick_time{250};

/// A node's claim comes after its lease, and views are two seconds old at most:
/// who is no member at two looks so far apart was none when it was read first.
constexpr milliseconds claimants_time{2500};

constexpr milliseconds lost_time{2500};
constexpr milliseconds sweep_time{10'000};
constexpr milliseconds count_time{5'000};

/// Where there is so much that it takes a while, it takes one part in so many of
/// the time: those who work want the processor.
constexpr int count_part = 50;

constexpr size_t lanes_page = 1000;
constexpr size_t give_back_step = 256;
constexpr size_t lost_page = 256;
constexpr size_t sweep_step = 1024;
constexpr size_t expired_step = 256;

/// INTERNAL: does something with an answer of the store.
struct work_answer {
  std::function<void()> then;
};

} // namespace

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::work_answer)

namespace troupe {

// -- its life ------------------------------------------------------------------

dispatcher::worker::worker(caf::actor_config& cfg, dispatcher& front)
  : caf::event_based_actor(cfg), front_(front), routes_(front.env_.routes),
    starter_(front, home_system()) {}

caf::behavior dispatcher::worker::make_behavior() {
  return {
    [this](atom::wake) { wake(); },
    [this](atom::tick) {
      tick();
      delayed_send(this, tick_time, atom::tick::value);
    },
    [this](atom::refresh) {
      alarm_.reset();
      wake();
    },
    [this](work_answer& x) { x.then(); },
    [this](atom::drain) { drain(); },
  };
}

void dispatcher::worker::on_exit() {
  std::lock_guard guard{front_.mutex_};
  if (front_.worker_ != this)
    return;
  front_.worker_ = nullptr;
  front_.claims_ = false;
}

caf::actor dispatcher::start(caf::local_actor* parent) {
  auto result = parent->spawn<worker>(std::ref(*this));
  if (!queue_)
    return result; // there is nothing to do
  {
    std::lock_guard guard{mutex_};
    worker_ = result;
    claims_ = true;
    woken_ = true;
  }
  caf::anon_send(result, atom::wake::value);
  caf::anon_send(result, atom::tick::value);
  return result;
}

dispatcher::worker::clock::time_point dispatcher::worker::steady_now() const {
  return home_system().clock().now();
}

void dispatcher::worker::drain() {
  front_.stop_claiming();
}

/// The answer of the store as a message to this actor.
template <class T, class F>
dispatcher::callback<T> dispatcher::worker::come_home(F then) {
  return [self = caf::actor{this}, then = std::move(then)](expected<T> found) {
    auto kept = std::make_shared<expected<T>>(std::move(found));
    caf::anon_send(self, work_answer{[then, kept] { then(*kept); }});
  };
}

// -- turns ---------------------------------------------------------------------

void dispatcher::worker::tick() {
  report_again();
  look();
  look_for_gone();
  look_for_lost();
  sweep();
  count();
  wake();
}

void dispatcher::worker::wake() {
  {
    std::lock_guard guard{front_.mutex_};
    front_.woken_ = false;
    for (auto& [lane, due] : std::exchange(front_.followed_, {}))
      if (is_here(lane))
        front_.lanes_.waits(lane, due);
  }
  starter_.begin_waiting(context());
  fetch();
}

void dispatcher::worker::come_back(std::optional<work_time> due) {
  if (!due || (alarm_ && *alarm_ <= *due))
    return;
  auto wait = *due - front_.now();
  if (wait > tick_time)
    return; // a tick comes before
  alarm_ = due;
  delayed_send(this, std::max(wait, milliseconds{1}), atom::refresh::value);
}

// -- doing ---------------------------------------------------------------------

void dispatcher::worker::report_again() {
  std::vector<unsettled> again;
  {
    std::lock_guard guard{front_.mutex_};
    again.swap(front_.unsettled_);
  }
  for (auto& x : again)
    front_.report(std::move(x.report), std::move(x.lane), x.tries);
}

// -- fetching ------------------------------------------------------------------

void dispatcher::worker::look() {
  auto now = steady_now();
  if (!look_.is_due(now))
    return;
  look_ = {now + front_.options_.look, true};
  pages_.clear();
  front_.queue_->lanes(
    "", lanes_page,
    come_home<std::vector<work_lane>>([this](auto& found) { looked(found); }));
}

void dispatcher::worker::looked(const expected<std::vector<work_lane>>& found) {
  if (!found) {
    look_.asked = false;
    return;
  }
  pages_.insert(pages_.end(), found->begin(), found->end());
  if (found->size() == lanes_page) {
    front_.queue_->lanes(
      found->back().name, lanes_page,
      come_home<std::vector<work_lane>>([this](auto& more) { looked(more); }));
    return;
  }
  look_.asked = false;
  std::vector<std::pair<std::string, work_time>> here;
  for (auto& x : std::exchange(pages_, {}))
    if (is_here(x.name))
      here.emplace_back(x.name, x.due);
  {
    std::lock_guard guard{front_.mutex_};
    front_.lanes_.looked(here);
  }
  fetch();
}

bool dispatcher::worker::is_here(const std::string& lane) {
  return !why_not_here(*routes_, front_.options_.sender != nullptr, lane);
}

void dispatcher::worker::fetch() {
  auto self = front_.peers_.self();
  std::vector<work_lanes::room> rooms;
  std::optional<work_time> due;
  {
    std::lock_guard guard{front_.mutex_};
    if (!front_.claims_ || self.empty())
      return;
    rooms = front_.lanes_.fetch(front_.now());
    due = front_.lanes_.next_due();
  }
  come_back(due);
  if (rooms.empty())
    return;
  std::vector<work_quota> quotas;
  for (auto& x : rooms)
    quotas.push_back({x.lane, x.most});
  front_.counts_.fetches.fetch_add(1, std::memory_order_relaxed);
  front_.queue_->claim(
    self, std::move(quotas), front_.now(),
    come_home<std::vector<claimed_work>>([this, self, rooms](auto& got) {
      std::map<std::string, uint32_t> counts;
      auto look_again = false;
      if (got)
        for (auto& x : *got)
          ++counts[x.item.target.lane()];
      {
        std::lock_guard guard{front_.mutex_};
        for (auto& x : rooms) {
          front_.lanes_.fetched(x, counts[x.lane]);
          look_again |= got && counts[x.lane] < x.most && counts[x.lane] > 0;
        }
        front_.look_for_lost_ |=
          !got && got.error().what_happened() == effect::unknown;
      }
      if (got && !got->empty()) {
        front_.counts_.claimed.fetch_add(got->size(),
                                         std::memory_order_relaxed);
        std::lock_guard guard{front_.mutex_};
        for (auto& x : *got)
          front_.take(std::move(x), self);
        front_.wake();
      }
      if (look_again) // more may have come meanwhile, or is due later
        look_.next = {};
      look();
    }));
}

// -- what others have left behind ------------------------------------------------

void dispatcher::worker::look_for_gone() {
  auto alive = front_.peers_.alive();
  if (!alive)
    return;
  std::set<std::string> now_there{alive->begin(), alive->end()};
  for (auto& x : known_)
    if (!now_there.contains(x))
      give_back(x);
  known_ = std::move(now_there);
  auto now = steady_now();
  if (!claimants_.is_due(now))
    return;
  claimants_ = {now + claimants_time, true};
  front_.queue_->claimants(
    come_home<std::vector<std::string>>([this](auto& found) {
      claimants_.asked = false;
      if (found)
        judge_claimants(*found);
    }));
}

void dispatcher::worker::judge_claimants(
  const std::vector<std::string>& claimants) {
  auto alive = front_.peers_.alive();
  if (!alive)
    return;
  std::set<std::string> strangers;
  for (auto& x : claimants)
    if (std::find(alive->begin(), alive->end(), x) == alive->end())
      strangers.insert(x);
  for (auto& x : strangers)
    if (strangers_.contains(x))
      give_back(x);
  strangers_ = std::move(strangers);
}

void dispatcher::worker::give_back(const std::string& gone) {
  if (!giving_back_.insert(gone).second)
    return;
  front_.queue_->give_back(gone, front_.now(), give_back_step,
                           come_home<size_t>([this, gone](auto& count) {
                             giving_back_.erase(gone);
                             if (!count)
                               return; // a look at the claimants finds it again
                             front_.counts_.given_back.fetch_add(
                               *count, std::memory_order_relaxed);
                             if (*count == give_back_step)
                               give_back(gone);
                             if (*count > 0) {
                               look_.next = {};
                               sweep_.next = {}; // what has no attempts left
                             }
                             look();
                           }));
}

void dispatcher::worker::look_for_lost() {
  auto now = steady_now();
  {
    std::lock_guard guard{front_.mutex_};
    if (!front_.look_for_lost_ || !lost_.is_due(now))
      return;
  }
  lost_ = {now + lost_time, true};
  suspects_now_.clear();
  ask_for_claimed({});
}

void dispatcher::worker::ask_for_claimed(std::optional<invocation_id> after) {
  work_selection next;
  next.state = work_state::claimed;
  next.after = after;
  next.limit = lost_page;
  front_.queue_->list(next, come_home<std::vector<work_view>>(
                              [this](auto& found) { take_claimed(found); }));
}

void dispatcher::worker::take_claimed(
  const expected<std::vector<work_view>>& found) {
  if (!found) {
    lost_.asked = false;
    return;
  }
  auto self = front_.peers_.self();
  for (auto& x : *found)
    if (x.claimed_by == self && !runs(x.id)) {
      suspects_now_.insert(x.id);
      if (suspects_.contains(x.id))
        let_go(x);
    }
  if (found->size() == lost_page)
    return ask_for_claimed(found->back().id);
  lost_.asked = false;
  suspects_.swap(suspects_now_);
  if (!suspects_.empty())
    return;
  std::lock_guard guard{front_.mutex_};
  front_.look_for_lost_ = false;
}

bool dispatcher::worker::runs(const invocation_id& id) const {
  std::lock_guard guard{front_.mutex_};
  return front_.running_.contains(id);
}

/// It is claimed, and never began.
void dispatcher::worker::let_go(const work_view& lost) {
  work_report again;
  again.id = lost.id;
  again.claimed_by = lost.claimed_by;
  again.attempt = lost.attempts;
  again.due = front_.now();
  again.uncounted = true;
  front_.queue_->report(std::move(again), front_.now(), [](work_outcome) {});
}

void dispatcher::worker::sweep() {
  auto now = steady_now();
  if (!sweep_.is_due(now))
    return;
  auto self = front_.peers_.self();
  {
    std::lock_guard guard{front_.mutex_};
    if (!front_.claims_ || self.empty())
      return;
  }
  sweep_ = {now + sweep_time, true};
  auto time = front_.now();
  front_.queue_->claim_expired(
    self, time, expired_step,
    come_home<std::vector<claimed_work>>([this, self, time](auto& got) {
      if (got) {
        if (got->size() == expired_step)
          sweep_.next = {}; // there is more
        starter_.expire(std::move(*got), self, context());
      } else if (got.error().what_happened() == effect::unknown) {
        std::lock_guard guard{front_.mutex_};
        front_.look_for_lost_ = true;
      }
      forget(time);
    }));
}

void dispatcher::worker::forget(work_time now) {
  auto& options = front_.options_;
  front_.queue_->forget(now - options.keep_results, now - options.keep_dead,
                        now, sweep_step,
                        come_home<size_t>([this](auto& forgotten) {
                          sweep_.asked = false;
                          if (forgotten && *forgotten >= sweep_step)
                            sweep_.next = {}; // there is more
                        }));
}

void dispatcher::worker::count() {
  auto now = steady_now();
  if (!count_.is_due(now))
    return;
  {
    std::lock_guard guard{front_.mutex_};
    if (front_.count_again_ == 0) {
      front_.depth_.reset(); // rather none than an old one
      return;
    }
    --front_.count_again_;
  }
  count_ = {now + count_time, true};
  front_.queue_->count(
    come_home<std::vector<work_count>>([this, now](auto& found) {
      auto end = steady_now();
      count_ = {std::max(count_.next, end + count_part * (end - now)), false};
      std::lock_guard guard{front_.mutex_};
      if (found)
        front_.depth_ = std::move(*found);
      else
        front_.depth_.reset();
    }));
}

} // namespace troupe
