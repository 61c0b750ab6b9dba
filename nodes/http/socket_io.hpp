// The two system calls that move the bytes of HTTP, with the care that keeps
// them from being copied or cleared on the way. Internal to nodes/http.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::http {

/// Receives at most `max` bytes behind the end of `to`. A std::string would
/// clear the room that it makes; this leaves it as it is. Returns what recv
/// returns.
ssize_t receive_into(int fd, std::string& to, size_t max);

/// What is still to be sent: text (heads and small bodies, copied together)
/// and large bodies, which are kept as they came.
class out_queue {
public:
  enum class result { done, blocked, broken };

  /// Where to append text.
  std::string& text() { return text_; }

  /// Appends a body, by copy if it is small.
  void add(std::string&& body);

  bool empty() const { return size() == 0; }

  /// Unsent bytes.
  size_t size() const { return text_.size() + bodies_bytes_ - sent_; }

  /// Bytes of memory that it holds: a body is kept until all is sent.
  size_t held() const { return text_.size() + bodies_bytes_; }

  /// Sends without blocking. Bodies that were sent wholly are moved to `done`;
  /// adds to `sent` what the kernel took.
  result flush(int fd, std::vector<std::string>& done, size_t& sent);

  /// Forgets everything.
  void clear();

private:
  struct piece {
    size_t text_end; // the body goes out behind that much of the text
    std::string body;
  };

  ssize_t send_some(int fd) const;
  ssize_t send_pieces(int fd) const;

  std::string text_;
  std::vector<piece> pieces_;
  size_t bodies_bytes_ = 0;
  size_t sent_ = 0;
};

} // namespace troupe::http
