#include "actors/work/dispatcher.hpp"

#include <algorithm>

#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/reminder.hpp"
#include "actors/work/attempt.hpp"
#include "actors/work/follow_up.hpp"
#include "actors/work/group_work.hpp"
#include "actors/work/lane_search.hpp"
#include "actors/work/schedule_work.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// Who asks every half a minute finds a number that is a few seconds old.
constexpr uint32_t counted_unasked = 12;

/// Hosts outside are lanes, too: there is no end of names.
constexpr size_t policies_kept = 4096;

work_time system_now() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

dispatcher_options with_clock(dispatcher_options x) {
  if (!x.clock)
    x.clock = system_now;
  return x;
}

/// Whoever was told of an event may say when it can be told again.
void wait_as_asked(work_verdict& to, const error& reason, work_time expires,
                   work_time now) {
  auto asked = std::min<std::chrono::seconds>(
    std::chrono::seconds{reason.retry_after_s()}, defaults::work::asked_max);
  if (!to.again)
    return;
  to.again = std::max(*to.again, now + asked);
  if (*to.again > expires)
    to = {{}, to.uncounted, true};
}

error no_queue() {
  return {errc::not_implemented, "this store has no queue"};
}

} // namespace

dispatcher::dispatcher(work_queue* queue, work_peers peers,
                       const call_environment& env, dispatcher_options options)
  : queue_(queue), peers_(std::move(peers)), env_(env),
    options_(with_clock(std::move(options))),
    random_(options_.seed ? options_.seed : std::random_device{}()),
    ids_(random_()), lanes_(options_.room) {}

dispatcher::~dispatcher() = default;

std::shared_ptr<const work_policy>
dispatcher::policy_of(const std::string& lane) const {
  std::lock_guard guard{policies_mutex_};
  if (auto i = policies_.find(lane); i != policies_.end())
    return i->second;
  if (policies_.size() == policies_kept)
    policies_.clear();
  auto result = std::make_shared<const work_policy>(
    options_.policy ? options_.policy(lane) : default_policy(lane));
  return policies_.emplace(lane, std::move(result)).first->second;
}

uint32_t dispatcher::running() const {
  std::lock_guard guard{mutex_};
  return lanes_.busy();
}

std::optional<error> dispatcher::why_it_waits(const std::string& lane) const {
  return why_not_here(*env_.routes.load(), options_.sender != nullptr, lane);
}

void dispatcher::explain(work_view& x) const {
  if (x.state != work_state::waiting || !x.answer.bytes.empty())
    return;
  if (auto why = why_it_waits(x.target.lane()))
    x.answer = {why->to_json(), "application/json"};
}

std::optional<std::vector<work_count>> dispatcher::depth() const {
  std::lock_guard guard{mutex_};
  count_again_ = counted_unasked;
  return depth_;
}

// -- accepting -----------------------------------------------------------------

void dispatcher::prepare(work_item& item, const work_policy& policy) const {
  item.accepted = now();
  item.due = std::max(item.due, item.accepted);
  item.expires = item.due + policy.age_max;
  item.attempts_max = policy.attempts_max;
}

std::optional<error> dispatcher::make_ready(work_request& x) const {
  if (x.item.arguments.bytes.size() > defaults::work::payload_max)
    return error{errc::payload_too_large,
                 "queued calls take "
                   + std::to_string(defaults::work::payload_max)
                   + " bytes at most"};
  if (!x.idempotency_key.empty() && x.fingerprint.empty())
    x.fingerprint = fingerprint_of(x.item);
  prepare(x.item, *policy_of(x.item.target.lane()));
  return std::nullopt;
}

void dispatcher::accept(std::shared_ptr<work_request> request,
                        callback<work_accepted> done) {
  if (!queue_)
    return done(no_queue());
  if (auto wrong = make_ready(*request))
    return done(*wrong);
  auto& item = request->item;
  auto self = peers_.self();
  if (self.empty() || item.due > item.accepted || !begins(item))
    return accept_waiting(request, std::move(done));
  request->claimed_by = std::move(self);
  accept_claimed(request, std::move(done));
}

bool dispatcher::begins(const work_item& x) {
  std::lock_guard guard{mutex_};
  return claims_ && lanes_.begin(x.target.lane(), x.accepted);
}

void dispatcher::accept_waiting(const std::shared_ptr<work_request>& request,
                                callback<work_accepted> done) {
  queue_->accept(request, [this, request, done = std::move(done)](
                            expected<work_accepted> what) {
    auto& item = request->item;
    if (what && what->is_new)
      waits(item.target.lane(), item.due);
    done(std::move(what));
  });
}

void dispatcher::accept_claimed(const std::shared_ptr<work_request>& request,
                                callback<work_accepted> done) {
  queue_->accept(request, [this, request, done = std::move(done)](
                            expected<work_accepted> what) {
    if (what && what->is_new)
      begin_claimed(*request);
    else
      drop_claimed(*request, what);
    done(std::move(what));
  });
}

void dispatcher::begin_claimed(work_request& x) {
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  counts_.begun_at_once.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard guard{mutex_};
  take({std::move(x.item)}, std::move(x.claimed_by));
  if (!x.home)
    wake();
}

void dispatcher::drop_claimed(const work_request& x,
                              const expected<work_accepted>& why) {
  std::lock_guard guard{mutex_};
  lanes_.ended(x.item.target.lane());
  look_for_lost_ |= !why && why.error().what_happened() == effect::unknown;
}

void dispatcher::accept_all(std::vector<work_request> requests,
                            callback<std::vector<work_accepted>> done) {
  if (!queue_)
    return done(no_queue());
  std::vector<std::pair<std::string, work_time>> places;
  for (auto& x : requests) {
    if (auto wrong = make_ready(x))
      return done(*wrong);
    places.emplace_back(x.item.target.lane(), x.item.due);
  }
  queue_->accept_all(std::move(requests),
                     [this, places = std::move(places), done = std::move(done)](
                       expected<std::vector<work_accepted>> what) {
                       for (size_t i = 0; what && i < places.size(); ++i)
                         if ((*what)[i].is_new)
                           waits(places[i].first, places[i].second);
                       done(std::move(what));
                     });
}

void dispatcher::complete(work_request& x) {
  auto& item = x.item;
  auto policy = policy_of(item.target.lane());
  item.accepted = now();
  item.due = std::max(item.due, item.accepted);
  item.expires = item.due;
  if (is_reminder(item))
    item.expires += forever;
  else
    item.expires += policy->age_max;
  item.attempts_max = policy->attempts_max;
  std::lock_guard guard{mutex_};
  item.id = ids_.next(item.accepted);
}

void dispatcher::waits(const std::string& lane, work_time due) {
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard guard{mutex_};
  lanes_.waits(lane, due);
  wake();
}

/// It is accepted as claimed, and as too old to begin: should this node die before
/// it has reported it dead, it is given back, and is dead for its age.
void dispatcher::bury(work_request letter, const error& why,
                      callback<work_accepted> done) {
  if (!queue_)
    return done(no_queue());
  letter.claimed_by = peers_.self();
  if (letter.claimed_by.empty())
    return done(
      error{errc::store_unavailable, "this node is no member of its cluster"});
  auto& item = letter.item;
  item.accepted = now();
  item.due = item.accepted;
  item.expires = item.accepted;
  item.attempts_max = policy_of(item.target.lane())->attempts_max;
  work_report report;
  report.id = item.id;
  report.claimed_by = letter.claimed_by;
  report.attempt = 1;
  report.end = work_end::dead;
  report.answer = {why.to_json(), "application/json"};
  {
    std::lock_guard guard{mutex_};
    running_.insert(item.id); // it is not lost
  }
  queue_->accept(std::move(letter), [this, report = std::move(report),
                                     done = std::move(done)](
                                      expected<work_accepted> what) mutable {
    if (what && what->is_new)
      return report_dead(std::move(report), *what, std::move(done));
    {
      std::lock_guard guard{mutex_};
      running_.erase(report.id);
      look_for_lost_ |=
        !what && what.error().what_happened() == effect::unknown;
    }
    done(std::move(what));
  });
}

void dispatcher::report_dead(work_report what, work_accepted accepted,
                             callback<work_accepted> done) {
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  auto id = what.id;
  queue_->report(
    std::move(what), now(),
    [this, id, accepted, done = std::move(done)](work_outcome outcome) {
      if (outcome == work_outcome::done)
        counts_.dead.fetch_add(1, std::memory_order_relaxed);
      {
        std::lock_guard guard{mutex_};
        running_.erase(id);
        look_for_lost_ |= outcome != work_outcome::done;
      }
      // Whatever came of the report, it is accepted, and nobody runs it.
      done(accepted);
    });
}

void dispatcher::take(claimed_work work, std::string claimed_by) {
  running_.insert(work.item.id);
  inbox_.emplace_back(std::move(work), std::move(claimed_by));
}

void dispatcher::wake() {
  if (std::exchange(woken_, true) || !worker_)
    return;
  caf::anon_send(worker_, atom::wake::value);
}

void dispatcher::stop_claiming() {
  std::lock_guard guard{mutex_};
  claims_ = false;
}

// -- what came of attempts -----------------------------------------------------

work_report dispatcher::report_of(attempt& what) {
  auto known = policy_of(what.work().item.target.lane());
  auto& policy = *known;
  if (auto reason = what.failure())
    return failure(what, policy, *reason);
  if (!can_follow(what, policy))
    return failure(what, policy,
                   {errc::payload_too_large, effect::ran,
                    "its result is larger than the arguments of queued calls "
                    "may be, so that nothing can follow it"});
  return success(what, policy);
}

bool dispatcher::can_follow(attempt& what, const work_policy& policy) {
  auto size = what.result().bytes.size();
  if (policy.on_success.empty() && !member_of(what.work().item))
    return true;
  // The calls of a group are sent with one commit.
  return size <= defaults::work::payload_max
         && (!policy.join
             || size * policy.on_success.size()
                  <= defaults::service::sent_bytes);
}

work_report dispatcher::success(attempt& what, const work_policy& policy) {
  work_report result;
  result.id = what.work().item.id;
  result.claimed_by = what.take_claimed_by();
  result.attempt = what.work().attempt;
  result.end = work_end::succeeded;
  auto& item = what.work().item;
  if (policy.join)
    follow(result, group_after(item, policy, what.result()));
  else
    result.follow =
      follow_up(item, work_end::succeeded, policy.on_success, what.result());
  if (auto member = member_of(item))
    follow(result, arrival(item, *member, what.result()));
  result.answer = std::move(what.result());
  return result;
}

work_report dispatcher::failure(attempt& what, const work_policy& policy,
                                error reason) {
  auto& item = what.work().item;
  work_report result;
  result.id = item.id;
  result.claimed_by = what.take_claimed_by();
  result.attempt = what.work().attempt;
  work_verdict verdict;
  if (reason.code() != errc::payload_too_large) {
    std::lock_guard guard{mutex_};
    verdict = judge(policy, reason, result.attempt, item.attempts_max,
                    first_due(item, policy), item.expires, now(), random_);
  }
  if (item.target.is_outside())
    wait_as_asked(verdict, reason, item.expires, now());
  if (verdict.too_old)
    reason = {reason.code(), reason.what_happened(),
              reason.message() + "; it would be too old for another attempt"};
  result.answer = {reason.to_json(), "application/json"};
  result.uncounted = verdict.uncounted;
  if (verdict.again) {
    result.due = *verdict.again;
    return result;
  }
  auto is_told = !policy.on_failure.empty()
                 && steps_before(item) <= defaults::work::steps_max;
  auto member = member_of(item);
  result.end = is_told || member ? work_end::failed : work_end::dead;
  if (is_told)
    result.follow =
      follow_up(item, work_end::failed, policy.on_failure,
                failure_notice(item, result.attempt, item.arguments, reason));
  if (member)
    follow(result, arrival(item, *member, reason));
  if (auto news = schedule_news(item, reason))
    follow(result, std::move(*news));
  return result;
}

void dispatcher::follow(work_report& report, work_request next) {
  {
    std::lock_guard guard{mutex_};
    next.item.id = ids_.next(now());
  }
  prepare(next.item, *policy_of(next.item.target.lane()));
  report.follow.push_back(std::move(next));
}

std::vector<work_request>
dispatcher::follow_up(const work_item& source, work_end how,
                      const std::vector<work_destination>& to,
                      const payload& arguments) {
  auto result = troupe::follow_up(source, how, to, arguments, now());
  for (auto& x : result)
    prepare(x.item, *policy_of(x.item.target.lane()));
  return result;
}

void dispatcher::ended(attempt& what) {
  auto next = std::make_shared<work_report>(report_of(what));
  next->origin = what.origin();
  next->home = what.home();
  report(std::move(next), what.lane(), 0);
}

void dispatcher::report(work_queue::report_ptr what, std::string lane,
                        uint32_t tries) {
  queue_->report(
    what, now(),
    [this, what, lane = std::move(lane), tries](work_outcome outcome) {
      settle(what, lane, outcome, tries);
    });
}

void dispatcher::settle(const work_queue::report_ptr& report,
                        const std::string& lane, work_outcome outcome,
                        uint32_t tries) {
  auto& what = *report;
  if (outcome == work_outcome::done)
    count(what);
  else if (outcome == work_outcome::refused)
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard guard{mutex_};
  if (outcome == work_outcome::failed || outcome == work_outcome::unknown) {
    // It keeps its place: a node whose store is away takes no more work than
    // it has room for.
    unsettled_.push_back({report, lane, tries + 1});
    return;
  }
  running_.erase(what.id);
  lanes_.ended(lane);
  if (outcome == work_outcome::done) {
    if (!what.end)
      lanes_.waits(lane, what.due);
    for (auto& x : what.follow)
      followed_.emplace(x.item.target.lane(), x.item.due);
  }
  // For what is due later there is an alarm, unless that is earlier than it.
  auto due = lanes_.next_due();
  if ((due && (!what.end || *due <= now())) || !followed_.empty())
    wake();
}

void dispatcher::count(const work_report& what) {
  auto& x = !what.end                          ? counts_.retried
            : *what.end == work_end::succeeded ? counts_.succeeded
            : *what.end == work_end::failed    ? counts_.failed
                                               : counts_.dead;
  x.fetch_add(1, std::memory_order_relaxed);
}

} // namespace troupe
