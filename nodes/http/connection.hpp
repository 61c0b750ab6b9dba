// One client's connection: reads requests, hands one at a time to the handler,
// writes answers in order, and judges the client by the clock. Internal to
// nodes/http.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/http/handler.hpp"
#include "nodes/http/request_parser.hpp"
#include "nodes/http/socket_io.hpp"
#include "nodes/http/worker.hpp"

namespace troupe::http {

class connection final : public pollable, public exchange {
public:
  connection(worker& owner, int fd);

  ~connection() override;

  // -- exchange ---------------------------------------------------------------

  void respond(response&& answer) override;

  bool is_gone() const override { return fd_ < 0; }

  // -- for its worker ---------------------------------------------------------

  void on_ready(uint32_t events) override;

  /// Begins to watch the socket.
  void start();

  /// Answers with an error instead of reading a request, then closes.
  void turn_away();

  bool is_turned_away() const { return turned_away_; }

  /// Cuts the client off if its time is up.
  void check_time();

  /// Closes the connection if it is between two requests.
  void close_if_idle();

  /// Tells the handler, if it still owes an answer, that none is wanted.
  void abandon();

  connection* prev = nullptr;
  connection* next = nullptr;

private:
  using time_point = io_thread::clock::time_point;

  /// Where the connection is.
  enum class phase : uint8_t {
    head,      ///< waits for, or is in, a request's head
    body,      ///< reads a body of known length
    chunks,    ///< reads a chunked body
    answering, ///< the handler owes an answer
    finishing, ///< writes its last answer
    lingering, ///< has written all; reads until the client closes too
    closed,    ///< has no socket any more
  };

  void handle_events(uint32_t events);

  // reading
  void on_readable();
  void read_some();
  void read_body();
  void discard();
  void on_eof();
  void feed(const char* data, size_t size);
  void feed_again();
  size_t consume(const char* data, size_t size);
  bool consume_head(const char* data, size_t size, size_t& used);
  bool consume_body(const char* data, size_t size, size_t& used);
  bool consume_chunks(const char* data, size_t size, size_t& used);
  void begin_body(bool has_begun);
  bool charge(size_t body_bytes);
  void charge_answers();
  void end_input();
  void dispatch();

  // writing
  void write_head(const response& answer, bool keep);
  void refuse(const refusal& why);
  void next_request(bool keep);
  bool flush();
  void settle();
  void watch();
  void linger();

  // time
  time_point now() const { return owner_.loop().now(); }
  void on_read_timeout();
  void note_progress(size_t bytes);

  // ending
  void lost();
  void cut_off();
  void close_socket();
  void tell_aborted();

  worker& owner_;
  int fd_;
  phase phase_ = phase::head;
  bool handling_ = false;
  bool in_head_ = false;
  bool eof_ = false;
  bool stalled_ = false;
  bool told_ = false;      // that the client sends no more
  bool told_gone_ = false; // that it reads no more
  bool turned_away_ = false;
  uint32_t watched_ = 0;
  size_t body_left_ = 0;
  size_t charged_ = 0; // bytes of the body that count against all bodies
  size_t unsent_ = 0;  // bytes of answers that do so too
  size_t progress_ = 0;
  time_point read_deadline_;
  time_point write_deadline_;
  std::string in_;
  out_queue out_;
  std::optional<request_parser> parser_;
};

} // namespace troupe::http
