// The seam between the bytes of HTTP and what a node does with a request. The
// server calls a handler on the I/O thread that read the request; the handler
// answers at once or keeps the exchange and answers later, from that thread.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "nodes/http/io_thread.hpp"
#include "nodes/http/message.hpp"

namespace troupe::http {

/// One request in flight and the obligation to answer it. It lives until
/// `respond`, even when its client is gone by then; all of it belongs to its
/// I/O thread.
class exchange {
public:
  /// The request; its views are good until `respond`.
  http::request& request() { return request_; }

  const http::request& request() const { return request_; }

  /// Answers. To be called exactly once, also after `handler::aborted`; the
  /// exchange is gone afterwards. Answers leave in the order of the requests.
  virtual void respond(response&& answer) = 0;

  /// Whether the client is known to be unable to read an answer.
  virtual bool is_gone() const = 0;

  /// For the handler's own use: 0 for each new request.
  uint64_t tag = 0;

protected:
  ~exchange() = default;

  http::request request_;
};

/// What answers the requests of one I/O thread.
class handler {
public:
  virtual ~handler() = default;

  /// A request is complete. The connection's next one is not begun before this
  /// one is answered. An exception is answered with 500.
  virtual void handle(exchange& x) = 0;

  /// The client hung up before it had its answer; never called from within
  /// `handle`. It may only have closed its sending side (then `is_gone` is
  /// false, and an answer still reaches it); once it is gone altogether, or the
  /// server ends, this is called again with `is_gone`. May respond.
  virtual void aborted(exchange& x) noexcept = 0;
};

/// Makes the handler of a thread, on that thread.
using handler_factory =
  std::function<std::unique_ptr<handler>(io_thread& thread)>;

} // namespace troupe::http
