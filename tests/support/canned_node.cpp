#include "tests/support/canned_node.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::testing {

namespace {

int bind_loopback(uint16_t& port) {
  auto fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, any, size) != 0 || getsockname(fd, any, &size) != 0)
    throw std::runtime_error{"no socket on loopback"};
  port = ntohs(address.sin_port);
  return fd;
}

std::string url_of(uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

/// @returns false if the peer sends no more
bool receive(int fd, std::string& to) {
  char buffer[65536];
  auto count = recv(fd, buffer, sizeof buffer, 0);
  if (count > 0)
    to.append(buffer, static_cast<size_t>(count));
  return count > 0;
}

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto count = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return;
    text.remove_prefix(static_cast<size_t>(count));
  }
}

} // namespace

const std::string canned_node::silence{"\0", 1};

std::string received_request::line() const {
  return head.substr(0, head.find(" HTTP/"));
}

std::string received_request::field(const std::string& name) const {
  auto begin = head.find("\r\n" + name + ": ");
  if (begin == head.npos)
    return "";
  begin += name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

canned_node::canned_node(answer_function answer)
  : answer_(std::move(answer)), fd_(bind_loopback(port_)) {
  if (listen(fd_, SOMAXCONN) != 0)
    throw std::runtime_error{"cannot listen"};
  thread_ = std::thread{[this] { run(); }};
}

canned_node::~canned_node() {
  shutdown(fd_, SHUT_RDWR);
  thread_.join();
  {
    std::lock_guard guard{mutex_};
    for (auto x : open_)
      shutdown(x, SHUT_RDWR);
  }
  for (auto& x : serving_)
    x.join();
  close(fd_);
}

std::string canned_node::url() const {
  return url_of(port_);
}

std::vector<received_request> canned_node::requests() const {
  std::lock_guard guard{mutex_};
  return requests_;
}

void canned_node::run() {
  for (;;) {
    auto fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
      return;
    std::lock_guard guard{mutex_};
    open_.push_back(fd);
    serving_.emplace_back([this, fd] {
      serve(fd);
      std::lock_guard guard{mutex_};
      std::erase(open_, fd);
      close(fd);
    });
  }
}

void canned_node::serve(int fd) {
  received_request request;
  auto& head = request.head;
  size_t end = 0;
  while ((end = head.find("\r\n\r\n")) == head.npos)
    if (!receive(fd, head))
      return;
  request.body = head.substr(end + 4);
  head.resize(end + 2);
  auto length = request.field("Content-Length");
  auto size = length.empty() ? 0 : std::stoul(length);
  while (request.body.size() < size)
    if (!receive(fd, request.body))
      return;
  {
    std::lock_guard guard{mutex_};
    requests_.push_back(request);
  }
  auto answer = answer_(request);
  if (answer != silence)
    return send_all(fd, answer);
  std::string more;
  while (receive(fd, more))
    more.clear();
}

std::string http_answer(int status, const std::string& content_type,
                        const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: "
         + content_type + "\r\nContent-Length: " + std::to_string(body.size())
         + "\r\n\r\n" + body;
}

closed_port::closed_port() : fd_(bind_loopback(port_)) {
  // Bound, but not listening: connections are refused.
}

closed_port::~closed_port() {
  close(fd_);
}

std::string closed_port::url() const {
  return url_of(port_);
}

} // namespace troupe::testing
