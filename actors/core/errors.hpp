// Every error says what happened. A caller who gets one must know two things:
// what went wrong, and whether the call may have run. The names below are API:
// they go over HTTP as they are, and tests from outside lean on them.

#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace troupe {

/// What went wrong. `http_status` and `default_effect` say what each means.
enum class errc : uint8_t {
  /// The request cannot be understood, or an argument does not fit.
  bad_request = 1,
  /// The body is longer than the limit.
  payload_too_large,
  /// No function, service, method or path of that name.
  not_found,
  /// The path exists, the HTTP method does not fit.
  method_not_allowed,
  /// No or wrong credentials.
  unauthorized,
  /// Good credentials that do not allow this.
  forbidden,
  /// If-Match names another revision.
  revision_mismatch,
  /// The same idempotency key with another payload.
  idempotency_conflict,
  /// A bounded queue is full. Retry after a while.
  too_many_requests,
  /// The call would come back into an entity of its own path.
  call_cycle,
  /// Wait-die: a younger call met an older one. Retry.
  busy_retry,
  /// The version crashed too often and rests; see Retry-After.
  quarantined,
  /// The store does not answer.
  store_unavailable,
  /// The node is about to leave.
  shutting_down,
  /// The deadline passed.
  deadline_exceeded,
  /// Whether the commit happened could not be found out in time.
  outcome_unknown,
  /// Another node owns the entity.
  not_owner,
  /// Somebody else holds the lock.
  lock_held,
  /// Part of the fixed surface, but not built yet.
  not_implemented,
  /// The client was too slow with its request.
  request_timeout,
  /// The request's head is longer than the limit.
  headers_too_large,
  /// The actor or process that ran the call died in it.
  instance_lost,
  /// A defect of Troupe itself.
  internal_error,
  /// The handler threw; `error::type()` is the exception's type.
  handler_failed,
};

/// Whether the call may have run.
enum class effect : uint8_t {
  /// Not started, or not committed: safe to retry.
  none,
  /// The handler ran and failed; its state is unchanged.
  ran,
  /// It may have run.
  unknown,
};

/// The stable name that goes over HTTP: "bad_request", ...
std::string_view to_string(errc code) noexcept;

/// "none", "ran" or "unknown".
std::string_view to_string(effect what) noexcept;

/// The effect of an error that arose before or beside the handler.
effect default_effect(errc code) noexcept;

/// The HTTP status of an error.
int http_status(errc code) noexcept;

/// The code whose name is `name`; `handler_failed` for any other.
errc errc_from_string(std::string_view name) noexcept;

/// What a caller gets in place of a result. A message that is longer than
/// `defaults::error_message_max` is cut.
class error {
public:
  error(errc code, std::string message);

  error(errc code, effect what, std::string message);

  /// An error of the handler's own: `type` is the demangled exception type.
  static error from_handler(std::string type, std::string message);

  /// `ex` as an error: an `error_exception` is what it carries, anything else
  /// is a handler's own exception.
  static error from_exception(std::exception_ptr ex);

  errc code() const noexcept { return code_; }

  /// What happened to the call.
  effect what_happened() const noexcept { return effect_; }

  /// The errorType: a name of the table, or the exception's type.
  std::string_view type() const noexcept;

  const std::string& message() const noexcept { return message_; }

  /// Seconds until a retry makes sense; 0 if nothing is known.
  uint32_t retry_after_s() const noexcept { return retry_after_s_; }

  error& retry_after(uint32_t seconds) noexcept;

  error& with_effect(effect what) noexcept;

  /// `{errorType, errorMessage, effect}` as JSON text. Bytes of the message
  /// that are not UTF-8 are replaced.
  std::string to_json() const;

  /// The error in a JSON body, as another node or the CLI gets it.
  static error from_json(const nlohmann::json& body);

  friend bool operator==(const error& x, errc y) noexcept {
    return x.code_ == y;
  }

private:
  errc code_;
  effect effect_;
  uint32_t retry_after_s_ = 0;
  std::string type_;
  std::string message_;
};

/// Thrown into a handler by a nested call that failed, and by a handler that
/// wants to answer one of the errors above.
class error_exception : public std::exception {
public:
  explicit error_exception(error reason) : reason_(std::move(reason)) {}

  const error& reason() const noexcept { return reason_; }

  const char* what() const noexcept override {
    return reason_.message().c_str();
  }

private:
  error reason_;
};

/// `name` as C++ source would write it: "std::runtime_error".
std::string demangle(const char* name);

} // namespace troupe
