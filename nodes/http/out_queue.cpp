#include "nodes/http/socket_io.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>

namespace troupe::http {

namespace {

/// A body up to this many bytes is cheaper to copy than to name.
constexpr size_t copied_body_max = 4096;

/// What an idle queue keeps of its text's memory.
constexpr size_t kept_capacity = 4096;

} // namespace

void out_queue::add(std::string&& body) {
  if (body.size() <= copied_body_max) {
    text_.append(body);
    return;
  }
  bodies_bytes_ += body.size();
  pieces_.push_back({text_.size(), std::move(body)});
}

out_queue::result out_queue::flush(int fd, std::vector<std::string>& done,
                                   size_t& sent) {
  while (!empty()) {
    auto n = send_some(fd);
    if (n < 0) {
      if (errno == EINTR)
        continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? result::blocked
                                                     : result::broken;
    }
    sent += static_cast<size_t>(n);
    sent_ += static_cast<size_t>(n);
  }
  for (auto& x : pieces_)
    done.push_back(std::move(x.body));
  clear();
  return result::done;
}

void out_queue::clear() {
  text_.clear();
  if (text_.capacity() > kept_capacity)
    text_.shrink_to_fit();
  pieces_.clear();
  bodies_bytes_ = sent_ = 0;
}

ssize_t out_queue::send_some(int fd) const {
  if (!pieces_.empty())
    return send_pieces(fd);
  return ::send(fd, text_.data() + sent_, text_.size() - sent_, MSG_NOSIGNAL);
}

ssize_t out_queue::send_pieces(int fd) const {
  std::array<iovec, 32> parts;
  size_t count = 0;
  auto skip = sent_;
  auto add = [&](const char* data, size_t size) {
    auto skipped = std::min(skip, size);
    skip -= skipped;
    if (size > skipped && count < parts.size())
      parts[count++] = {const_cast<char*>(data) + skipped, size - skipped};
  };
  size_t text = 0;
  for (const auto& x : pieces_) {
    add(text_.data() + text, x.text_end - text);
    add(x.body.data(), x.body.size());
    text = x.text_end;
  }
  add(text_.data() + text, text_.size() - text);
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

} // namespace troupe::http
