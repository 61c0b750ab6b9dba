#include "nodes/http/gateway_parts.hpp"

#include <charconv>

#include "actors/core/idempotency_key.hpp"
#include "actors/core/module.hpp"
#include "actors/messages/subscription_book.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/model/trace_parent.hpp"
#include "actors/work/group_service.hpp"
#include "actors/work/schedule_service.hpp"
#include "nodes/http/uri.hpp"

namespace troupe {

namespace {

void add_retry_after(http::response& to, const error& reason) {
  // These come with a time to retry.
  auto seconds = reason.retry_after_s();
  if (seconds == 0
      && (reason == errc::too_many_requests || reason == errc::quarantined
          || reason == errc::store_unavailable
          || reason == errc::shutting_down))
    seconds = 1;
  if (seconds > 0)
    to.add("Retry-After", std::to_string(seconds));
}

} // namespace

// -- reading -----------------------------------------------------------------

void refuse(errc code, std::string why) {
  throw error_exception{error{code, std::move(why)}};
}

void not_built(std::string_view what) {
  refuse(errc::not_implemented, std::string{what} + " is not built yet");
}

bool is_reading(const http::request& x) noexcept {
  return x.method() == http::method::get || x.method() == http::method::head;
}

void check_get(const http::request& x, const char* allowed) {
  if (!is_reading(x))
    throw wrong_method{allowed};
}

void check_post(const http::request& x) {
  if (x.method() != http::method::post)
    throw wrong_method{"POST"};
}

void check_name(std::string_view name, const char* what) {
  if (!is_valid_name(name))
    refuse(errc::bad_request, "'" + std::string{name.substr(0, 100)}
                                + "' is no name of a " + what
                                + ": [A-Za-z0-9_-]{1,64}");
}

void check_service_name(std::string_view name) {
  check_name(name, "service");
  if (name == schedules_service)
    refuse(errc::not_found, "schedules are at /schedules");
  if (name == subscriptions_service)
    refuse(errc::not_found, "subscriptions are at /subscriptions");
  if (name == groups_service)
    refuse(errc::not_found, "groups are at /groups");
}

std::string decode(std::string_view segment) {
  auto text = http::percent_decode(segment);
  if (!text)
    refuse(errc::bad_request, "the path has a bad percent-encoding");
  return *std::move(text);
}

function_name::function_name(std::string text)
  : text_(std::move(text)), colon_(std::min(text_.find(':'), text_.size())) {
  if (colon_ < text_.size() && qualifier() != "$LATEST")
    check_name(qualifier(), "version or alias");
  check_name(name(), "function");
}

void check_callable(const call_target& target, std::string_view name) {
  if (!target.callable_by_bytes())
    refuse(errc::not_found,
           "'" + std::string{name} + "' is reached from C++ only");
}

std::vector<http::parameter> query_of(const http::request& x) {
  auto result = http::parse_query(x.query());
  if (!result)
    refuse(errc::bad_request, "the query has a bad percent-encoding");
  for (auto i = result->begin(); i != result->end(); ++i) {
    auto is_same = [&](const http::parameter& y) { return y.name == i->name; };
    if (std::any_of(result->begin(), i, is_same))
      refuse(errc::bad_request, "'" + i->name + "' is there more than once");
  }
  return *std::move(result);
}

uint64_t read_number(std::string_view text, std::string_view what,
                     uint64_t most) {
  uint64_t result = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, result);
  if (failed != std::errc{} || rest != end || result < 1 || result > most)
    refuse(errc::bad_request,
           std::string{what} + " is 1 to " + std::to_string(most));
  return result;
}

std::optional<std::string_view> single(const http::request& x,
                                       std::string_view name) {
  auto result = x.field(name);
  if (result && x.count(name) > 1)
    refuse(errc::bad_request, std::string{name} + " is there more than once");
  return result;
}

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

std::string read_idempotency_key(const http::request& x) {
  auto key = single(x, "Idempotency-Key");
  if (!key)
    return {};
  if (!is_valid_idempotency_key(*key))
    refuse(errc::bad_request,
           "Idempotency-Key is 1 to 255 bytes of visible ASCII");
  return std::string{*key};
}

std::string read_routing_key(const http::request& x) {
  auto text = single(x, "Troupe-Key");
  if (!text)
    return {};
  auto key = http::percent_decode(*text);
  if (!key || !is_valid_key(*key))
    refuse(errc::bad_request,
           "Troupe-Key is 1 to 512 bytes of UTF-8, percent-encoded");
  return *std::move(key);
}

std::string read_trace(const http::request& x) {
  auto text = x.field("traceparent");
  return text && is_trace_parent(*text) ? std::string{*text} : std::string{};
}

bool wants_queue(const http::request& x) {
  auto prefer = joined(x, "Prefer");
  return prefer && http::has_preference(*prefer, "respond-async");
}

// -- answers -----------------------------------------------------------------

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

std::string to_rfc3339(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  auto second = floor<seconds>(time);
  auto ms = std::to_string(floor<milliseconds>(time - second).count());
  auto text = to_rfc3339(second);
  text.back() = '.';
  return text.append(3 - ms.size(), '0') + ms + "Z";
}

} // namespace troupe
