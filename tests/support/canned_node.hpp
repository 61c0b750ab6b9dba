// A node's HTTP side without a node: answers what a test tells it to, byte for
// byte, and remembers what it was asked. For tests of clients, and as somebody
// who is told of events.

#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::testing {

struct received_request {
  /// "POST /invoke/add HTTP/1.1" and the fields, each line ending with "\r\n".
  std::string head;

  std::string body;

  /// The first line without the version.
  std::string line() const;

  /// The value of a field; empty if there is none.
  std::string field(const std::string& name) const;
};

class canned_node {
public:
  /// The answer that never comes: the connection stays open until the peer
  /// closes it.
  static const std::string silence;

  /// What goes back, raw. Empty: the connection is closed without an answer.
  /// Several may be asked for at a time.
  using answer_function = std::function<std::string(const received_request&)>;

  explicit canned_node(answer_function answer);

  canned_node(const canned_node&) = delete;

  canned_node& operator=(const canned_node&) = delete;

  ~canned_node();

  /// "http://127.0.0.1:PORT"
  std::string url() const;

  /// All requests so far.
  std::vector<received_request> requests() const;

private:
  void run();
  void serve(int fd);

  answer_function answer_;
  uint16_t port_ = 0;
  int fd_;
  mutable std::mutex mutex_; // guards what follows
  std::vector<received_request> requests_;
  std::vector<int> open_;
  std::vector<std::thread> serving_;
  std::thread thread_;
};

/// An answer with status and type.
std::string http_answer(int status, const std::string& content_type,
                        const std::string& body);

/// A port of loopback on which nobody listens, and nobody else can.
class closed_port {
public:
  closed_port();

  closed_port(const closed_port&) = delete;

  closed_port& operator=(const closed_port&) = delete;

  ~closed_port();

  /// "http://127.0.0.1:PORT"
  std::string url() const;

private:
  uint16_t port_ = 0;
  int fd_;
};

} // namespace troupe::testing
