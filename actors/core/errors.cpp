#include "actors/core/errors.hpp"

#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>
#include <typeinfo>

#include <nlohmann/json.hpp>

#include "actors/core/defaults.hpp"

namespace troupe {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::bad_request:
    return "bad_request";
  case errc::payload_too_large:
    return "payload_too_large";
  case errc::not_found:
    return "not_found";
  case errc::method_not_allowed:
    return "method_not_allowed";
  case errc::unauthorized:
    return "unauthorized";
  case errc::forbidden:
    return "forbidden";
  case errc::revision_mismatch:
    return "revision_mismatch";
  case errc::idempotency_conflict:
    return "idempotency_conflict";
  case errc::too_many_requests:
    return "too_many_requests";
  case errc::call_cycle:
    return "call_cycle";
  case errc::busy_retry:
    return "busy_retry";
  case errc::quarantined:
    return "quarantined";
  case errc::store_unavailable:
    return "store_unavailable";
  case errc::shutting_down:
    return "shutting_down";
  case errc::deadline_exceeded:
    return "deadline_exceeded";
  case errc::outcome_unknown:
    return "outcome_unknown";
  case errc::not_owner:
    return "not_owner";
  case errc::lock_held:
    return "lock_held";
  case errc::not_implemented:
    return "not_implemented";
  case errc::request_timeout:
    return "request_timeout";
  case errc::headers_too_large:
    return "headers_too_large";
  case errc::instance_lost:
    return "instance_lost";
  case errc::internal_error:
    return "internal_error";
  case errc::handler_failed:
    return "handler_failed";
  }
  return "internal_error";
}

std::string_view to_string(effect what) noexcept {
  switch (what) {
  case effect::none:
    return "none";
  case effect::ran:
    return "ran";
  case effect::unknown:
    return "unknown";
  }
  return "unknown";
}

effect default_effect(errc code) noexcept {
  switch (code) {
  case errc::handler_failed:
    return effect::ran;
  case errc::outcome_unknown:
  case errc::instance_lost:
  case errc::internal_error:
    return effect::unknown;
  default:
    return effect::none;
  }
}

int http_status(errc code) noexcept {
  switch (code) {
  case errc::bad_request:
    return 400;
  case errc::unauthorized:
    return 401;
  case errc::forbidden:
    return 403;
  case errc::not_found:
    return 404;
  case errc::method_not_allowed:
    return 405;
  case errc::request_timeout:
    return 408;
  case errc::lock_held:
    return 409;
  case errc::revision_mismatch:
    return 412;
  case errc::payload_too_large:
    return 413;
  case errc::idempotency_conflict:
    return 422;
  case errc::too_many_requests:
    return 429;
  case errc::headers_too_large:
    return 431;
  case errc::internal_error:
    return 500;
  case errc::not_implemented:
    return 501;
  case errc::instance_lost:
  case errc::handler_failed:
    return 502;
  case errc::busy_retry:
  case errc::quarantined:
  case errc::store_unavailable:
  case errc::shutting_down:
  case errc::not_owner:
    return 503;
  case errc::deadline_exceeded:
  case errc::outcome_unknown:
    return 504;
  case errc::call_cycle:
    return 508;
  }
  return 500;
}

errc errc_from_string(std::string_view name) noexcept {
  for (auto i = static_cast<int>(errc::bad_request);
       i < static_cast<int>(errc::handler_failed); ++i)
    if (auto code = static_cast<errc>(i); to_string(code) == name)
      return code;
  return errc::handler_failed;
}

namespace {

/// Shortens `text` to `most` bytes with "..." at its end, between two
/// characters of UTF-8.
void cut(std::string& text, size_t most) {
  constexpr std::string_view mark = "...";
  if (text.size() <= most)
    return;
  auto is_inside = [&](size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  auto end = most - mark.size();
  // Bytes that are no UTF-8 are cut anywhere.
  for (auto least = end - 3; end > least && is_inside(end);)
    --end;
  text.resize(end);
  text += mark;
  text.shrink_to_fit();
}

} // namespace

error::error(errc code, std::string message)
  : error(code, default_effect(code), std::move(message)) {}

error::error(errc code, effect what, std::string message)
  : code_(code), effect_(what), message_(std::move(message)) {
  cut(message_, defaults::error_message_max);
}

error error::from_handler(std::string type, std::string message) {
  error result{errc::handler_failed, std::move(message)};
  result.type_ = std::move(type);
  return result;
}

error error::from_exception(std::exception_ptr ex) {
  try {
    std::rethrow_exception(std::move(ex));
  } catch (const error_exception& e) {
    return e.reason();
  } catch (const std::exception& e) {
    return from_handler(demangle(typeid(e).name()), e.what());
  } catch (...) {
    auto type = abi::__cxa_current_exception_type();
    return from_handler(type ? demangle(type->name()) : "unknown",
                        "the handler threw something that is no exception");
  }
}

std::string_view error::type() const noexcept {
  return type_.empty() ? to_string(code_) : std::string_view{type_};
}

error& error::retry_after(uint32_t seconds) noexcept {
  retry_after_s_ = seconds;
  return *this;
}

error& error::with_effect(effect what) noexcept {
  effect_ = what;
  return *this;
}

std::string error::to_json() const {
  nlohmann::ordered_json body;
  body["errorType"] = type();
  body["errorMessage"] = message_;
  body["effect"] = to_string(effect_);
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

error error::from_json(const nlohmann::json& body) {
  auto text = [&](const char* field) -> std::string {
    auto i = body.find(field);
    return i != body.end() && i->is_string() ? i->get<std::string>() : "";
  };
  if (!body.is_object() || text("errorType").empty())
    return {errc::internal_error, "an answer that is no error of Troupe's"};
  auto type = text("errorType");
  auto code = errc_from_string(type);
  auto result = code == errc::handler_failed
                  ? from_handler(type, text("errorMessage"))
                  : error{code, text("errorMessage")};
  auto what = text("effect");
  for (auto x : {effect::none, effect::ran, effect::unknown})
    if (to_string(x) == what)
      result.with_effect(x);
  return result;
}

std::string demangle(const char* name) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> text{
    abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free};
  return status == 0 ? std::string{text.get()} : std::string{name};
}

} // namespace troupe
