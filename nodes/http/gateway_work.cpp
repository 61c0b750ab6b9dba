// Calls that are done later: `Prefer: respond-async` (RFC 7240) puts a call into
// the durable queue, and /invocations/{id} says what became of it.

#include "nodes/http/gateway.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "actors/core/codec.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/follow_up.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"
#include "nodes/http/work_report.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// What the store gets for its answer.
constexpr milliseconds patience{10'000};

/// Bytes that the fields of an answer to such a call take, and some.
constexpr size_t accepted_fields = 256;
constexpr size_t accepted_body = 48;

/// What has a meaning for a call that is answered now only.
void refuse_fields_of_calls(const http::request& x) {
  for (auto name : {"If-Match", "Troupe-Lock", "Troupe-Timeout-Ms"})
    if (x.field(name))
      refuse(errc::bad_request,
             std::string{name} + " has no meaning for a call that is queued");
}

uint8_t read_priority(const http::request& x) {
  auto text = single(x, "Troupe-Priority");
  if (!text)
    return work_priority_default;
  if (text->size() != 1 || text->front() < '0' || text->front() > '9')
    refuse(errc::bad_request,
           "Troupe-Priority is 0 to 9; higher ones come first");
  return static_cast<uint8_t>(text->front() - '0');
}

milliseconds read_delay(const http::request& x) {
  auto text = single(x, "Troupe-Delay-Ms");
  if (!text)
    return milliseconds{0};
  auto most = static_cast<uint64_t>(defaults::work::delay_max.count());
  return milliseconds{
    static_cast<int64_t>(read_number(*text, "Troupe-Delay-Ms", most))};
}

/// What followed an end that was `succeeded`, or not, by its policy.
std::vector<invocation_id> follow_ups_of(const invocation_id& source,
                                         bool succeeded,
                                         const work_policy& policy) {
  auto how = succeeded ? work_end::succeeded : work_end::failed;
  auto count = (succeeded ? policy.on_success : policy.on_failure).size();
  std::vector<invocation_id> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(follow_up_id(source, how, i));
  return result;
}

} // namespace

/// One piece of work, and what its end has called, or the group that it began.
gateway::followed gateway::see(work_view work) const {
  host_.work->explain(work);
  followed result{to_json(work)};
  auto succeeded = work.state == work_state::succeeded;
  if (!succeeded && work.state != work_state::failed)
    return result;
  auto policy = host_.work->policy_of(work.target.lane());
  if (succeeded && policy->join)
    result.text.insert(result.text.size() - 1,
                       ",\"group\":\"" + to_string(work.id) + "\"");
  else
    result.missing = follow_ups_of(work.id, succeeded, *policy);
  std::reverse(result.missing.begin(), result.missing.end());
  return result;
}

void gateway::queue_function_call(http::exchange& x,
                                  const function_name& name) {
  auto target = port_.function(name.name(), name.qualifier());
  if (!target)
    throw error_exception{target.error()};
  check_callable(**target, name.name());
  work_request request;
  request.item.target.name = name.name();
  request.item.target.qualifier = name.qualifier();
  request.item.routing_key = read_routing_key(x.request());
  queue_call(x, std::move(request));
}

void gateway::queue_entity_call(http::exchange& x, call_target&,
                                const entity_call& to) {
  if (to.operation != entity_operation::call)
    refuse(errc::bad_request, "only calls of methods can be queued");
  if (x.request().field("Troupe-Key"))
    refuse(errc::bad_request, "Troupe-Key needs a call of a function");
  work_request request;
  request.item.target = {to.service, {}, to.key, to.method};
  check_target(request.item.target);
  queue_call(x, std::move(request));
}

void gateway::queue_call(http::exchange& x, work_request request) {
  auto& from = x.request();
  refuse_fields_of_calls(from);
  auto now = host_.work->now();
  auto& item = request.item;
  item.id = work_ids_.next(now);
  item.priority = read_priority(from);
  if (auto delay = read_delay(from); delay.count() > 0)
    item.due = now + delay;
  item.trace = read_trace(from);
  request.idempotency_key = read_idempotency_key(from);
  auto type = from.field("Content-Type");
  item.arguments = {std::move(from.body()),
                    std::string{type.value_or("application/octet-stream")}};
  auto call = caf::make_counted<http_call>(payload{}, x);
  port_.prepare(*call, patience, std::nullopt);
  call->port = this;
  call->answer.status = status_accepted;
  hold(x, *call);
  auto then = [](gateway& me, http_call& call, expected<work_accepted> what) {
    if (!what)
      return me.conclude(call, what.error());
    me.begin_accepted();
    call.id = what->id;
    std::string body;
    body.reserve(accepted_body);
    body += R"({"id":")";
    append(body, what->id);
    body += "\"}";
    call.answer.fields.reserve(accepted_fields);
    call.answer.fields += "Location: /invocations/";
    append(call.answer.fields, what->id);
    call.answer.fields += "\r\n";
    call.answer.add("Preference-Applied", "respond-async");
    me.conclude(call, payload{std::move(body), json_type});
  };
  if (port_.environment().lend)
    request.home = way_back_;
  // What comes together becomes durable together.
  turn_.put_off(
    [queue = host_.work,
     what = std::make_shared<work_request>(std::move(request)),
     done = come_back<work_accepted>(*call, then)](lender&) mutable {
      queue->accept(std::move(what), std::move(done));
    });
}

void gateway::begin_accepted() {
  if (std::exchange(begins_, true))
    return;
  turn_.put_off([this](lender& here) {
    begins_ = false;
    if (!starter_)
      starter_.emplace(*host_.work, port_.system(), way_back_);
    starter_->begin_waiting(&here);
  });
}

void gateway::invocations(http::exchange& x, const path_view& path) {
  auto shows_call = path.count == 3 && path[2] == "call";
  if (path.count != 2 && !shows_call)
    refuse(errc::not_found,
           "there are /invocations/{id} and /invocations/{id}/call");
  auto& request = x.request();
  check_get(request);
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  auto id = parse_invocation_id(decode(path[1]));
  auto queue = host_.work->queue();
  if (!id || !queue)
    refuse(errc::not_found, "no queued invocation has this id");
  auto call = caf::make_counted<http_call>(payload{}, x);
  port_.prepare(*call, patience, read_call_headers(request, *call));
  call->port = this;
  hold(x, *call);
  if (shows_call)
    return show_queued_call(*call, *queue, *id);
  auto then = [](gateway& me, http_call& call,
                 expected<std::optional<work_view>> found) {
    if (!found)
      me.conclude(call, found.error());
    else if (!*found)
      me.conclude(call,
                  error{errc::not_found, "no queued invocation has this id"});
    else
      me.find_follow_ups(
        call, std::make_shared<followed>(me.see(std::move(**found))));
  };
  queue->find(*id, come_back<std::optional<work_view>>(*call, then));
}

void gateway::show_queued_call(http_call& call, work_queue& queue,
                               invocation_id id) {
  using answer = std::optional<work_item>;
  auto then = [](gateway& me, http_call& call, expected<answer> found) {
    if (!found)
      me.conclude(call, found.error());
    else if (!*found)
      me.conclude(call, error{errc::not_found,
                              "no invocation that is queued, runs or is a dead "
                              "letter has this id"});
    else
      me.conclude(call, payload{troupe::to_json(**found), json_type});
  };
  queue.item(id, come_back<answer>(call, then));
}

std::string gateway::followed::to_json() const {
  if (found.empty())
    return text;
  auto list = json::array();
  for (auto& x : found)
    list.push_back({{"id", troupe::to_string(x.id)},
                    {"target", troupe::to_string(x.target)},
                    {"state", troupe::to_string(x.state)}});
  auto result = text;
  result.insert(result.size() - 1, ",\"followUps\":" + dump_json(list));
  return result;
}

void gateway::find_follow_ups(http_call& call, std::shared_ptr<followed> what) {
  if (what->missing.empty())
    return conclude(call, payload{what->to_json(), json_type});
  using answer = std::optional<work_view>;
  auto next = what->missing.back();
  what->missing.pop_back();
  auto then = [what](gateway& me, http_call& call, expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    if (*found)
      what->found.push_back(std::move(**found));
    me.find_follow_ups(call, what);
  };
  host_.work->queue()->find(next, come_back<answer>(call, then));
}

} // namespace troupe
