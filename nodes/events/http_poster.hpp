// POSTs to servers of others, through libcurl, on a thread of its own: many at a
// time, none of them waited for. Certificates must be good for the system's
// authorities; redirects are not followed, for nobody has said that what is sent
// may go there.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "nodes/events/receiver_login.hpp"

namespace troupe {

/// A request.
struct http_post {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  receiver_login login{};
};

struct http_poster_options {
  /// From the first step of a connection to the end of the answer.
  std::chrono::milliseconds timeout{30'000};

  /// Under way at a time; past it one more is refused, and may come again.
  size_t in_flight_max = 4096;

  /// Is told of a failure of this node's own, on its thread. May be empty.
  std::function<void(const std::string&)> on_fault{};
};

/// Thread-safe.
class http_poster {
public:
  using callback = std::function<void(expected<unsigned>)>;

  explicit http_poster(http_poster_options options);

  http_poster(const http_poster&) = delete;

  /// As `stop`, without patience.
  ~http_poster();

  /// `done` gets the status, which is of 2xx, or what became of it:
  ///
  /// | | errorType | effect |
  /// |---|---|---|
  /// | no connection, or no password | `receiver_unreachable` | none |
  /// | 408, 425, 429, 503 | `receiver_busy`, with its Retry-After | none |
  /// | another 5xx, or a connection that broke | `receiver_failed` | unknown |
  /// | no answer in time | `deadline_exceeded` | unknown |
  /// | any other answer | `bad_request` | none |
  ///
  /// The last is for good; after the others it may be tried again.
  void post(http_post what, callback done);

  /// What is under way gets `patience`; then it is cut off, and told that the
  /// node leaves. So is what comes later.
  void stop(std::chrono::milliseconds patience);

private:
  class engine;

  std::unique_ptr<engine> engine_;
};

} // namespace troupe
