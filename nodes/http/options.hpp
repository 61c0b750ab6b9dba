// Every bound of the HTTP server in one place, so that an operator can reason
// about the worst that a client may cost. Each is a limit on what a stranger
// may take from us: bytes, sockets or time.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::http {

struct options {
  /// Numeric IPv4 or IPv6 address to listen on.
  std::string address = "127.0.0.1";

  /// Port to listen on; 0 takes a free one, see `server::port`.
  uint16_t port = 8700;

  /// I/O threads. One serves some 100,000 small requests a second; more only
  /// help when cores are idle.
  unsigned threads = 1;

  /// Length of the kernel's queue of connections that wait for `accept`.
  int backlog = 1024;

  /// Open connections. One more is answered 429 with Retry-After and closed.
  size_t connections_max = 10'000;

  /// Bytes of a request's line and header together; past it 431. Also bounds
  /// the trailers of a chunked body.
  size_t head_bytes_max = 32 * 1024;

  /// Header fields of a request; past it 431.
  size_t fields_max = 100;

  /// Bytes of the request target; past it 414.
  size_t target_bytes_max = 8 * 1024;

  /// Bytes of a request's body; past it 413.
  size_t body_bytes_max = 6 * 1024 * 1024;

  /// Bytes of all the bodies together whose requests are not answered yet, and
  /// of the answers that are not sent yet; a request whose body goes past it is
  /// answered 429 with Retry-After. Each thread has its share.
  size_t bodies_bytes_max = 512 * 1024 * 1024;

  /// Bytes that are read ahead of a request that is still being answered.
  size_t read_ahead_bytes_max = 64 * 1024;

  /// Unsent answers past which no further pipelined request is begun.
  size_t unsent_bytes_max = 256 * 1024;

  /// Capacity of sent bodies that a thread keeps for the next ones while it is
  /// busy; an idle thread gives all of it back.
  size_t pool_bytes_max = 16 * 1024 * 1024;

  /// From the first byte of a request to the end of its head; past it 408.
  std::chrono::milliseconds head_time{10'000};

  /// In which a body must grow by `body_progress_bytes`; past it 408.
  std::chrono::milliseconds body_progress_time{10'000};

  /// What counts as progress of a body (or its rest, when that is less).
  size_t body_progress_bytes = 1024;

  /// How long a connection may stay silent between requests.
  std::chrono::milliseconds idle_time{75'000};

  /// In which a client must take at least one byte of its answer.
  std::chrono::milliseconds write_progress_time{75'000};

  /// How long a closed connection is still read, so that the client gets to
  /// see the last answer and not a reset.
  std::chrono::milliseconds linger_time{2'000};
};

} // namespace troupe::http
