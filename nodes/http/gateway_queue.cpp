// The path /queue, for operators: how much waits, what it is, and what to do with
// that which nobody could do.

#include "nodes/http/gateway.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/codec.hpp"
#include "actors/core/outside.hpp"
#include "actors/core/own_services.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/lane_search.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/work_report.hpp"

namespace troupe {

namespace {

/// What the store gets for its answer: it may have much to count.
constexpr std::chrono::milliseconds patience{30'000};

/// Of one request; who wants more asks again.
constexpr uint64_t limit_max = 1000;

work_state read_state(const std::string& text) {
  for (auto x : {work_state::waiting, work_state::claimed, work_state::dead})
    if (text == to_string(x))
      return x;
  refuse(errc::bad_request, "state is queued, running or dead_lettered");
}

invocation_id read_id(const std::string& text, const char* name) {
  auto id = parse_invocation_id(text);
  if (!id)
    refuse(errc::bad_request,
           std::string{name} + " is the id of an invocation: 32 digits");
  return *id;
}

void check_lane(const std::string& text) {
  if (!is_valid_lane(text))
    refuse(errc::bad_request,
           "lane is a function, a service and a slash (counter/), or scheme "
           "and host of a destination (https://example.org)");
}

/// `name=true`, which says more.
struct queue_flag {
  std::string_view name;
  bool& value;
};

/// @param flag may be there as well
work_selection read_selection(const http::request& x, work_state state,
                              queue_flag flag) {
  work_selection result;
  result.state = state;
  result.limit = 100;
  for (auto& [name, value] : query_of(x))
    if (name == "state")
      result.state = read_state(value);
    else if (name == "lane")
      check_lane(result.lane = value);
    else if (name == "id")
      result.id = read_id(value, "id");
    else if (name == "after")
      result.after = read_id(value, "after");
    else if (name == "limit")
      result.limit = read_number(value, "limit", limit_max);
    else if (name == flag.name && value == "true")
      flag.value = true;
    else
      refuse(errc::bad_request,
             "there is no parameter '" + name
               + "': there are state, lane, id, after, limit and "
               + std::string{flag.name} + "=true");
  return result;
}

/// What is to be changed: never all of it by mistake.
work_selection read_change(const http::request& x) {
  if (!x.body().empty())
    refuse(errc::bad_request, "this takes parameters, and no body");
  auto all = false;
  auto result = read_selection(x, work_state::dead, {"all", all});
  auto some = result.id || !result.lane.empty();
  if (all && some)
    refuse(errc::bad_request,
           "which is meant: all=true, or those of the id= or lane= that is "
           "there as well?");
  if (!all && !some)
    refuse(errc::bad_request, "say which: id=, lane= or all=true");
  return result;
}

constexpr auto is_of_the_node =
  "delete schedules, and cancel groups, in place of their work";

/// Dead letters may all go; what waits only by lane, and not that of what the
/// node brings along: its schedules and groups would stand still.
void check_purge(const work_selection& x) {
  if (x.state == work_state::claimed)
    refuse(errc::bad_request, "what is running cannot be purged");
  if (x.state != work_state::waiting || x.id)
    return;
  if (x.lane.empty())
    refuse(errc::bad_request, "what is queued is purged by id= or lane=");
  if (is_own_lane(x.lane))
    refuse(errc::bad_request, is_of_the_node);
}

std::string to_json(const work_count& x) {
  json result{{"lane", x.lane},
              {"queued", x.waiting},
              {"running", x.claimed},
              {"deadLettered", x.dead},
              {"oldest", nullptr}};
  if (x.oldest)
    result["oldest"] = to_rfc3339(*x.oldest);
  return dump_json(result);
}

/// A lane is there if something is in it, or if somebody would do what is in it.
/// Of hosts outside nobody knows, but that there is one with almost that name.
std::optional<error> no_such_lane(const route_table& routes,
                                  const std::vector<std::string>& others,
                                  const std::string& lane) {
  if (std::find(others.begin(), others.end(), lane) != others.end())
    return std::nullopt;
  auto is_outside = looks_outside(lane);
  if (!is_outside && !why_not_here(routes, true, lane))
    return std::nullopt;
  auto other = lane_like(routes, others, lane);
  if (is_outside && other.empty())
    return std::nullopt;
  return error{errc::not_found,
               "there is no lane '" + lane + "', and nothing in it"
                 + (other.empty() ? "" : "; is '" + other + "' meant?")};
}

template <class T>
std::string to_array(const std::vector<T>& all) {
  std::string result = "[";
  for (auto& x : all) {
    if (result.size() > 1)
      result += ',';
    result += to_json(x);
  }
  return result + ']';
}

} // namespace

void gateway::queue(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  auto what = path[1];
  if (path.count > 2)
    refuse(errc::not_found, "there are /queue, /queue/invocations, "
                            "/queue/redrive and /queue/purge");
  if (path.count == 1) {
    check_get(request);
    return count_queue(x);
  }
  if (what == "invocations") {
    check_get(request);
    return list_queue(x);
  }
  if (what != "redrive" && what != "purge")
    refuse(errc::not_found, "there are /queue, /queue/invocations, "
                            "/queue/redrive and /queue/purge");
  check_post(request);
  what == "redrive" ? redrive_queue(x) : purge_queue(x);
}

caf::intrusive_ptr<gateway::http_call>
gateway::begin_queue_call(http::exchange& x) {
  if (!host_.work->queue())
    refuse(errc::not_implemented, "this store has no queue");
  auto call = caf::make_counted<http_call>(payload{}, x);
  port_.prepare(*call, patience, read_call_headers(x.request(), *call));
  call->port = this;
  hold(x, *call);
  return call;
}

void gateway::count_queue(http::exchange& x) {
  auto internal = false;
  for (auto& [name, value] : query_of(x.request()))
    if (name == "internal" && value == "true")
      internal = true;
    else
      refuse(errc::bad_request, "this takes internal=true, and nothing else");
  auto call = begin_queue_call(x);
  using answer = std::vector<work_count>;
  auto then = [internal](gateway& me, http_call& call, expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    if (!internal)
      std::erase_if(*found, [](auto& lane) { return is_own_lane(lane.lane); });
    me.conclude(call,
                payload{"{\"lanes\":" + to_array(*found) + "}", json_type});
  };
  host_.work->queue()->count(come_back<answer>(*call, then));
}

void gateway::list_queue(http::exchange& x) {
  auto internal = false;
  auto which =
    read_selection(x.request(), work_state::waiting, {"internal", internal});
  internal |= which.id || !which.lane.empty();
  auto call = begin_queue_call(x);
  using answer = std::vector<work_view>;
  auto lane = which.id || which.after ? std::string{} : which.lane;
  auto then = [limit = which.limit, internal,
               lane](gateway& me, http_call& call, expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    if (found->empty() && !lane.empty())
      return me.conclude_nothing(call, lane,
                                 R"({"invocations":[],"next":null})");
    auto next = found->size() == limit
                  ? "\"" + to_string(found->back().id) + "\""
                  : std::string{"null"};
    if (!internal)
      std::erase_if(*found,
                    [](auto& x) { return is_own_lane(x.target.lane()); });
    for (auto& x : *found)
      me.host_.work->explain(x);
    me.conclude(call, payload{"{\"invocations\":" + to_array(*found)
                                + ",\"next\":" + next + "}",
                              json_type});
  };
  host_.work->queue()->list(which, come_back<answer>(*call, then));
}

void gateway::redrive_queue(http::exchange& x) {
  auto which = read_change(x.request());
  if (which.state != work_state::dead)
    refuse(errc::bad_request, "only what is dead_lettered can be redriven");
  auto call = begin_queue_call(x);
  auto now = host_.work->now();
  auto policy = host_.work->policy_of(which.lane);
  host_.work->queue()->redrive(
    which, now, now + policy->age_max,
    come_back<size_t>(*call, conclude_change(which)));
}

void gateway::purge_queue(http::exchange& x) {
  auto which = read_change(x.request());
  check_purge(which);
  auto call = begin_queue_call(x);
  if (!which.id || which.state != work_state::waiting)
    return purge(*call, which);
  using answer = std::optional<work_view>;
  auto then = [which](gateway& me, http_call& call, expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    if (*found && is_own_lane((*found)->target.lane()))
      return me.conclude(call, error{errc::bad_request, is_of_the_node});
    me.purge(call, which);
  };
  host_.work->queue()->find(*which.id, come_back<answer>(*call, then));
}

void gateway::purge(http_call& call, const work_selection& which) {
  host_.work->queue()->purge(which,
                             come_back<size_t>(call, conclude_change(which)));
}

gateway::count_conclusion
gateway::conclude_change(const work_selection& which) {
  return [lane = which.id ? std::string{} : which.lane](
           gateway& me, http_call& call, expected<size_t> count) {
    if (!count)
      return me.conclude(call, count.error());
    if (*count == 0 && !lane.empty())
      return me.conclude_nothing(call, lane, R"({"count":0})");
    me.conclude(
      call, payload{"{\"count\":" + std::to_string(*count) + "}", json_type});
  };
}

/// Nothing was found in the lane: maybe there is none.
void gateway::conclude_nothing(http_call& call, const std::string& lane,
                               const char* nothing) {
  using answer = std::vector<work_count>;
  auto then = [lane, nothing](gateway& me, http_call& call,
                              expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    std::vector<std::string> others;
    for (auto& x : *found)
      if (!is_own_lane(x.lane))
        others.push_back(x.lane);
    if (auto wrong = no_such_lane(me.port_.routes(), others, lane))
      return me.conclude(call, *wrong);
    me.conclude(call, payload{nothing, json_type});
  };
  host_.work->queue()->count(come_back<answer>(call, then));
}

} // namespace troupe
