// What the files of the gateway share: reading requests, with an error for what
// cannot be read, and making answers. Internal to nodes/http.

#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/http/gateway.hpp"
#include "nodes/http/uri.hpp"

namespace troupe {

inline constexpr auto json_type = "application/json";

inline constexpr unsigned status_accepted = 202;
inline constexpr unsigned status_no_content = 204;

/// A method that the path does not take.
struct wrong_method {
  /// The value of `Allow`.
  const char* allowed;
};

// -- reading; what cannot be read throws error_exception ---------------------

[[noreturn]] void refuse(errc code, std::string why);

/// The fixed surface that later versions fill: never quietly something else.
[[noreturn]] void not_built(std::string_view what);

/// It asks for something and changes nothing.
bool is_reading(const http::request& x) noexcept;

/// @throws wrong_method
void check_get(const http::request& x, const char* allowed = "GET, HEAD");

/// @throws wrong_method
void check_post(const http::request& x);

void check_name(std::string_view name, const char* what);

/// The name of a service that may be called from outside.
void check_service_name(std::string_view name);

std::string decode(std::string_view segment);

/// A function in a path: `name` or `name:qualifier`.
class function_name {
public:
  /// @throws error_exception if it is none
  explicit function_name(std::string text);

  std::string_view name() const { return view().substr(0, colon_); }

  /// Empty if there is none.
  std::string_view qualifier() const {
    return view().substr(std::min(colon_ + 1, text_.size()));
  }

private:
  std::string_view view() const { return text_; }

  std::string text_;
  size_t colon_;
};

/// @throws error_exception if the function `name` takes no bytes
void check_callable(const call_target& target, std::string_view name);

/// Each parameter may be there once.
std::vector<http::parameter> query_of(const http::request& x);

/// `text` as a number from 1 to `most`; `what` is said of one that is none.
uint64_t read_number(std::string_view text, std::string_view what,
                     uint64_t most);

/// The value of a field that may be there once.
std::optional<std::string_view> single(const http::request& x,
                                       std::string_view name);

/// The values of all fields of a name: several lines are one list (RFC 9110).
std::optional<std::string> joined(const http::request& x,
                                  std::string_view name);

/// Empty if there is none.
std::string read_idempotency_key(const http::request& x);

/// `Troupe-Key`; empty if there is none.
std::string read_routing_key(const http::request& x);

/// `traceparent`; empty if there is none that can be passed on.
std::string read_trace(const http::request& x);

/// `Prefer: respond-async`: the call is to be queued.
bool wants_queue(const http::request& x);

/// The locks that the request shows; see `checked_lock_proofs`.
std::vector<lock_proof> read_locks(const http::request& x);

// -- answers -----------------------------------------------------------------

http::response error_answer(const error& reason);

http::response json_answer(std::string body);

/// In UTC, with milliseconds.
std::string to_rfc3339(std::chrono::system_clock::time_point time);

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

  /// What is known of the answer, if it ends well: status and fields.
  http::response answer;

  /// Whether an answer that ends well shows the result.
  bool has_body = true;

  /// The number of its wait for a lock; 0: none.
  uint64_t lock_wait = 0;

  /// Called when it runs, and its client may have gone.
  std::function<void()> on_hang_up;

  /// Called once the exchange is answered, whatever became of the call.
  std::function<void()> on_end;

  // -- from any thread -------------------------------------------------------

  /// Whoever answered it is done with the gateway.
  std::atomic<bool> posted{false};
};

/// What is shown, and what it has called when it ended: `followUps`.
struct gateway::followed {
  std::string to_json() const;

  /// A JSON object, without them.
  std::string text;

  /// The ids that were not asked for yet, the first one last.
  std::vector<invocation_id> missing{};
  std::vector<work_view> found{};
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

// -- answers that come from other threads ------------------------------------

template <class T, class F, class G>
state_store::callback<T> gateway::come_back(http_call& call, F then,
                                            G unwanted) {
  caf::intrusive_ptr<http_call> held{&call};
  auto tell = [self = self_, held, then, unwanted](expected<T> found) {
    if (!*self || !held->exchange)
      return unwanted(found);
    try {
      then(**self, *held, std::move(found));
    } catch (const std::exception& e) { // not what this version writes
      if (held->exchange)
        (*self)->conclude(*held, error{errc::internal_error, effect::unknown,
                                       std::string{"what the store has cannot "
                                                   "be read: "}
                                         + e.what()});
    }
  };
  return
    [back = way_back_, tell = std::move(tell), unwanted](expected<T> found) {
      if (back->delivers_here())
        tell(std::move(found));
      else if (!back->send(found, tell))
        unwanted(found);
    };
}

template <class T, class F>
state_store::callback<T> gateway::come_back(http_call& call, F then) {
  return come_back<T>(call, std::move(then), [](const expected<T>&) {});
}

} // namespace troupe
