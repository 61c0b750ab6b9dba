// The path /queue, for operators: how much waits, what it is, and what to do with
// that which nobody could do.

#include "nodes/http/gateway.hpp"

#include <utility>

#include "actors/core/codec.hpp"
#include "actors/core/outside.hpp"
#include "actors/messages/subscription_book.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/group_service.hpp"
#include "actors/work/schedule_service.hpp"
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

/// @param all may be asked for if it is not null
work_selection read_selection(const http::request& x, work_state state,
                              bool* all = nullptr) {
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
    else if (all && name == "all" && value == "true")
      *all = true;
    else
      refuse(errc::bad_request,
             "there is no parameter '" + name
               + "': there are state, lane, id, after and limit");
  return result;
}

/// What is to be changed: never all of it by mistake.
work_selection read_change(const http::request& x) {
  if (!x.body().empty())
    refuse(errc::bad_request, "this takes parameters, and no body");
  auto all = false;
  auto result = read_selection(x, work_state::dead, &all);
  if (all == (result.id || !result.lane.empty()))
    refuse(errc::bad_request, "say which: id=, lane= or all=true");
  return result;
}

/// Of what the node brings along: its schedules and groups would stand still.
bool is_own_lane(std::string_view lane) {
  for (auto service :
       {schedules_service, groups_service, subscriptions_service})
    if (lane == std::string{service} + "/")
      return true;
  return false;
}

/// Dead letters may all go; what waits only by lane.
void check_purge(const work_selection& x) {
  if (x.state == work_state::claimed)
    refuse(errc::bad_request, "what is running cannot be purged");
  if (x.state != work_state::waiting || x.id)
    return;
  if (x.lane.empty())
    refuse(errc::bad_request, "what is queued is purged by id= or lane=");
  if (is_own_lane(x.lane))
    refuse(errc::bad_request, "delete schedules, and cancel groups, in place "
                              "of their work");
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
  if (!x.request().query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  auto call = begin_queue_call(x);
  using answer = std::vector<work_count>;
  auto then = [](gateway& me, http_call& call, expected<answer> found) {
    if (found)
      me.conclude(call,
                  payload{"{\"lanes\":" + to_array(*found) + "}", json_type});
    else
      me.conclude(call, found.error());
  };
  host_.work->queue()->count(come_back<answer>(*call, then));
}

void gateway::list_queue(http::exchange& x) {
  auto which = read_selection(x.request(), work_state::waiting);
  auto call = begin_queue_call(x);
  using answer = std::vector<work_view>;
  auto then = [limit = which.limit](gateway& me, http_call& call,
                                    expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    auto next = found->size() == limit
                  ? "\"" + to_string(found->back().id) + "\""
                  : std::string{"null"};
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
  host_.work->queue()->redrive(which, now, now + policy.age_max,
                               come_back<size_t>(*call, conclude_count));
}

void gateway::purge_queue(http::exchange& x) {
  auto which = read_change(x.request());
  check_purge(which);
  auto call = begin_queue_call(x);
  host_.work->queue()->purge(which, come_back<size_t>(*call, conclude_count));
}

void gateway::conclude_count(gateway& me, http_call& call,
                             expected<size_t> count) {
  if (count)
    me.conclude(
      call, payload{"{\"count\":" + std::to_string(*count) + "}", json_type});
  else
    me.conclude(call, count.error());
}

} // namespace troupe
