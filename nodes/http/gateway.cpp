#include "nodes/http/gateway.hpp"

#include <thread>
#include <utility>

#include <caf/actor_system.hpp>

#include "actors/cluster/lock_keeper.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"

namespace troupe {

namespace {

/// How long a call may wait for its start once its client sends no more.
constexpr std::chrono::milliseconds half_close_grace{250};

http::response wrong_method_answer(const http::request& x,
                                   const char* allowed) {
  auto result = error_answer(
    {errc::method_not_allowed, "this path takes " + std::string{allowed}
                                 + ", not " + std::string{x.method_name()}});
  result.add("Allow", allowed);
  return result;
}

/// 2015-03-31 and the like: the AWS Lambda API.
bool is_date(std::string_view x) noexcept {
  if (x.size() != 10 || x[4] != '-' || x[7] != '-')
    return false;
  for (size_t i : {0, 1, 2, 3, 5, 6, 8, 9})
    if (x[i] < '0' || x[i] > '9')
      return false;
  return true;
}

} // namespace

// -- setup -------------------------------------------------------------------

gateway::gateway(http::io_thread& thread, call_port port,
                 const gateway_host& host)
  : thread_(thread), port_(port), host_(host),
    wheel_(port_.system().clock().now()),
    self_(std::make_shared<gateway*>(this)),
    way_back_(std::make_shared<http::way_back>(thread)) {
  thread.on_turn([this] { return turn_.end(port_.system()); });
}

gateway::~gateway() {
  turn_.end(port_.system());
  thread_.on_turn({});
  *self_ = nullptr;
  way_back_->close();
}

// -- routing -----------------------------------------------------------------

void gateway::handle(http::exchange& x) {
  try {
    route(x);
  } catch (const error_exception& e) {
    x.respond(error_answer(e.reason()));
  } catch (const wrong_method& e) {
    x.respond(wrong_method_answer(x.request(), e.allowed));
  }
}

void gateway::route(http::exchange& x) {
  auto& request = x.request();
  path_view path{request.path()};
  auto first = path[0];
  if (first == "invoke")
    return invoke(x, path);
  if (first == "services")
    return services(x, path);
  if (first == "map")
    return map(x, path);
  if (first == "cluster")
    return cluster(x, path);
  if (first == "locks")
    return locks(x, path);
  auto plain = [&](std::string_view name) {
    if (first != name || path.count != 1)
      return false;
    check_get(request);
    return true;
  };
  if (plain("healthz"))
    return x.respond(json_answer(R"({"status":"ok"})"));
  if (plain("readyz")) {
    if (host_.ready())
      return x.respond(json_answer(R"({"status":"ready"})"));
    refuse(errc::shutting_down, "the node is leaving");
  }
  if (plain("metrics")) {
    http::response answer{200};
    answer.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    answer.body = host_.metrics();
    return x.respond(std::move(answer));
  }
  if (first == "invocations")
    return invocations(x, path);
  if (first == "queue")
    return queue(x, path);
  if (first == "groups")
    return groups(x, path);
  if (first == "schedules")
    return schedules(x, path);
  if (first == "subscriptions")
    return subscriptions(x, path);
  if (request.path() == "/")
    not_built("the dashboard");
  if (first == "url")
    not_built("function URLs");
  if (first == "events")
    return events(x, path);
  if (is_date(first))
    not_built("the AWS Lambda API");
  refuse(errc::not_found,
         "there is no such path; there are /invoke/{name}, /map/{name}, "
         "/services/{service}, /events, /invocations/{id}, /queue, /groups, "
         "/schedules, /subscriptions, /locks/{name}, /cluster, /metrics, "
         "/healthz and "
         "/readyz");
}

void gateway::invoke(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  if (path.count != 2)
    refuse(errc::not_found, "the path is /invoke/{name}[:qualifier]");
  check_post(request);
  function_name name{decode(path[1])};
  if (wants_queue(request))
    return queue_function_call(x, name);
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(request, *call);
  if (request.field("If-Match"))
    refuse(errc::bad_request, "If-Match needs a call of a service");
  if (request.field("Troupe-Lock"))
    refuse(errc::bad_request, "Troupe-Lock needs a call of a service");
  if (request.field("Idempotency-Key"))
    refuse(errc::bad_request,
           "Idempotency-Key needs a call that is queued or of a service");
  call->routing_key = read_routing_key(request);
  auto target = port_.function(name.name(), name.qualifier());
  if (!target)
    throw error_exception{target.error()};
  check_callable(**target, name.name());
  auto type = request.field("Content-Type");
  call->arguments({std::move(request.body()),
                   std::string{type.value_or("application/octet-stream")}});
  port_.prepare(*call, **target, timeout);
  submit(x, std::move(call), **target);
}

void gateway::cluster(http::exchange& x, const path_view& path) {
  if (path.count == 2 && path[1] == "drain")
    return drain(x);
  check_get(x.request());
  if (path.count == 2 && path[1] == "owner")
    return owner(x);
  if (!x.request().query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  if (path.count == 1)
    return x.respond(json_answer(host_.cluster()));
  if (path.count == 2 && path[1] == "tree")
    return tree(x);
  if (path.count == 2 && path[1] == "shards")
    return x.respond(json_answer(host_.shards()));
  refuse(errc::not_found, "there is no such path");
}

void gateway::owner(http::exchange& x) {
  std::string service;
  std::string key;
  for (auto& [name, value] : query_of(x.request()))
    if (name == "service")
      service = value;
    else if (name == "key")
      key = value;
    else
      refuse(errc::bad_request,
             "there is no parameter '" + name + "': there are service and key");
  check_name(service, "service");
  if (!is_valid_key(key))
    refuse(errc::bad_request, "key is 1 to 512 bytes of UTF-8");
  if (auto target = port_.service(service); !target)
    throw error_exception{target.error()};
  auto found = host_.owner(service, key);
  if (!found)
    throw error_exception{found.error()};
  x.respond(json_answer(*found));
}

void gateway::drain(http::exchange& x) {
  check_post(x.request());
  std::string node;
  for (auto& [name, value] : query_of(x.request()))
    if (name == "node")
      node = value;
    else
      refuse(errc::bad_request,
             "there is no parameter '" + name + "': there is node");
  if (node.empty())
    refuse(errc::bad_request, "which node? the path is /cluster/drain?node=ID");
  if (auto done = host_.drain(node); !done)
    throw error_exception{done.error()};
  http::response answer{202};
  x.respond(std::move(answer));
}

void gateway::tree(http::exchange& x) {
  // The exchange lives until it is answered; only this thread answers it.
  host_.tree([self = self_, back = way_back_, &x](expected<std::string> body) {
    (void)back->send(body, [self, &x](const expected<std::string>& what) {
      if (*self)
        x.respond(what ? json_answer(*what) : error_answer(what.error()));
    });
  });
}

// -- calls -------------------------------------------------------------------

std::optional<std::chrono::milliseconds>
gateway::read_call_headers(const http::request& from, http_call& to) {
  if (wants_queue(from))
    not_built("Prefer: respond-async on this path");
  if (from.field("If-None-Match") && !is_reading(from))
    not_built("If-None-Match where something may change");
  for (auto name : {"Troupe-Delay-Ms", "Troupe-Priority"})
    if (from.field(name))
      refuse(errc::bad_request,
             std::string{name} + " needs Prefer: respond-async");
  to.trace = read_trace(from);
  auto text = single(from, "Troupe-Timeout-Ms");
  if (!text)
    return std::nullopt;
  constexpr auto longest = defaults::function::timeout_max.count();
  auto ms = read_number(*text, "Troupe-Timeout-Ms", uint64_t{longest});
  return std::chrono::milliseconds{static_cast<int64_t>(ms)};
}

void gateway::submit(http::exchange& x, caf::intrusive_ptr<http_call> call,
                     call_target& target) {
  call->port = this;
  submitting_ = call.get();
  {
    lender thread{port_.system(), nullptr, port_.environment().lend, &turn_};
    target.submit(call, thread);
  }
  submitting_ = nullptr;
  if (call->answered()) {
    respond(*call);
    return;
  }
  hold(x, *call);
}

void gateway::hold(http::exchange& x, http_call& call) {
  x.tag = reinterpret_cast<uintptr_t>(&call);
  wheel_.add(call, call.deadline);
  call.held = true;
  call.ref();
  arm_wheel();
}

void gateway::answered(invocation& call, caf::execution_unit*) noexcept {
  // `submit` looks itself when it is still there.
  if (thread_.is_current() && submitting_ == &call)
    return;
  caf::intrusive_ptr<http_call> held{static_cast<http_call*>(&call)};
  thread_.post([self = self_, held] {
    if (*self)
      (*self)->respond(*held);
  });
  held->posted.store(true, std::memory_order_release);
}

void gateway::respond(http_call& call) {
  http::response answer;
  if (auto reason = call.failure()) {
    answer = error_answer(*reason);
  } else {
    answer = std::move(call.answer);
    if (call.revision)
      answer.add("ETag", "\"" + std::to_string(*call.revision) + "\"");
    if (answer.status != status_no_content && call.has_body) {
      auto& result = call.result();
      answer.add("Content-Type", result.content_type.empty()
                                   ? std::string_view{json_type}
                                   : std::string_view{result.content_type});
      answer.body = std::move(result.bytes);
    }
  }
  finish(call, std::move(answer));
}

void gateway::finish(http_call& call, http::response answer) {
  auto x = std::exchange(call.exchange, nullptr);
  if (!x)
    return;
  if (auto wait = std::exchange(call.lock_wait, 0))
    host_.locks->give_up(wait);
  wheel_.remove(call);
  answer.fields += "Troupe-Invocation-Id: ";
  append(answer.fields, call.id);
  answer.fields += "\r\n";
  x->tag = 0;
  x->respond(std::move(answer));
  if (auto end = std::exchange(call.on_end, {}))
    end();
  if (std::exchange(call.held, false))
    call.deref();
}

void gateway::aborted(http::exchange& x) noexcept {
  if (x.tag == 0)
    return;
  auto& call = *reinterpret_cast<http_call*>(x.tag);
  if (x.is_gone()) {
    give_up(call);
    return;
  }
  // It may have gone, or only have said all that it had to say: both look the
  // same. What waits for longer than an idle node would let it is dropped.
  thread_.after(half_close_grace,
                [self = self_, held = caf::intrusive_ptr<http_call>{&call}] {
                  if (*self && held->exchange)
                    (*self)->give_up(*held);
                });
}

void gateway::give_up(http_call& call) {
  // Queued work is dropped. What runs already goes on, and a client that has
  // only closed its sending side gets the answer.
  auto gone = call.exchange->is_gone();
  auto given_up = gone ? call.abandon().has_value() : call.abandon_waiting();
  if (given_up) {
    finish(call,
           error_answer({errc::deadline_exceeded, "the caller went away"}));
    return;
  }
  if (!gone) {
    if (auto hang_up = std::exchange(call.on_hang_up, {}))
      hang_up();
    return;
  }
  // The answer is on its way. When the server stops, this thread and this object
  // end next: whoever brings it has to be done with both.
  while (!call.posted.load(std::memory_order_acquire))
    std::this_thread::yield();
}

void gateway::arm_wheel() {
  if (ticking_ || wheel_.empty())
    return;
  ticking_ = true;
  thread_.after(wheel_.tick(), [this] {
    ticking_ = false;
    wheel_.expire(port_.system().clock().now(), [this](wheel_hook& hook) {
      auto& call = static_cast<http_call&>(hook);
      call.expire(nullptr);
    });
    arm_wheel();
  });
}

} // namespace troupe
