// Every queue of work does what a model of its contract does, whatever comes in
// which order. The model is written for reading: one list, gone through each
// time.
//
// For one source of a program, which says before what queues there are:
// `work_kinds`, each with a function `open`, which gives its store.

#pragma once

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/support/work_calls.hpp"

namespace troupe {

/// What failing tests show.
inline void PrintTo(const work_view& x, std::ostream* to) {
  *to << "{" << to_string(x.id) << " " << to_string(x.target) << " state "
      << static_cast<int>(x.state) << " priority " << int{x.priority}
      << " attempts " << x.attempts << " accepted "
      << x.accepted.time_since_epoch().count() << " due "
      << x.due.time_since_epoch().count() << " by '" << x.claimed_by
      << "' finished " << x.finished.time_since_epoch().count() << " answer "
      << x.answer.content_type << " " << x.answer.bytes.substr(0, 20) << "}";
}
namespace {

struct model_work {
  work_item item;
  std::string key;
  work_state state = work_state::waiting;
  uint32_t attempts = 0;
  std::string claimed_by{};
  work_time finished{};
  payload answer{};

  work_view view() const {
    work_view result{item.id,       item.target, state,
                     item.priority, attempts,    item.accepted};
    result.answer = answer;
    if (state == work_state::waiting)
      result.due = item.due;
    else if (state == work_state::claimed)
      result.claimed_by = claimed_by;
    else
      result.finished = finished;
    return result;
  }
};

class work_model {
public:
  expected<work_accepted> accept(const work_request& x) {
    if (find(x.item.id))
      return work_accepted{x.item.id, false};
    if (!x.idempotency_key.empty()) {
      for (auto& y : keys_)
        if (y.key == x.idempotency_key && y.target == x.item.target) {
          if (y.print == x.fingerprint)
            return work_accepted{y.id, false};
          return error{errc::idempotency_conflict, ""};
        }
      keys_.push_back({x.idempotency_key, x.item.target, x.fingerprint,
                       x.item.id, x.item.accepted});
    }
    model_work row{x.item, x.idempotency_key};
    if (!x.claimed_by.empty()) {
      row.state = work_state::claimed;
      row.claimed_by = x.claimed_by;
      row.attempts = 1;
    }
    rows_[x.item.id] = row;
    return work_accepted{x.item.id, true};
  }

  std::vector<work_lane> lanes(const std::string& after, size_t limit) {
    std::map<std::string, work_time> all;
    for (auto& [id, x] : rows_)
      if (x.state == work_state::waiting && x.item.target.lane() > after) {
        auto i = all.emplace(x.item.target.lane(), x.item.due).first;
        i->second = std::min(i->second, x.item.due);
      }
    std::vector<work_lane> result;
    for (auto& [name, due] : all)
      if (result.size() < limit)
        result.push_back({name, due});
    return result;
  }

  std::vector<claimed_work> claim(const std::string& node,
                                  const std::vector<work_quota>& quotas,
                                  work_time now) {
    std::vector<claimed_work> result;
    for (auto& quota : quotas) {
      std::vector<model_work*> fit;
      for (auto& [id, x] : rows_)
        if (x.state == work_state::waiting && x.item.due <= now
            && x.item.expires >= now && x.item.target.lane() == quota.lane)
          fit.push_back(&x);
      std::sort(fit.begin(), fit.end(), [](auto x, auto y) {
        return std::tuple(-x->item.priority, x->item.due, x->item.id)
               < std::tuple(-y->item.priority, y->item.due, y->item.id);
      });
      fit.resize(std::min<size_t>(fit.size(), quota.most));
      for (auto x : fit) {
        x->state = work_state::claimed;
        x->claimed_by = node;
        ++x->attempts;
        result.push_back({x->item, x->attempts});
      }
    }
    return result;
  }

  work_outcome report(const work_report& what, work_time now) {
    auto x = find(what.id);
    if (!x || x->claimed_by != what.claimed_by)
      return work_outcome::refused;
    auto next = work_state::waiting;
    if (what.end == work_end::succeeded)
      next = work_state::succeeded;
    if (what.end == work_end::failed)
      next = work_state::failed;
    if (what.end == work_end::dead)
      next = work_state::dead;
    auto attempts = what.attempt;
    if (!what.end && what.uncounted && attempts > 0)
      --attempts;
    if (x->state != work_state::claimed) {
      auto stands = x->state == next && x->attempts == attempts;
      if (!what.end && x->item.due != what.due)
        stands = false;
      return stands ? work_outcome::done : work_outcome::refused;
    }
    if (x->attempts != what.attempt)
      return work_outcome::refused;
    x->state = next;
    x->attempts = attempts;
    if (what.end || !what.uncounted || !what.answer.bytes.empty())
      x->answer = what.answer;
    if (what.end)
      x->finished = now;
    else
      x->item.due = what.due;
    for (auto& y : what.follow)
      (void)accept(y);
    return work_outcome::done;
  }

  std::vector<std::string> claimants() {
    std::set<std::string> result;
    for (auto& [id, x] : rows_)
      if (x.state == work_state::claimed)
        result.insert(x.claimed_by);
    return {result.begin(), result.end()};
  }

  size_t give_back(const std::string& node, work_time now) {
    size_t result = 0;
    for (auto& [id, x] : rows_)
      if (x.state == work_state::claimed && x.claimed_by == node) {
        ++result;
        x.state = work_state::waiting;
        x.item.due = now;
        if (x.attempts >= x.item.attempts_max)
          x.item.expires = work_time{};
      }
    return result;
  }

  std::vector<claimed_work> claim_expired(const std::string& node,
                                          work_time now) {
    std::vector<claimed_work> result;
    for (auto& [id, x] : rows_)
      if (x.state == work_state::waiting && x.item.expires < now) {
        x.state = work_state::claimed;
        x.claimed_by = node;
        result.push_back({x.item, x.attempts});
      }
    return result;
  }

  size_t forget(work_time finished, work_time died, work_time now) {
    auto is_old = [&](auto& pair) {
      auto& x = pair.second;
      if (x.state == work_state::dead)
        return x.finished < died;
      return (x.state == work_state::succeeded || x.state == work_state::failed)
             && x.finished < finished;
    };
    auto is_old_key = [&](auto& x) {
      return x.accepted < now - work_queue::key_retention;
    };
    return std::erase_if(rows_, is_old) + std::erase_if(keys_, is_old_key);
  }

  std::optional<work_view> view(invocation_id id) {
    auto x = find(id);
    return x ? std::optional{x->view()} : std::nullopt;
  }

  std::optional<work_origin> origin(invocation_id id) {
    auto x = find(id);
    if (!x)
      return std::nullopt;
    auto& item = x->item;
    return work_origin{item.target, item.priority, item.accepted,
                       item.arguments.bytes.size()};
  }

  std::vector<work_view> list(const work_selection& which) {
    std::vector<work_view> result;
    for (auto& [id, x] : rows_)
      if (result.size() < which.limit && x.state == which.state
          && (which.lane.empty() || x.item.target.lane() == which.lane)
          && (!which.id || *which.id == id)
          && (!which.after || *which.after < id))
        result.push_back(x.view());
    return result;
  }

  std::vector<work_count> count() {
    std::map<std::string, work_count> lanes;
    for (auto& [id, x] : rows_) {
      auto name = x.item.target.lane();
      if (x.state == work_state::waiting) {
        auto& oldest = lanes[name].oldest;
        oldest = std::min(oldest.value_or(x.item.accepted), x.item.accepted);
        ++lanes[name].waiting;
      }
      if (x.state == work_state::claimed)
        ++lanes[name].claimed;
      if (x.state == work_state::dead)
        ++lanes[name].dead;
    }
    std::vector<work_count> result;
    for (auto& [name, x] : lanes) {
      x.lane = name;
      result.push_back(x);
    }
    return result;
  }

  size_t redrive(const work_selection& which, work_time now,
                 work_time expires) {
    auto all = list(which);
    for (auto& y : all) {
      auto& x = *find(y.id);
      x.state = work_state::waiting;
      x.attempts = 0;
      x.claimed_by.clear();
      x.item.due = now;
      x.item.expires = expires;
    }
    return all.size();
  }

  size_t purge(const work_selection& which) {
    auto all = list(which);
    for (auto& y : all) {
      std::erase_if(keys_, [&, row = find(y.id)](auto& x) {
        return x.id == y.id && x.key == row->key && x.target == y.target;
      });
      rows_.erase(y.id);
    }
    return all.size();
  }

private:
  struct known_key {
    std::string key;
    work_target target;
    std::string print;
    invocation_id id;
    work_time accepted;
  };

  model_work* find(invocation_id id) {
    auto i = rows_.find(id);
    return i != rows_.end() ? &i->second : nullptr;
  }

  std::map<invocation_id, model_work> rows_;
  std::vector<known_key> keys_;
};

/// Random requests over few names, so that they meet. Time goes on slowly, and
/// what a node says of it is sometimes earlier or later.
class work_requests {
public:
  explicit work_requests(unsigned seed) : random_{seed} {}

  uint64_t below(uint64_t bound) { return random_() % bound; }

  bool one_in(uint64_t n) { return below(n) == 0; }

  work_time now() {
    now_ += static_cast<int64_t>(below(5));
    return testing::at(now_ + static_cast<int64_t>(below(30)) - 15);
  }

  /// Far enough that keys are old.
  void skip_a_day() { now_ += 24 * 3600 * 1000; }

  work_target target() {
    static const std::vector<work_target> targets{
      {"a"}, {"a", "live"}, {"b"}, {"a", "", "k", "m"}, {"a", "", "", "m"}};
    return targets[below(targets.size())];
  }

  std::string lane() { return one_in(8) ? "none" : target().lane(); }

  invocation_id id() { return testing::work_id(below(60)); }

  std::string node() { return std::string(1, "xyz"[below(3)]); }

  size_t limit() { return below(12); }

  payload answer() { return {std::string(below(40), 'e'), "a/b"}; }

  work_request accept() {
    work_request result{testing::work(id().low, target())};
    auto& item = result.item;
    item.accepted = now();
    item.due = one_in(2) ? item.accepted : now();
    item.expires = now() + std::chrono::milliseconds{below(200)};
    item.priority = static_cast<uint8_t>(below(10));
    item.attempts_max = static_cast<uint32_t>(1 + below(4));
    item.arguments.bytes = std::string(one_in(8) ? 5000 : below(50), 'x');
    if (one_in(3)) {
      result.idempotency_key = std::to_string(below(5));
      result.fingerprint = one_in(4) ? "other" : "print";
    }
    if (one_in(3))
      result.claimed_by = node();
    return result;
  }

  /// @param claimed what it most likely is of
  work_report report(const std::optional<work_view>& claimed) {
    work_report result{id(), node(), static_cast<uint32_t>(1 + below(3))};
    if (claimed && !one_in(8)) {
      result.id = claimed->id;
      result.claimed_by = claimed->claimed_by;
      result.attempt = claimed->attempts;
    }
    if (!one_in(3))
      result.end = static_cast<work_end>(below(3));
    result.due = now();
    result.uncounted = one_in(3);
    result.answer = answer();
    for (auto i = below(3); i > 0; --i)
      result.follow.push_back(accept());
    return result;
  }

  work_selection selection(std::vector<work_state> states) {
    work_selection result{states[below(states.size())]};
    if (one_in(2))
      result.lane = lane();
    if (one_in(4))
      result.id = id();
    if (one_in(3))
      result.after = id();
    result.limit = limit();
    return result;
  }

private:
  std::mt19937_64 random_;
  int64_t now_ = 0;
};

/// Which part of a whole is done in a step is up to the queue: so until nothing
/// is left.
template <class Step>
size_t all_steps(Step step) {
  size_t result = 0;
  while (auto n = step())
    result += n;
  return result;
}

/// One random operation; both must answer the same.
void work_step(work_queue& queue, work_model& expected, work_requests& random,
               std::optional<work_report>& last) {
  using enum work_state;
  switch (random.below(18)) {
  case 0:
  case 1:
  case 2:
  case 3: {
    auto request = random.accept();
    auto found = testing::accept(queue, request);
    auto wanted = expected.accept(request);
    ASSERT_EQ(found.has_value(), wanted.has_value());
    if (found)
      ASSERT_EQ(*found, *wanted);
    else
      ASSERT_EQ(found.error().code(), wanted.error().code());
    break;
  }
  case 4:
  case 5: {
    auto node = random.node();
    std::vector<work_quota> quotas;
    for (auto i = random.below(3); i > 0; --i)
      quotas.push_back({random.lane(), static_cast<uint32_t>(random.below(5))});
    auto now = random.now();
    ASSERT_EQ(testing::begin_claim(queue, node, quotas, now).get(),
              expected.claim(node, quotas, now));
    break;
  }
  case 6:
  case 7:
  case 8: {
    auto claims = expected.list({claimed});
    std::optional<work_view> one;
    if (!claims.empty())
      one = claims[random.below(claims.size())];
    auto what = last && random.one_in(5) ? *last : random.report(one);
    what.origin = random.one_in(2) ? expected.origin(what.id) : std::nullopt;
    auto now = random.now();
    ASSERT_EQ(testing::report(queue, what, now), expected.report(what, now));
    last = what;
    break;
  }
  case 9: {
    auto node = random.node();
    auto now = random.now();
    auto limit = 1 + random.limit();
    ASSERT_EQ(
      all_steps([&] { return *testing::give_back(queue, node, now, limit); }),
      expected.give_back(node, now));
    break;
  }
  case 10: {
    auto node = random.node();
    auto now = random.now();
    auto got = testing::claim_expired(queue, node, now, SIZE_MAX).value();
    std::sort(got.begin(), got.end(),
              [](auto& x, auto& y) { return x.item.id < y.item.id; });
    ASSERT_EQ(got, expected.claim_expired(node, now));
    break;
  }
  case 11: {
    if (random.one_in(20))
      random.skip_a_day();
    auto old = std::chrono::milliseconds{30};
    auto finished = random.now() - old;
    auto died = random.now() - old;
    auto now = random.now();
    auto limit = 1 + random.limit();
    ASSERT_EQ(all_steps([&] {
                return *testing::forget(queue, finished, died, now, limit);
              }),
              expected.forget(finished, died, now));
    break;
  }
  case 12: {
    auto which = random.selection({dead});
    auto now = random.now();
    auto expires = random.now();
    ASSERT_EQ(testing::redrive(queue, which, now, expires),
              expected.redrive(which, now, expires));
    break;
  }
  case 13: {
    auto which = random.selection({waiting, dead});
    ASSERT_EQ(testing::purge(queue, which), expected.purge(which));
    break;
  }
  case 14: {
    auto id = random.id();
    ASSERT_EQ(testing::find_work(queue, id).value(), expected.view(id));
    break;
  }
  case 15: {
    auto which = random.selection({waiting, claimed, dead});
    ASSERT_EQ(testing::list_work(queue, which).value(), expected.list(which));
    break;
  }
  case 16: {
    auto after = random.one_in(2) ? "" : random.lane();
    auto limit = random.below(5);
    ASSERT_EQ(testing::lanes(queue, after, limit),
              expected.lanes(after, limit));
    break;
  }
  default:
    ASSERT_EQ(testing::count_work(queue), expected.count());
    ASSERT_EQ(testing::claimants(queue), expected.claimants());
  }
}

template <class Kind>
class work_model_test : public ::testing::Test {};

TYPED_TEST_SUITE(work_model_test, work_kinds);

TYPED_TEST(work_model_test, answers_as_the_model_does) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  work_requests random{seed};
  TypeParam kind;
  work_model expected;
  std::optional<work_report> last;
  for (int i = 0; i < 3000 && !this->HasFatalFailure(); ++i)
    work_step(*kind.open().work(), expected, random, last);
}

} // namespace
} // namespace troupe
