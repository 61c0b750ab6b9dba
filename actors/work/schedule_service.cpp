#include "actors/work/schedule_service.hpp"

#include <algorithm>

#include "actors/core/defaults.hpp"
#include "actors/model/rfc3339.hpp"

namespace troupe {

namespace {

using std::chrono::seconds;
using time_point = schedule::time_point;

constexpr auto reminder_name = "fire";

/// Firings that `show` looks ahead.
constexpr size_t shown = 5;

/// A reminder that did not come for so long may never come.
constexpr seconds late_after{60};

/// Firings that are sent with one commit.
constexpr size_t fired_at_once = 100;

time_point now_of(const context& ctx) {
  return std::chrono::floor<seconds>(ctx.now());
}

json time_json(const std::optional<time_point>& x) {
  return x ? json(to_rfc3339(*x)) : json{};
}

json stored(const std::optional<time_point>& x) {
  return x ? json(x->time_since_epoch().count()) : json{};
}

std::optional<time_point> read_time(const json& x) {
  if (x.is_null())
    return std::nullopt;
  return time_point{seconds{x.get<int64_t>()}};
}

} // namespace

// -- what it keeps -----------------------------------------------------------

void to_json(json& to, const schedule_entity& from) {
  if (!from.exists()) {
    to = json::object();
    return;
  }
  to = {{"spec", from.spec_},         {"start", stored(from.start_)},
        {"seen", stored(from.seen_)}, {"next", stored(from.next_)},
        {"last", stored(from.last_)}, {"fired", from.fired_},
        {"paused", from.paused_}};
  if (from.skipped_ > 0)
    to["skipped"] = from.skipped_;
  if (!from.last_call_.empty())
    to["call"] = from.last_call_;
  if (from.last_failure_) {
    to["failed"] = from.failed_;
    to["failure"] = *from.last_failure_;
  }
}

void from_json(const json& from, schedule_entity& to) {
  if (from.empty())
    return;
  from.at("spec").get_to(to.spec_);
  to.start_ = read_time(from.at("start")).value();
  to.seen_ = read_time(from.at("seen")).value();
  to.next_ = read_time(from.at("next"));
  to.last_ = read_time(from.at("last"));
  from.at("fired").get_to(to.fired_);
  from.at("paused").get_to(to.paused_);
  to.skipped_ = from.value("skipped", uint64_t{0});
  to.last_call_ = from.value("call", std::string{});
  to.failed_ = from.value("failed", uint64_t{0});
  to.last_failure_.reset();
  if (auto failure = from.find("failure"); failure != from.end())
    to.last_failure_ = failure->get<schedule_failure>();
}

json schedule_entity::summary() const {
  json result = spec_;
  result["paused"] = paused_;
  result["next"] = time_json(next_);
  result["last"] = time_json(last_);
  if (!last_call_.empty())
    result["lastCall"] = last_call_;
  result["fired"] = fired_;
  result["skipped"] = skipped_;
  result["failed"] = failed_;
  if (last_failure_)
    result["lastFailure"] = *last_failure_;
  return result;
}

schedule_glance schedule_entity::glance() const noexcept {
  return {paused_, next_, fired_, skipped_};
}

schedule_glance glance_at_schedule(std::string_view state) {
  schedule_entity read{nullptr};
  from_json(parse_json(state), read);
  return read.glance();
}

json schedule_summary(const std::string& name, std::string_view state) {
  schedule_entity read{nullptr};
  from_json(parse_json(state), read);
  auto result = read.summary();
  result["name"] = name;
  return result;
}

// -- methods -----------------------------------------------------------------

void schedule_entity::check_exists(const context& ctx) const {
  if (!exists())
    throw error_exception{{errc::not_found, "there is no schedule '"
                                              + std::string{ctx.key()} + "'"}};
}

schedule schedule_entity::parse(const schedule_spec& spec,
                                time_point start) const {
  auto zone = (*zones_)(spec.zone);
  if (!zone)
    throw error_exception{{errc::bad_request, zone.reason()}};
  auto result = parse_schedule(spec.expression, {*zone, start});
  if (!result)
    throw error_exception{{errc::bad_request, result.reason()}};
  return *result;
}

void schedule_entity::plan(context& ctx, const schedule& what) {
  next_ = what.next_after(seen_);
  if (next_)
    ctx.remind(reminder_name, *next_, &schedule_entity::fire);
  else
    ctx.forget(reminder_name);
}

json schedule_entity::put(context& ctx, schedule_spec spec) {
  auto now = now_of(ctx);
  if (exists() && spec == spec_) {
    // Its reminder may have been purged, or be a dead letter.
    if (next_ && *next_ + late_after < now)
      plan(ctx, parse(spec_, start_));
    return show(ctx);
  }
  auto what = parse(spec, now);
  if (!what.next_after(now))
    throw error_exception{
      {errc::bad_request, "'" + spec.expression + "' has passed"}};
  spec_ = std::move(spec);
  start_ = seen_ = now;
  paused_ = false;
  plan(ctx, what);
  return show(ctx);
}

json schedule_entity::pause(context& ctx) {
  check_exists(ctx);
  paused_ = true;
  next_.reset();
  ctx.forget(reminder_name);
  return show(ctx);
}

json schedule_entity::resume(context& ctx) {
  check_exists(ctx);
  if (paused_) {
    paused_ = false;
    seen_ = std::max(seen_, now_of(ctx));
    plan(ctx, parse(spec_, start_));
  }
  return show(ctx);
}

void schedule_entity::remove(context& ctx) {
  check_exists(ctx);
  ctx.erase();
}

json schedule_entity::show(context& ctx) const {
  check_exists(ctx);
  auto result = summary();
  result["name"] = ctx.key();
  auto firings = json::array();
  if (next_) {
    auto what = parse(spec_, start_);
    auto due = next_;
    for (; due && firings.size() < shown; due = what.next_after(*due))
      firings.push_back(to_rfc3339(*due));
  }
  result["nextFirings"] = std::move(firings);
  return result;
}

// -- firing ------------------------------------------------------------------

void schedule_entity::fire(context& ctx) {
  if (!next_)
    return; // paused
  auto what = parse(spec_, start_);
  // By the clock of whoever brought the reminder it is due: this node's may be a
  // little behind.
  auto now = std::max(now_of(ctx), *next_);
  catch_up_options options;
  options.missed = spec_.missed;
  options.most = std::min(fired_at_once, defaults::service::sent_bytes
                                           / (spec_.input.size() + 1));
  auto due = firings_to_run(what, seen_, now, options);
  for (auto time : due.run)
    send(ctx, time);
  seen_ = due.seen;
  skipped_ += due.skipped;
  plan(ctx, what);
}

void schedule_entity::send(context& ctx, time_point due) {
  work_request next;
  next.item.target = spec_.target;
  next.item.arguments = {spec_.input,
                         spec_.input.empty() ? "" : "application/json"};
  next.item.trace = ctx.trace();
  next.item.notes = schedule_notes(ctx.key());
  next.item.priority = spec_.priority;
  next.item.due = ctx.now();
  next.idempotency_key =
    "schedule/" + std::string{ctx.key()} + "/" + to_rfc3339(due);
  next.fingerprint = fingerprint_of(next.item);
  last_call_ = to_string(ctx.host().send(std::move(next)));
  last_ = due;
  ++fired_;
}

void schedule_entity::failed(context&, schedule_failure what) {
  if (!exists())
    return; // deleted meanwhile
  ++failed_;
  last_failure_ = std::move(what);
}

// -- the service -------------------------------------------------------------

module schedules_module(zone_source zones) {
  auto kept = std::make_shared<const zone_source>(std::move(zones));
  module m;
  m.service<schedule_entity>(std::string{schedules_service},
                             [kept] { return schedule_entity{kept.get()}; })
    .method("put", &schedule_entity::put)
    .method("pause", &schedule_entity::pause)
    .method("resume", &schedule_entity::resume)
    .method("remove", &schedule_entity::remove)
    .method("show", &schedule_entity::show)
    .method("fire", &schedule_entity::fire)
    .method("failed", &schedule_entity::failed);
  return m;
}

} // namespace troupe
