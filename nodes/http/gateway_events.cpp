// POST /events: CloudEvents, in headers and body, as JSON, or many of them as an
// array. Every rule that takes an event makes a call of it, which is queued; all
// calls of a request become durable together, or none does.

#include "nodes/http/gateway.hpp"

#include <memory>
#include <utility>

#include "actors/core/cloud_event_json.hpp"
#include "actors/core/defaults.hpp"
#include "actors/messages/cloud_event_http.hpp"
#include "actors/messages/event_router.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/http/gateway_parts.hpp"

namespace troupe {

namespace {

/// Of one request: a transaction that takes a part of a second.
constexpr size_t events_max = 1000;
constexpr size_t calls_max = 1000;

/// What the store gets for its answer.
constexpr std::chrono::milliseconds patience{10'000};

constexpr std::string_view prefix = "ce-";

/// What has a meaning for a call whose target is known.
void refuse_fields_of_calls(const http::request& x) {
  for (auto name : {"If-Match", "Troupe-Lock", "Troupe-Timeout-Ms",
                    "Troupe-Key", "Troupe-Priority", "Troupe-Delay-Ms"})
    if (x.field(name))
      refuse(errc::bad_request,
             std::string{name} + " has no meaning for an event");
  if (x.field("Idempotency-Key"))
    refuse(errc::bad_request,
           "Idempotency-Key has no meaning for an event: it is known by its "
           "source and id");
}

header_list event_headers(const http::request& x) {
  header_list result;
  for (size_t i = 0; i < x.field_count(); ++i)
    if (auto [name, value] = x.field_at(i);
        http::same_name(name.substr(0, prefix.size()), prefix))
      result.emplace_back(name, value);
  return result;
}

template <class T>
T value_of(expected<T> x) {
  if (!x)
    throw error_exception{x.error()};
  return std::move(*x);
}

std::vector<cloud_event> read_events(http::request& from) {
  auto type = single(from, "Content-Type").value_or("");
  std::vector<cloud_event> result;
  switch (value_of(event_mode_of(type))) {
  case event_mode::binary:
    result.push_back(value_of(
      read_binary_event(event_headers(from), type, std::move(from.body()))));
    break;
  case event_mode::structured:
    result.push_back(value_of(read_event(from.body())));
    break;
  case event_mode::batch:
    return value_of(read_event_batch(from.body(), events_max));
  }
  return result;
}

/// Counts calls once they are accepted.
void count(event_router& rules, const std::vector<size_t>& made_by,
           const expected<std::vector<work_accepted>>& what) {
  for (size_t i = 0; what && i < made_by.size(); ++i) {
    auto& counts = rules.counts(made_by[i]);
    auto& which = (*what)[i].is_new ? counts.accepted : counts.repeated;
    which.fetch_add(1, std::memory_order_relaxed);
  }
}

/// Accepts `calls` together; one alone may begin at once.
void accept(dispatcher& queue, std::vector<work_request> calls,
            dispatcher::callback<std::vector<work_accepted>> done) {
  if (calls.size() > 1)
    return queue.accept_all(std::move(calls), std::move(done));
  queue.accept(std::move(calls.front()),
               [done = std::move(done)](expected<work_accepted> what) {
                 if (what)
                   done(std::vector{*what});
                 else
                   done(what.error());
               });
}

} // namespace

void gateway::events(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  if (path.count != 1)
    refuse(errc::not_found, "the path is /events");
  check_post(request);
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  refuse_fields_of_calls(request);
  static_cast<void>(single(request, "traceparent"));
  auto trace = read_trace(request);
  std::vector<work_request> calls;
  std::vector<size_t> made_by;
  auto now = host_.work->now();
  for (auto& event : read_events(request))
    for (auto& [rule, call] : value_of(host_.events->route(event))) {
      if (!call.item.target.is_outside())
        check_target(call.item.target);
      call.item.id = work_ids_.next(now);
      if (call.item.trace.empty())
        call.item.trace = trace;
      made_by.push_back(rule);
      calls.push_back(std::move(call));
    }
  if (calls.size() > calls_max)
    refuse(errc::payload_too_large,
           "the events of a request make 1000 calls at most");
  if (calls.empty()) // of a batch that is
    return x.respond(http::response{status_accepted});
  queue_events(x, std::move(calls), std::move(made_by));
}

void gateway::queue_events(http::exchange& x, std::vector<work_request> calls,
                           std::vector<size_t> made_by) {
  using answer = std::vector<work_accepted>;
  auto call = caf::make_counted<http_call>(payload{}, x);
  port_.prepare(*call, patience, std::nullopt);
  call->port = this;
  call->answer.status = status_accepted;
  call->has_body = false;
  hold(x, *call);
  auto then = [](gateway& me, http_call& call, expected<answer> what) {
    if (what)
      me.conclude(call, payload{});
    else
      me.conclude(call, what.error());
  };
  auto done = [rules = host_.events, made_by = std::move(made_by),
               back = come_back<answer>(*call, then)](expected<answer> what) {
    count(*rules, made_by, what);
    back(std::move(what));
  };
  turn_.put_off(
    [queue = host_.work,
     what = std::make_shared<std::vector<work_request>>(std::move(calls)),
     done](lender&) { accept(*queue, std::move(*what), done); });
}

} // namespace troupe
