#include "nodes/http/gateway.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <thread>
#include <utility>

#include <caf/actor_system.hpp>

#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "nodes/http/uri.hpp"

namespace troupe {

namespace {

constexpr auto json_type = "application/json";

/// How long a call may wait for its start once its client sends no more.
constexpr std::chrono::milliseconds half_close_grace{250};

[[noreturn]] void refuse(errc code, std::string why) {
  throw error_exception{error{code, std::move(why)}};
}

void add_retry_after(http::response& to, const error& reason) {
  // DESIGN §3: these come with a time to retry.
  auto seconds = reason.retry_after_s();
  if (seconds == 0
      && (reason == errc::too_many_requests || reason == errc::quarantined
          || reason == errc::store_unavailable
          || reason == errc::shutting_down))
    seconds = 1;
  if (seconds > 0)
    to.add("Retry-After", std::to_string(seconds));
}

http::response error_answer(const error& reason) {
  http::response result{static_cast<unsigned>(http_status(reason.code()))};
  result.add("Content-Type", json_type);
  add_retry_after(result, reason);
  result.body = reason.to_json();
  return result;
}

http::response json_answer(std::string body) {
  http::response result{200};
  result.add("Content-Type", json_type);
  result.body = std::move(body);
  return result;
}

/// A method that the path does not take.
struct wrong_method {
  /// The value of `Allow`.
  const char* allowed;
};

void check_get(const http::request& x, const char* allowed = "GET, HEAD") {
  if (x.method() != http::method::get && x.method() != http::method::head)
    throw wrong_method{allowed};
}

void check_post(const http::request& x) {
  if (x.method() != http::method::post)
    throw wrong_method{"POST"};
}

http::response wrong_method_answer(const http::request& x,
                                   const char* allowed) {
  auto result = error_answer(
    {errc::method_not_allowed, "this path takes " + std::string{allowed}
                                 + ", not " + std::string{x.method_name()}});
  result.add("Allow", allowed);
  return result;
}

/// The fixed surface that later versions fill: never quietly something else.
[[noreturn]] void not_built(std::string_view what) {
  refuse(errc::not_implemented, std::string{what} + " is not built yet");
}

void check_name(std::string_view name, const char* what) {
  if (!is_valid_name(name))
    refuse(errc::bad_request, "'" + std::string{name.substr(0, 100)}
                                + "' is no name of a " + what
                                + ": [A-Za-z0-9_-]{1,64}");
}

std::string decode(std::string_view segment) {
  auto text = http::percent_decode(segment);
  if (!text)
    refuse(errc::bad_request, "the path has a bad percent-encoding");
  return *std::move(text);
}

/// The value of a field that may be there once.
std::optional<std::string_view> single(const http::request& x,
                                       std::string_view name) {
  auto result = x.field(name);
  if (result && x.count(name) > 1)
    refuse(errc::bad_request, std::string{name} + " is there more than once");
  return result;
}

/// The values of all fields of a name: several lines are one list (RFC 9110).
std::optional<std::string> joined(const http::request& x,
                                  std::string_view name) {
  std::optional<std::string> result;
  if (!x.field(name))
    return result;
  for (size_t i = 0; i < x.field_count(); ++i)
    if (auto field = x.field_at(i); http::same_name(field.name, name))
      (result ? result->append(", ") : result.emplace()).append(field.value);
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

// -- a call that came over HTTP ----------------------------------------------

class gateway::http_call final : public raw_invocation {
public:
  http_call(payload arguments, http::exchange& x)
    : raw_invocation(std::move(arguments)), exchange(&x) {}

  // All of it belongs to the I/O thread.

  /// Null once it is answered.
  http::exchange* exchange;

  /// The exchange holds a reference.
  bool held = false;

  // -- from any thread -------------------------------------------------------

  /// Whoever answered it is done with the gateway.
  std::atomic<bool> posted{false};
};

struct gateway::path_view {
  static constexpr size_t segments_max = 8;

  explicit path_view(std::string_view path) {
    while (!path.empty() && path.front() == '/') {
      path.remove_prefix(1);
      auto end = std::min(path.find('/'), path.size());
      if (count == segments_max) {
        ++count;
        return;
      }
      segments[count++] = path.substr(0, end);
      path.remove_prefix(end);
    }
  }

  std::string_view operator[](size_t i) const {
    return i < count && i < segments_max ? segments[i] : std::string_view{};
  }

  std::array<std::string_view, segments_max> segments;
  size_t count = 0;
};

// -- setup -------------------------------------------------------------------

gateway::gateway(http::io_thread& thread, call_port port,
                 const gateway_host& host)
  : thread_(thread), port_(std::move(port)), host_(host),
    wheel_(port_.system().clock().now()),
    self_(std::make_shared<gateway*>(this)),
    way_back_(std::make_shared<way_back>()) {
  way_back_->thread = &thread;
}

gateway::~gateway() {
  *self_ = nullptr;
  std::lock_guard guard{way_back_->mutex};
  way_back_->thread = nullptr;
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
  if (first == "cluster")
    return cluster(x, path);
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
  if (first == "invocations" && path.count == 2) {
    check_get(request);
    refuse(errc::not_found, "no asynchronous invocation has this id");
  }
  if (request.path() == "/")
    not_built("the dashboard");
  if (first == "url")
    not_built("function URLs");
  if (first == "events")
    not_built("CloudEvents");
  if (first == "locks")
    not_built("locks");
  if (is_date(first))
    not_built("the AWS Lambda API");
  refuse(errc::not_found, "there is no such path");
}

void gateway::invoke(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  if (path.count != 2)
    refuse(errc::not_found, "the path is /invoke/{name}[:qualifier]");
  check_post(request);
  auto text = decode(path[1]);
  std::string_view name = text;
  std::string_view qualifier;
  if (auto colon = name.find(':'); colon != name.npos) {
    qualifier = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (qualifier != "$LATEST")
      check_name(qualifier, "version or alias");
  }
  check_name(name, "function");
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(request, *call);
  if (request.field("Idempotency-Key"))
    refuse(errc::bad_request,
           "Idempotency-Key needs a call that is queued or of a service");
  if (auto text = single(request, "Troupe-Key")) {
    auto key = http::percent_decode(*text);
    if (!key || !is_valid_key(*key))
      refuse(errc::bad_request,
             "Troupe-Key is 1 to 512 bytes of UTF-8, percent-encoded");
    call->routing_key = *std::move(key);
  }
  auto target = port_.function(name, qualifier);
  if (!target)
    throw error_exception{target.error()};
  if (!(*target)->callable_by_bytes())
    refuse(errc::not_found,
           "'" + std::string{name} + "' is reached from C++ only");
  auto type = request.field("Content-Type");
  call->arguments({std::move(request.body()),
                   std::string{type.value_or("application/octet-stream")}});
  port_.prepare(*call, **target, timeout);
  submit(x, std::move(call), **target);
}

void gateway::services(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  if (path.count < 2 || path.count > 4)
    refuse(errc::not_found, "the path is /services/{service}/{key}/{method}");
  auto name = decode(path[1]);
  check_name(name, "service");
  auto entity = std::make_unique<entity_call>();
  entity->service = name;
  if (path.count > 2) {
    entity->key = decode(path[2]);
    if (!is_valid_key(entity->key))
      refuse(errc::bad_request, "a key is 1 to 512 bytes of UTF-8");
  }
  auto target = port_.service(name);
  if (!target)
    throw error_exception{target.error()};
  if (path.count < 4) {
    if (path.count == 2)
      check_get(request);
    else if (request.method() != http::method::delete_)
      check_get(request, "GET, HEAD, DELETE");
    not_built("reading stored entities");
  }
  check_post(request);
  entity->method = decode(path[3]);
  check_name(entity->method, "method");
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(request, *call);
  if (request.field("Idempotency-Key"))
    not_built("Idempotency-Key");
  if (auto condition = joined(request, "If-Match")) {
    if (condition->empty())
      refuse(errc::bad_request, "If-Match names no revision");
    entity->if_match = *std::move(condition);
  }
  call->entity = std::move(entity);
  auto type = request.field("Content-Type");
  call->arguments({std::move(request.body()),
                   std::string{type.value_or("application/octet-stream")}});
  port_.prepare(*call, **target, timeout);
  submit(x, std::move(call), **target);
}

void gateway::cluster(http::exchange& x, const path_view& path) {
  check_get(x.request());
  if (path.count == 1)
    return x.respond(json_answer(host_.cluster()));
  if (path.count == 2 && path[1] == "tree")
    return tree(x);
  if (path.count == 2 && path[1] == "owner")
    not_built("the owner of a key");
  refuse(errc::not_found, "there is no such path");
}

void gateway::tree(http::exchange& x) {
  // The exchange lives until it is answered; only this thread answers it.
  host_.tree([self = self_, back = way_back_, &x](expected<std::string> body) {
    std::lock_guard guard{back->mutex};
    if (!back->thread)
      return;
    back->thread->post([self, &x, body = std::move(body)] {
      if (*self)
        x.respond(body ? json_answer(*body) : error_answer(body.error()));
    });
  });
}

// -- calls -------------------------------------------------------------------

std::optional<std::chrono::milliseconds>
gateway::read_call_headers(const http::request& from, http_call& to) {
  if (auto prefer = joined(from, "Prefer"))
    if (http::has_preference(*prefer, "respond-async"))
      not_built("Prefer: respond-async");
  if (from.field("Troupe-Lock"))
    not_built("Troupe-Lock");
  if (auto trace = from.field("traceparent"))
    to.trace = *trace;
  auto text = single(from, "Troupe-Timeout-Ms");
  if (!text)
    return std::nullopt;
  int64_t ms = 0;
  auto end = text->data() + text->size();
  auto [rest, failed] = std::from_chars(text->data(), end, ms);
  if (failed != std::errc{} || rest != end || ms < 1
      || ms > defaults::function::timeout_max.count())
    refuse(errc::bad_request, "Troupe-Timeout-Ms is 1 to 900000");
  return std::chrono::milliseconds{ms};
}

void gateway::submit(http::exchange& x, caf::intrusive_ptr<http_call> call,
                     call_target& target) {
  call->port = this;
  submitting_ = call.get();
  {
    lender thread{port_.system(), nullptr, port_.environment().lend};
    target.submit(call, thread);
  }
  submitting_ = nullptr;
  if (call->answered()) {
    respond(*call);
    return;
  }
  x.tag = reinterpret_cast<uintptr_t>(call.get());
  wheel_.add(*call, call->deadline);
  call->held = true;
  call->ref();
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
    auto& result = call.result();
    answer.add("Content-Type", result.content_type.empty()
                                 ? std::string_view{json_type}
                                 : std::string_view{result.content_type});
    if (call.revision)
      answer.add("ETag", "\"" + std::to_string(*call.revision) + "\"");
    answer.body = std::move(result.bytes);
  }
  finish(call, std::move(answer));
}

void gateway::finish(http_call& call, http::response answer) {
  auto x = std::exchange(call.exchange, nullptr);
  if (!x)
    return;
  wheel_.remove(call);
  answer.add("Troupe-Invocation-Id", to_string(call.id));
  x->tag = 0;
  x->respond(std::move(answer));
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
  // The answer is on its way. When the server stops, this thread and this object
  // end next: whoever brings it has to be done with both.
  while (gone && !call.posted.load(std::memory_order_acquire))
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
