#include "actors/work/group_service.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "actors/core/base64.hpp"
#include "actors/core/codec.hpp"
#include "actors/core/json_pieces.hpp"
#include "actors/core/kept_event.hpp"
#include "actors/core/work_id.hpp"
#include "actors/model/fingerprint.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/work/follow_up.hpp"
#include "actors/work/group_work.hpp"

namespace troupe {

namespace {

constexpr auto reminder_name = "next";
constexpr auto json_type = "application/json";

/// An arrival, or a list of results, is so much deeper than a result.
constexpr size_t arrival_depth = json_depth_max + 2;

/// Of a group.
std::string_view to_string(group_state x) noexcept {
  switch (x) {
  case group_state::running:
    return "running";
  case group_state::succeeded:
    return "succeeded";
  case group_state::failed:
    return "failed";
  case group_state::cancelled:
    return "cancelled";
  }
  return "unknown";
}

/// Of one of its calls. Whether it has begun when its group ends is known to the
/// queue alone: nobody is to take it for one that had no effect.
std::string_view call_state(group_state x) noexcept {
  switch (x) {
  case group_state::running:
    return "waiting";
  case group_state::cancelled:
    return "abandoned";
  case group_state::succeeded:
  case group_state::failed:
    break;
  }
  return to_string(x);
}

error no_group(const std::string& id) {
  return {errc::not_found, "there is no group '" + id + "'"};
}

std::string short_name(const payload& x) {
  auto bytes = fingerprint({x.bytes});
  invocation_id id;
  std::memcpy(&id.high, bytes.data(), sizeof(id.high));
  std::memcpy(&id.low, bytes.data() + sizeof(id.high), sizeof(id.low));
  return to_string(id);
}

std::string time_text(work_time x) {
  return to_rfc3339(std::chrono::floor<std::chrono::seconds>(x));
}

work_time read_time(const json& x) {
  return work_time{std::chrono::milliseconds{x.get<int64_t>()}};
}

std::vector<std::string> texts_of(const std::vector<work_target>& all) {
  std::vector<std::string> result;
  for (auto& x : all)
    result.push_back(to_string(x));
  return result;
}

/// What a call tells.
struct told {
  uint64_t call = 0;
  std::string_view result{};
  std::string_view base64{};
  std::string_view content_type{};
  std::string_view error{};
};

told parse_told(std::string_view text) {
  told x;
  check_json(text, arrival_depth);
  for (auto& [name, value] : members_of(text))
    if (name == "\"call\"")
      x.call = parse_json(value).get<uint64_t>();
    else if (name == "\"result\"")
      x.result = value;
    else if (name == "\"resultBase64\"")
      x.base64 = value;
    else if (name == "\"contentType\"")
      x.content_type = value;
    else if (name == "\"error\"")
      x.error = value;
  return x;
}

std::string wrapped(const told& x) {
  return "{\"base64\":" + std::string{x.base64}
         + ",\"contentType\":" + std::string{x.content_type} + "}";
}

payload unwrapped(const std::string& answer) {
  auto parts = parse_json(answer);
  auto bytes = from_base64(parts.at("base64").get<std::string>());
  return {bytes.value_or(""), parts.at("contentType").get<std::string>()};
}

} // namespace

// -- what it keeps -----------------------------------------------------------

void to_json(json& to, const group_entity& from) {
  to = json::object();
  if (!from.exists())
    return;
  to = {{"fingerprint", from.fingerprint_},
        {"join", to_string(from.join_)},
        {"then", from.then_},
        {"onFailure", from.on_failure_},
        {"priority", from.priority_},
        {"steps", from.steps_},
        {"made", from.made_.time_since_epoch().count()},
        {"state", static_cast<int>(from.state_)}};
  if (from.ended_)
    to["ended"] = from.ended_->time_since_epoch().count();
  if (!from.error_.empty())
    to["error"] = from.error_;
  if (!from.followed_by_.empty())
    to["followedBy"] = from.followed_by_;
  auto& calls = to["calls"] = json::array();
  for (auto& x : from.calls_)
    calls.push_back(
      {x.target, x.id, static_cast<int>(x.state), x.answer, x.is_wrapped});
}

void from_json(const json& from, group_entity& to) {
  if (from.empty())
    return;
  from.at("fingerprint").get_to(to.fingerprint_);
  to.join_ = parse_group_join(from.at("join").get<std::string>()).value();
  from.at("then").get_to(to.then_);
  from.at("onFailure").get_to(to.on_failure_);
  from.at("priority").get_to(to.priority_);
  from.at("steps").get_to(to.steps_);
  to.made_ = read_time(from.at("made"));
  to.state_ = static_cast<group_state>(from.at("state").get<int>());
  to.ended_.reset();
  if (auto ended = from.find("ended"); ended != from.end())
    to.ended_ = read_time(*ended);
  to.error_ = from.value("error", "");
  to.followed_by_ = from.value("followedBy", std::vector<std::string>{});
  to.calls_.clear();
  for (auto& x : from.at("calls"))
    to.calls_.push_back({x.at(0).get<std::string>(), x.at(1).get<std::string>(),
                         static_cast<group_state>(x.at(2).get<int>()),
                         x.at(3).get<std::string>(), x.at(4).get<bool>()});
}

size_t group_entity::count(group_state x) const {
  return static_cast<size_t>(std::count_if(
    calls_.begin(), calls_.end(), [x](const call& y) { return y.state == x; }));
}

json group_entity::summary() const {
  json result{{"state", to_string(state_)},
              {"join", to_string(join_)},
              {"then", then_},
              {"onFailure", on_failure_},
              {"priority", priority_},
              {"createdAt", time_text(made_)},
              {"waiting", count(group_state::running)},
              {"succeeded", count(group_state::succeeded)},
              {"failed", count(group_state::failed)},
              {"abandoned", count(group_state::cancelled)}};
  if (ended_)
    result["finishedAt"] = time_text(*ended_);
  if (!error_.empty())
    result["error"] = json::parse(error_, nullptr, false);
  if (!followed_by_.empty())
    result["followedBy"] = followed_by_;
  return result;
}

json group_summary(const std::string& id, std::string_view state) {
  group_entity read{nullptr};
  from_json(parse_json(state), read);
  auto result = read.summary();
  result["id"] = id;
  return result;
}

expected<shown_group> show_group(const std::string& id,
                                 std::string_view state) try {
  group_entity read{nullptr};
  if (!state.empty())
    from_json(parse_json(state), read);
  if (!read.exists())
    return no_group(id);
  shown_group result{read.text(id), {}};
  for (auto& x : read.followed_by())
    result.followed_by.push_back(parse_invocation_id(x).value());
  return result;
} catch (const std::exception& e) {
  return error{errc::internal_error, effect::none,
               "what is stored of the group '" + id
                 + "' cannot be read: " + std::string{plain_text(e)}};
}

// -- methods -----------------------------------------------------------------

void group_entity::check_exists(const context& ctx) const {
  if (!exists())
    throw error_exception{no_group(std::string{ctx.key()})};
}

payload group_entity::begin(context& ctx, payload spec) {
  auto name = short_name(spec);
  if (exists() && name != fingerprint_)
    throw error_exception{
      {errc::idempotency_conflict,
       "there is another group '" + std::string{ctx.key()} + "'"}};
  payload answer{dump_json({{"id", ctx.key()}}), json_type};
  if (exists())
    return answer;
  auto what = group_spec::parse(spec.bytes);
  fingerprint_ = std::move(name);
  join_ = what.join;
  then_ = texts_of(what.then);
  on_failure_ = texts_of(what.on_failure);
  priority_ = what.priority;
  steps_ = what.steps;
  made_ = ctx.now();
  for (auto& x : what.calls) {
    group_member member{std::string{ctx.key()},
                        static_cast<uint32_t>(calls_.size())};
    auto text = to_string(x.target);
    work_request next;
    next.item.target = std::move(x.target);
    next.item.arguments = std::move(x.arguments);
    next.item.routing_key = std::move(x.routing_key);
    next.item.trace = ctx.trace();
    next.item.notes = notes_of(member, steps_ + 1);
    next.item.priority = priority_;
    auto id = ctx.host().send(std::move(next));
    calls_.push_back({std::move(text), to_string(id)});
  }
  ctx.remind(reminder_name, what.timeout, &group_entity::expire);
  return answer;
}

void group_entity::arrived(context& ctx, payload what) {
  auto said = parse_told(what.bytes);
  if (said.call >= calls_.size())
    return;
  auto& x = calls_[said.call];
  if (!is_running())
    return note_late(x, !said.error.empty(), said.error);
  if (x.state != group_state::running)
    return;
  if (said.error.empty()) {
    x.is_wrapped = said.result.empty();
    x.answer = x.is_wrapped ? wrapped(said) : std::string{said.result};
    return succeed(ctx, x);
  }
  x.state = group_state::failed;
  x.answer = said.error;
  if (join_ == group_join::all || count(group_state::running) == 0)
    fail(ctx, x.answer);
}

/// It had begun when the group ended. Its result can be had of itself.
void group_entity::note_late(call& x, bool failed, std::string_view error) {
  if (x.state != group_state::cancelled)
    return;
  x.state = failed ? group_state::failed : group_state::succeeded;
  if (failed)
    x.answer = error;
}

payload group_entity::cancel(context& ctx) {
  check_exists(ctx);
  if (is_running())
    end(ctx, group_state::cancelled);
  return show(ctx);
}

void group_entity::expire(context& ctx) {
  if (!is_running())
    return;
  error why{errc::deadline_exceeded, effect::unknown,
            std::to_string(count(group_state::running)) + " of its "
              + std::to_string(calls_.size())
              + " calls have not ended in time"};
  fail(ctx, why.to_json());
}

void group_entity::go(context& ctx) {
  if (!is_running())
    ctx.erase();
}

// -- how it ends -------------------------------------------------------------

void group_entity::succeed(context& ctx, call& x) {
  x.state = group_state::succeeded;
  if (join_ == group_join::any) {
    auto result =
      x.is_wrapped ? unwrapped(x.answer) : payload{x.answer, json_type};
    end(ctx, group_state::succeeded);
    return tell(ctx, then_, result);
  }
  size_t bytes = 2;
  for (auto& y : calls_)
    bytes += y.answer.size() + 1;
  if (bytes > defaults::work::payload_max) {
    x.state = group_state::failed;
    error why{errc::payload_too_large, effect::ran,
              "the results of its calls have more than "
                + std::to_string(defaults::work::payload_max)
                + " bytes in all"};
    x.answer = why.to_json();
    return fail(ctx, x.answer);
  }
  if (count(group_state::succeeded) < calls_.size())
    return;
  end(ctx, group_state::succeeded);
  tell(ctx, then_, all_results());
}

void group_entity::fail(context& ctx, const std::string& reason) {
  error_ = reason;
  end(ctx, group_state::failed);
  if (!on_failure_.empty())
    tell(ctx, on_failure_, failure_notice(ctx));
}

void group_entity::end(context& ctx, group_state how) {
  state_ = how;
  ended_ = ctx.now();
  for (auto& x : calls_)
    if (x.state == group_state::running) {
      x.state = group_state::cancelled;
      ctx.withdraw(parse_invocation_id(x.id).value());
    }
  auto is_untold = how == group_state::failed && on_failure_.empty();
  auto keep = is_untold ? options_->keep_failed : options_->keep;
  ctx.remind(reminder_name, std::min(keep, defaults::work::delay_max),
             &group_entity::go);
}

void group_entity::tell(context& ctx, const std::vector<std::string>& targets,
                        const payload& what) {
  for (auto& x : targets) {
    work_request next;
    next.item.target = parse_group_destination(x);
    next.item.arguments = what;
    next.item.trace = ctx.trace();
    next.item.notes =
      dump_json({{"steps", steps_ + 2}, {"followsGroup", ctx.key()}});
    next.item.priority = priority_;
    if (next.item.target.is_outside())
      keep_event(next.item, event_of_end(ctx));
    followed_by_.push_back(to_string(ctx.host().send(std::move(next))));
  }
}

cloud_event group_entity::event_of_end(const context& ctx) const {
  cloud_event result;
  result.id = ctx.key();
  result.source = "/groups";
  result.type = "troupe.group." + std::string{to_string(state_)};
  result.time = time_text(*ended_);
  return result;
}

payload group_entity::all_results() const {
  std::string result = "[";
  for (auto& x : calls_) {
    if (result.size() > 1)
      result += ',';
    result += x.answer;
  }
  return {result + "]", json_type};
}

payload group_entity::failure_notice(const context& ctx) const {
  std::string result =
    "{\"id\":" + dump_json(json(ctx.key())) + ",\"error\":" + error_ + ",";
  append_calls(result, false);
  return {result + "}", json_type};
}

// -- what it shows -----------------------------------------------------------

payload group_entity::show(context& ctx) const {
  check_exists(ctx);
  return {text(ctx.key()), json_type};
}

std::string group_entity::text(std::string_view id) const {
  auto about = summary();
  about["id"] = id;
  auto result = dump_json(about);
  result.back() = ',';
  append_calls(result, true);
  return result + "}";
}

void group_entity::append_calls(std::string& to, bool with_results) const {
  to += "\"calls\":[";
  for (auto& x : calls_) {
    if (to.back() != '[')
      to += ',';
    to += "{\"target\":" + dump_json(json(x.target)) + ",\"id\":\"" + x.id
          + "\",\"state\":\"";
    to.append(call_state(x.state)).append("\"");
    if (x.state == group_state::failed)
      to.append(",\"error\":").append(x.answer);
    if (x.state == group_state::succeeded && with_results && !x.answer.empty())
      to.append(",\"result\":").append(x.answer);
    to += '}';
  }
  to += ']';
}

// -- the service -------------------------------------------------------------

module groups_module(group_options options) {
  auto kept = std::make_shared<const group_options>(options);
  module m;
  m.service<group_entity>(std::string{groups_service},
                          [kept] { return group_entity{kept.get()}; })
    .method("begin", &group_entity::begin)
    .method("arrived", &group_entity::arrived)
    .method("cancel", &group_entity::cancel)
    .method("show", &group_entity::show)
    .method("expire", &group_entity::expire)
    .method("go", &group_entity::go);
  return m;
}

} // namespace troupe
