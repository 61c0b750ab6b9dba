#include "tests/support/raw_client.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace troupe::test {

namespace {

constexpr int patience_s = 20;

std::string lower(std::string_view x) {
  std::string result{x};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return result;
}

std::string member(const std::string& body, const char* name) {
  auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains(name) || !json[name].is_string())
    return {};
  return json[name].get<std::string>();
}

} // namespace

std::string http_answer::field(std::string_view name) const {
  auto key = "\r\n" + lower(name) + ": ";
  auto first = lower(head).find(key);
  if (first == std::string::npos)
    return {};
  first += key.size();
  return head.substr(first, head.find("\r\n", first) - first);
}

std::string http_answer::error_type() const {
  return member(body, "errorType");
}

std::string http_answer::effect() const {
  return member(body, "effect");
}

raw_client::raw_client(uint16_t port, int receive_buffer)
  : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                 sizeof(receive_buffer));
  timeval patience{patience_s, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    ::close(fd_);
    throw std::runtime_error("cannot connect");
  }
}

raw_client::~raw_client() {
  if (fd_ >= 0)
    ::close(fd_);
}

void raw_client::be_patient(std::chrono::seconds time) {
  timeval patience{time.count(), 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void raw_client::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void raw_client::reset() {
  linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(std::exchange(fd_, -1));
}

bool raw_client::fill() {
  char bytes[64 * 1024];
  ssize_t n = -1;
  do
    n = ::recv(fd_, bytes, sizeof(bytes), 0);
  while (n < 0 && errno == EINTR); // some process of the test's has ended
  if (n > 0) {
    buffer_.append(bytes, static_cast<size_t>(n));
    return true;
  }
  if (n < 0) {
    reset_ = errno == ECONNRESET || errno == EPIPE;
    EXPECT_TRUE(reset_) << "the server neither answered nor closed: "
                        << std::strerror(errno);
  }
  return false;
}

http_answer raw_client::read(bool has_body) {
  for (;;) {
    // Takes nothing off while it is incomplete.
    if (auto answer = take_answer(buffer_, has_body); answer.status != 0)
      return answer;
    if (!fill())
      return {};
  }
}

std::string raw_client::read_rest() {
  while (fill())
    ;
  return std::exchange(buffer_, {});
}

bool raw_client::at_end() {
  auto rest = read_rest();
  EXPECT_EQ(rest, "");
  return rest.empty() && !reset_;
}

bool raw_client::is_closed() {
  char byte;
  auto n = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

bool raw_client::is_cut_off() {
  pollfd waits{fd_, 0, 0}; // errors only
  return ::poll(&waits, 1, patience_s * 1000) == 1
         && (waits.revents & (POLLERR | POLLHUP)) != 0;
}

http_answer take_answer(std::string& bytes, bool has_body) {
  http_answer result;
  auto end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || bytes.compare(0, 9, "HTTP/1.1 ") != 0)
    return {};
  result.head = bytes.substr(0, end + 2);
  auto length = result.field("content-length");
  auto size = length.empty() || !has_body ? 0 : std::stoul(length);
  if (bytes.size() < end + 4 + size)
    return {};
  result.body = bytes.substr(end + 4, size);
  result.status = static_cast<unsigned>(std::stoul(bytes.substr(9, 3)));
  bytes.erase(0, end + 4 + size);
  return result;
}

http_answer ask(uint16_t port, std::string_view bytes) {
  raw_client client{port};
  client.send(bytes);
  return client.read();
}

} // namespace troupe::test
