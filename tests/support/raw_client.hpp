// A client that sends the bytes it is told to, right or wrong: what tests of
// the HTTP server speak. Every read is bounded, so that a server that hangs
// fails a test rather than stopping it.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::test {

/// One answer as it came.
struct http_answer {
  /// 0 if there was none.
  unsigned status = 0;

  /// The status line and the fields.
  std::string head;

  std::string body;

  /// The value of a field, "" if there is none.
  std::string field(std::string_view name) const;

  /// `errorType` of the body, "" if the body is no such object.
  std::string error_type() const;

  /// `effect` of the body, "" if the body is no such object.
  std::string effect() const;
};

/// A TCP connection to a port of this machine.
class raw_client {
public:
  explicit raw_client(uint16_t port, int receive_buffer = 0);

  raw_client(const raw_client&) = delete;

  raw_client& operator=(const raw_client&) = delete;

  ~raw_client();

  /// An answer may take that long, in place of 20 s.
  void be_patient(std::chrono::seconds time);

  /// Sends all of it; false if the other side is gone.
  bool send(std::string_view bytes);

  /// Sends no more, reads on.
  void half_close();

  /// Closes at once with a reset.
  void reset();

  /// Reads one answer. `has_body` is false for an answer to HEAD.
  http_answer read(bool has_body = true);

  /// Reads until the other side closes; fails the test if it does not.
  std::string read_rest();

  /// Whether the other side has closed, after no more bytes, without a reset.
  bool at_end();

  /// Whether the other side has closed by now, or broken it off, and nothing is
  /// left to read. Does not wait.
  bool is_closed();

  /// Waits, reading nothing, until the connection is broken.
  bool is_cut_off();

private:
  bool fill();

  int fd_;
  std::string buffer_;
  bool reset_ = false;
};

/// `send`s and `read`s on a connection of its own.
http_answer ask(uint16_t port, std::string_view bytes);

/// Takes the first answer off `bytes`.
http_answer take_answer(std::string& bytes, bool has_body = true);

} // namespace troupe::test
