// What the connections of one I/O thread share: the loop, the handler, one
// buffer that every read goes through (so that an idle connection owns none),
// the pool of large bodies, the counters and the clock that cuts off the slow.
// Internal to nodes/http.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/http/handler.hpp"
#include "nodes/http/io_thread.hpp"
#include "nodes/http/options.hpp"

namespace troupe::http {

class connection;

/// Written by one thread, read by any.
class counter {
public:
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
  }

  void subtract(uint64_t n) { add(~n + 1); }

  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<uint64_t> value_{0};
};

class worker {
public:
  explicit worker(const options& limits);

  ~worker();

  // -- from any thread --------------------------------------------------------

  io_thread& loop() { return loop_; }

  const options& limits() const { return limits_; }

  /// A thread's whole life: makes the handler, calls `ready`, runs the loop
  /// until it is stopped, tears down. Throws what `make` throws.
  void run(const handler_factory& make, const std::function<void()>& ready);

  counter connections;
  counter accepted;
  counter turned_away;
  counter requests;
  counter refused;
  counter bytes_in;
  counter bytes_out;

  /// Connections that were handed over to this thread and are not closed.
  std::atomic<size_t> load{0};

  // -- from its own thread ----------------------------------------------------

  /// Takes over a connected socket.
  void adopt(int fd);

  /// Takes over a socket that is one too many: answers 429 and closes it.
  void turn_away(int fd);

  /// From now on each answer is its connection's last; idle connections close.
  void drain();

  bool is_draining() const { return draining_; }

  // -- for its connections ----------------------------------------------------

  http::handler& handler() { return *handler_; }

  /// Bytes that were just read, good until the next read on this thread.
  std::array<char, 64 * 1024>& scratch() { return scratch_; }

  /// The value of the Date field.
  std::string_view date();

  /// Where bodies go once they are sent; see `recycle_sent`.
  std::vector<std::string>& sent_bodies() { return sent_bodies_; }

  /// Keeps the memory of the sent bodies, within the pool's bound.
  void recycle_sent();

  /// Keeps the memory of a body, within the pool's bound.
  void recycle(std::string&& body);

  /// An empty string for a large body: with room for it, if the pool has one.
  std::string take_body(size_t size);

  /// Counts `now` instead of `before` bytes of a body that is not answered yet;
  /// false, and nothing is counted, if that is too much.
  bool charge(size_t before, size_t now);

  /// Counts `now` instead of `before` bytes of answers that are not sent yet,
  /// in the same account: an answer is never too much, but what comes after it.
  void charge_answers(size_t before, size_t now) {
    charged_ = charged_ - before + now;
  }

  /// The connection has closed its socket.
  void closed(connection& x);

  /// Nobody knows the connection any more.
  void retire(connection& x);

private:
  connection& add(int fd);
  void sweep();
  void give_back_memory();
  void schedule_sweep();
  void tear_down();

  const options& limits_;
  io_thread loop_;
  std::unique_ptr<http::handler> handler_;
  connection* first_ = nullptr;
  size_t turned_away_open_ = 0;
  bool draining_ = false;
  bool sweeping_ = false;
  bool large_bodies_ = false; // since the last sweep
  bool has_peaked_ = false;   // since memory was given back
  size_t charged_ = 0;
  size_t pool_bytes_ = 0;
  std::vector<std::string> pool_;
  std::vector<std::string> sent_bodies_;
  int64_t date_second_ = -1;
  std::array<char, 32> date_{};
  alignas(64) std::array<char, 64 * 1024> scratch_;
};

} // namespace troupe::http
