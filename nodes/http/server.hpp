// The byte level of HTTP: sockets, framing, limits and time-outs, and nothing
// about what a request means. RFC 9110 and 9112; HTTP/1.0 and 1.1.
//
//   http::server s{options, [&](http::io_thread& t) {
//     return std::make_unique<my_handler>(t);
//   }};
//   s.start();                // throws if it cannot listen
//   ...
//   s.stop_accepting();
//   s.drain(5s);              // waits for the answers that are owed
//   s.stop();
//
// One thread accepts and hands each connection to the thread with the fewest.
// Past `connections_max`, a connection is answered 429 with Retry-After (never
// left hanging in the kernel's queue) and closed.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "nodes/http/handler.hpp"
#include "nodes/http/options.hpp"

namespace troupe::http {

class worker;

/// What a server has done since its start, summed over its threads.
struct statistics {
  /// Open connections.
  uint64_t connections = 0;

  /// Connections that were taken.
  uint64_t accepted = 0;

  /// Connections that were one too many.
  uint64_t turned_away = 0;

  /// Requests that reached a handler.
  uint64_t requests = 0;

  /// Requests that did not, because something was wrong with them.
  uint64_t refused = 0;

  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

class server {
public:
  server(options limits, handler_factory make_handler);

  server(const server&) = delete;

  server& operator=(const server&) = delete;

  /// Stops, if it was started.
  ~server();

  /// Listens and serves. Throws `std::system_error` that names the address if
  /// it cannot listen there, or what a handler's factory throws.
  void start();

  /// The port on which it listens.
  uint16_t port() const { return port_; }

  /// Takes no more connections; what waits in the kernel's queue is taken
  /// first.
  void stop_accepting();

  /// Lets each connection have the answer that it waits for, then closes it.
  /// Returns whether all have gone before the time was up.
  bool drain(std::chrono::milliseconds time);

  /// Closes every connection and ends the threads. Each exchange that still
  /// waits is told to its handler as aborted.
  void stop();

  statistics stats() const;

  size_t threads() const { return workers_.size(); }

  /// The I/O thread of that index.
  io_thread& thread(size_t i);

private:
  class acceptor;

  /// Connections that were taken and are not closed, also those that are on
  /// their way to their thread.
  size_t load() const;

  void run_workers();
  void on_each_worker(void (worker::*what)());

  options limits_;
  handler_factory make_handler_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<acceptor> acceptor_;
};

} // namespace troupe::http
