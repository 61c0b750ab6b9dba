// The paths under /map: one request calls a function with many inputs, or a
// method of many entities. They are ordinary calls, begun on this thread; the
// inputs are read and the answer is written on others.

#include "nodes/http/gateway.hpp"

#include <algorithm>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/missing.hpp"
#include "actors/core/module.hpp"
#include "actors/routing/fan_out.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/map_body.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// Maps that one I/O thread has under way.
constexpr size_t maps_max = 256;

/// Bytes of results that one map keeps for its answer, and all maps of an I/O
/// thread.
constexpr size_t results_bytes_max = size_t{64} << 20;
constexpr size_t all_results_bytes_max = 4 * results_bytes_max;

/// From the deadline to the answer at the latest: it has to be written.
constexpr milliseconds writing_time{5'000};

using inputs_ptr = std::shared_ptr<const map_inputs>;
using outcomes = std::vector<std::optional<expected<payload>>>;

bool has_lines(const http::request& x) {
  std::string media{x.field("Content-Type").value_or("")};
  media.resize(std::min(media.find_first_of("; \t"), media.size()));
  for (auto& c : media)
    if (c >= 'A' && c <= 'Z')
      c += 'a' - 'A';
  return media == "application/jsonl" || media == "application/x-ndjson";
}

size_t read_parallel(const http::request& x) {
  size_t result = fan_out_options{}.parallel;
  for (auto& [name, value] : query_of(x))
    if (name == "parallel")
      result = read_number(value, "parallel", fan_out_options::parallel_max);
    else
      refuse(errc::bad_request,
             "there is no parameter '" + name + "': there is parallel");
  return result;
}

/// What is said of one call, and not of many.
void refuse_fields_of_one_call(const http::request& x) {
  for (auto name : {"Troupe-Key", "If-Match", "Idempotency-Key"})
    if (x.field(name))
      refuse(errc::bad_request,
             std::string{name} + " is for one call, not for a map");
}

template <class F>
auto guarded(F f) -> expected<decltype(f())> {
  try {
    return f();
  } catch (...) {
    return error::from_exception(std::current_exception());
  }
}

} // namespace

/// What is mapped over.
struct gateway::map_target {
  std::string function;
  std::string qualifier;

  /// Empty: it is the function.
  std::string service;
  std::string method;
  std::vector<lock_proof> locks;

  expected<call_target_ptr> find(call_port& port) const {
    return service.empty() ? port.function(function, qualifier)
                           : port.service(service);
  }
};

/// One map that is under way.
class gateway::mapping final : public fan_out_work,
                               public std::enable_shared_from_this<mapping> {
public:
  mapping(gateway& owner, http_call& call, map_target to, inputs_ptr inputs,
          fan_out_options options)
    : owner_(owner), call_(call), to_(std::move(to)),
      inputs_(std::move(inputs)), options_(options),
      results_(std::make_shared<outcomes>(inputs_->items.size())) {}

  void start() {
    std::weak_ptr<mapping> weak = weak_from_this();
    auto step = [self = owner_.self_, weak] {
      if (auto me = *self ? weak.lock() : nullptr)
        me->step();
    };
    auto time = options_.deadline - owner_.port_.system().clock().now();
    timer_ = owner_.thread_.after(time, step);
    calls_.emplace(owner_.port_, *this, options_,
                   [back = owner_.way_back_, step] { back->send(step); });
    ++owner_.maps_;
    this->step();
  }

  /// Perhaps nobody waits any more: answers with what has begun.
  void hurry() {
    calls_->drop_waiting({errc::deadline_exceeded, effect::none,
                          "the caller went away before it began"});
    step();
  }

  /// It is answered, or nobody waits any more.
  void stop() {
    calls_->stop();
    owner_.thread_.cancel(timer_);
    owner_.mapped_bytes_ -= bytes_;
    --owner_.maps_;
  }

  // -- fan_out_work ----------------------------------------------------------

  size_t size() const override { return inputs_->items.size(); }

  expected<call_target_ptr> target(call_port& port) override {
    return to_.find(port);
  }

  invocation_ptr make(size_t i) override {
    auto& input = inputs_->items[i];
    auto type = input.body.empty() ? "" : json_type;
    auto result = caf::make_counted<fanned<raw_invocation>>(
      payload{std::string{input.body}, type});
    result->trace = call_.trace;
    if (!to_.service.empty()) {
      result->entity = std::make_unique<entity_call>(
        entity_call{to_.service, input.key, to_.method});
      result->entity->idempotency_key = input.idempotency_key;
      result->entity->locks = to_.locks;
    }
    return result;
  }

  void done(size_t i, invocation& call) override {
    if (auto reason = call.failure())
      return failed(i, *reason);
    auto& result = static_cast<raw_invocation&>(call).result();
    auto size = result.bytes.size();
    if (size > results_bytes_max - bytes_
        || size > all_results_bytes_max - owner_.mapped_bytes_)
      return failed(i, {errc::payload_too_large, effect::unknown,
                        "it was called, but the results of the map are too "
                        "large together"});
    bytes_ += size;
    owner_.mapped_bytes_ += size;
    (*results_)[i].emplace(std::move(result));
  }

  void failed(size_t i, error reason) override {
    (*results_)[i].emplace(std::move(reason));
  }

private:
  void step() {
    auto more = calls_->step(&owner_.turn_);
    if (calls_->done())
      return answer();
    if (more)
      owner_.thread_.post([self = owner_.self_, weak = weak_from_this()] {
        if (auto me = *self ? weak.lock() : nullptr)
          me->step();
      });
  }

  void answer() {
    if (!results_)
      return;
    owner_.elsewhere<std::string>(
      call_,
      [results = std::exchange(results_, nullptr)] {
        return write_outcomes(*results);
      },
      [](gateway& me, http_call& call, expected<std::string> text) {
        if (text)
          me.conclude(call, payload{std::move(*text), json_type});
        else
          me.conclude(call, text.error());
      });
  }

  gateway& owner_;
  http_call& call_; // has this one
  const map_target to_;
  const inputs_ptr inputs_;
  const fan_out_options options_;
  std::shared_ptr<outcomes> results_; // null once they are being written
  size_t bytes_ = 0;
  http::io_thread::timer_id timer_{};
  std::optional<fan_out> calls_;
};

void gateway::map(http::exchange& x, const path_view& path) {
  auto is_service = path.count == 4 && path[1] == "services";
  if (path.count != 2 && !is_service)
    refuse(errc::not_found, "the path is /map/{name}[:qualifier] or "
                            "/map/services/{service}/{method}");
  check_post(x.request());
  if (is_service)
    map_service(x, decode(path[2]), decode(path[3]));
  else
    map_function(x, function_name{decode(path[1])});
}

void gateway::map_function(http::exchange& x, const function_name& name) {
  auto target = port_.function(name.name(), name.qualifier());
  if (!target)
    throw error_exception{target.error()};
  check_callable(**target, name.name());
  if (x.request().field("Troupe-Lock"))
    refuse(errc::bad_request, "Troupe-Lock needs a map of a service");
  map_target to;
  to.function = name.name();
  to.qualifier = name.qualifier();
  begin_map(x, std::move(to), **target);
}

void gateway::map_service(http::exchange& x, std::string service,
                          std::string method) {
  check_service_name(service);
  check_name(method, "method");
  auto target = port_.service(service);
  if (!target)
    throw error_exception{target.error()};
  auto& definition = port_.routes().services.find(service)->second.definition;
  if (!definition->find(method))
    throw error_exception{missing_method(*definition, method)};
  begin_map(
    x, {{}, {}, std::move(service), std::move(method), read_locks(x.request())},
    **target);
}

void gateway::begin_map(http::exchange& x, map_target to, call_target& target) {
  auto& request = x.request();
  refuse_fields_of_one_call(request);
  fan_out_options options;
  options.parallel = read_parallel(request);
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(request, *call).value_or(target.timeout());
  if (maps_ >= maps_max)
    throw error_exception{
      error{errc::too_many_requests, "this node has too many maps under way"}
        .retry_after(1)};
  map_format format{has_lines(request), !to.service.empty()};
  call->port = this;
  port_.prepare(*call, target, timeout);
  options.deadline = call->submitted + timeout;
  call->deadline = options.deadline + writing_time;
  hold(x, *call);
  elsewhere<inputs_ptr>(
    *call,
    [format, text = std::make_shared<std::string>(std::move(request.body()))] {
      return read_inputs(std::move(*text), format);
    },
    [to = std::move(to), options](gateway& me, http_call& call,
                                  expected<inputs_ptr> inputs) {
      if (!inputs)
        return me.conclude(call, inputs.error());
      if (!call.start())
        return; // it is too late, and somebody says so
      auto work =
        std::make_shared<mapping>(me, call, to, std::move(*inputs), options);
      call.on_hang_up = [work] { work->hurry(); };
      call.on_end = [work] { work->stop(); };
      work->start();
    });
}

template <class T, class Work, class Then>
void gateway::elsewhere(http_call& call, Work work, Then then) {
  port_.system().spawn<caf::hidden>(
    [work = std::move(work), done = come_back<T>(call, std::move(then))](
      caf::event_based_actor*) mutable { done(guarded(std::move(work))); });
}

} // namespace troupe
