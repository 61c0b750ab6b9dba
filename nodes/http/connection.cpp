#include "nodes/http/connection.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <new>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::http {

namespace {

using linger_option = ::linger;

constexpr auto never = io_thread::clock::time_point::max();

/// A large body gets its whole room only when that much of it has come, so that
/// a stranger's Content-Length alone costs nothing.
constexpr size_t first_room = 64 * 1024;

/// What a connection keeps of a buffer's memory between requests.
constexpr size_t kept_capacity = 4096;

/// How often one turn reads from one connection's body.
constexpr int reads_per_turn = 16;

void append_number(std::string& to, size_t x) {
  char digits[20];
  auto* end = digits + sizeof(digits);
  auto* first = end;
  do
    *--first = static_cast<char>('0' + x % 10);
  while ((x /= 10) != 0);
  to.append(first, end);
}

bool may_have_body(unsigned status) {
  return status >= 200 && status != 204 && status != 304;
}

} // namespace

connection::connection(worker& owner, int fd)
  : owner_(owner), fd_(fd), read_deadline_(never), write_deadline_(never) {
  parser_.emplace(owner_.limits(), request_);
}

connection::~connection() {
  if (fd_ >= 0)
    ::close(fd_);
}

void connection::start() {
  read_deadline_ = now() + owner_.limits().idle_time;
  watched_ = EPOLLIN;
  if (!owner_.loop().watch(fd_, watched_, this))
    lost();
}

void connection::turn_away() {
  turned_away_ = true;
  auto answer =
    error_response(429, "too_many_requests", "too many connections");
  answer.add("Retry-After", "1");
  write_head(answer, false);
  out_.add(std::move(answer.body));
  phase_ = phase::finishing;
  watched_ = EPOLLIN;
  if (owner_.loop().watch(fd_, watched_, this))
    settle();
  else
    lost();
}

void connection::on_ready(uint32_t events) {
  try {
    handle_events(events);
  } catch (const std::bad_alloc&) {
    // No memory for this one; the others go on.
    if (fd_ >= 0)
      cut_off();
  }
}

void connection::handle_events(uint32_t events) {
  if ((events & EPOLLOUT) != 0 && fd_ >= 0)
    settle();
  if (fd_ < 0)
    return;
  if ((events & EPOLLIN) != 0)
    on_readable();
  else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
    lost();
}

// -- reading ------------------------------------------------------------------

void connection::on_readable() {
  switch (phase_) {
  case phase::head:
  case phase::chunks:
  case phase::answering:
    return read_some();
  case phase::body:
    return read_body();
  case phase::lingering:
    return discard();
  case phase::finishing:
  case phase::closed:
    return;
  }
}

void connection::read_some() {
  auto& scratch = owner_.scratch();
  auto n = ::recv(fd_, scratch.data(), scratch.size(), 0);
  if (n > 0) {
    owner_.bytes_in.add(static_cast<size_t>(n));
    feed(scratch.data(), static_cast<size_t>(n));
    settle();
  } else if (n == 0) {
    on_eof();
  } else if (errno != EAGAIN && errno != EINTR) {
    lost();
  }
}

void connection::read_body() {
  auto& body = request_.body();
  for (int i = 0; i < reads_per_turn; ++i) {
    if (body.capacity() == body.size())
      body.reserve(body.size() + body_left_);
    auto max = std::min(body_left_, body.capacity() - body.size());
    auto n = receive_into(fd_, body, max);
    if (n == 0)
      return on_eof();
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR)
        return lost();
      break;
    }
    owner_.bytes_in.add(static_cast<size_t>(n));
    body_left_ -= static_cast<size_t>(n);
    note_progress(static_cast<size_t>(n));
    if (body_left_ == 0) {
      dispatch();
      break;
    }
    if (static_cast<size_t>(n) < max)
      break;
  }
  settle();
}

void connection::discard() {
  auto& scratch = owner_.scratch();
  auto n = ::recv(fd_, scratch.data(), scratch.size(), 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    lost();
}

void connection::on_eof() {
  eof_ = true;
  if (phase_ == phase::answering)
    tell_aborted();
  if (fd_ >= 0)
    settle();
}

void connection::feed(const char* data, size_t size) {
  if (!in_.empty()) {
    in_.append(data, size);
    return feed_again();
  }
  auto used = consume(data, size);
  if (used < size)
    in_.assign(data + used, size - used);
}

void connection::feed_again() {
  in_.erase(0, consume(in_.data(), in_.size()));
  if (in_.empty() && in_.capacity() > kept_capacity)
    in_.shrink_to_fit();
}

size_t connection::consume(const char* data, size_t size) {
  size_t used = 0;
  auto goes_on = true;
  while (goes_on) {
    switch (phase_) {
    case phase::head:
      goes_on = consume_head(data, size, used);
      break;
    case phase::body:
      goes_on = consume_body(data, size, used);
      break;
    case phase::chunks:
      goes_on = consume_chunks(data, size, used);
      break;
    case phase::answering:
      return used;
    case phase::finishing:
    case phase::lingering:
    case phase::closed:
      return size;
    }
  }
  return used;
}

bool connection::consume_head(const char* data, size_t size, size_t& used) {
  // RFC 9112, 2.2: empty lines before a request are to be ignored.
  while (size - used >= 2 && data[used] == '\r' && data[used + 1] == '\n')
    used += 2;
  if (used == size || (size - used == 1 && data[used] == '\r'))
    return false;
  if (out_.size() > owner_.limits().unsent_bytes_max) {
    stalled_ = true;
    return false;
  }
  switch (parser_->head(data + used, size - used)) {
  case parsed::partly:
    if (!std::exchange(in_head_, true))
      read_deadline_ = now() + owner_.limits().head_time;
    return false;
  case parsed::refused:
    refuse(parser_->why());
    return true;
  case parsed::wholly:
    used += parser_->head_size();
    begin_body(used < size);
    return true;
  }
  return false;
}

void connection::begin_body(bool has_begun) {
  in_head_ = false;
  if (!parser_->is_chunked()) {
    body_left_ = parser_->content_length();
    if (body_left_ == 0)
      return dispatch();
    if (!charge(body_left_))
      return;
  }
  phase_ = parser_->is_chunked() ? phase::chunks : phase::body;
  progress_ = 0;
  read_deadline_ = now() + owner_.limits().body_progress_time;
  if (body_left_ > first_room)
    request_.body() = owner_.take_body(body_left_);
  request_.body().reserve(std::min(body_left_, first_room));
  if (parser_->expects_continue() && !has_begun)
    out_.text().append("HTTP/1.1 100 Continue\r\n\r\n");
}

bool connection::consume_body(const char* data, size_t size, size_t& used) {
  auto n = std::min(body_left_, size - used);
  request_.body().append(data + used, n);
  body_left_ -= n;
  used += n;
  note_progress(n);
  if (body_left_ != 0)
    return false;
  dispatch();
  return true;
}

bool connection::consume_chunks(const char* data, size_t size, size_t& used) {
  if (used == size)
    return false;
  size_t n = 0;
  auto result = parser_->chunks(data + used, size - used, n);
  if (result == parsed::refused) {
    refuse(parser_->why());
    return true;
  }
  used += n;
  if (!charge(request_.body().size()))
    return true;
  if (result == parsed::wholly) {
    dispatch();
    return true;
  }
  note_progress(n);
  return false;
}

bool connection::charge(size_t body_bytes) {
  if (!owner_.charge(charged_, body_bytes)) {
    refuse({429, "too_many_requests", "too many bodies are being read"});
    return false;
  }
  charged_ = body_bytes;
  return true;
}

void connection::charge_answers() {
  auto before = std::exchange(unsent_, out_.held());
  owner_.charge_answers(before, unsent_);
}

void connection::dispatch() {
  phase_ = phase::answering;
  read_deadline_ = never;
  body_left_ = 0;
  owner_.requests.add(1);
  handling_ = true;
  try {
    owner_.handler().handle(*this);
  } catch (...) {
    if (phase_ == phase::answering)
      respond(error_response(500, "internal_error",
                             "the handler of the request failed", "unknown"));
  }
  handling_ = false;
}

// -- writing ------------------------------------------------------------------

void connection::respond(response&& answer) {
  assert(phase_ == phase::answering || fd_ < 0);
  if (fd_ < 0) {
    owner_.charge(std::exchange(charged_, 0), 0);
    return owner_.retire(*this);
  }
  auto keep = request_.keep_alive() && !answer.close && !owner_.is_draining();
  write_head(answer, keep);
  if (request_.method() != method::head && may_have_body(answer.status))
    out_.add(std::move(answer.body));
  if (request_.body().capacity() > kept_capacity)
    owner_.recycle(std::move(request_.body()));
  next_request(keep);
  if (handling_)
    return;
  if (keep && !in_.empty())
    feed_again();
  settle();
}

void connection::next_request(bool keep) {
  tag = 0;
  told_ = false;
  told_gone_ = false;
  owner_.charge(std::exchange(charged_, 0), 0);
  charge_answers();
  phase_ = keep ? phase::head : phase::finishing;
  read_deadline_ = keep ? now() + owner_.limits().idle_time : never;
  parser_.emplace(owner_.limits(), request_);
}

void connection::write_head(const response& answer, bool keep) {
  auto& text = out_.text();
  if (answer.status == 200) {
    text.append("HTTP/1.1 200 OK\r\nDate: ");
  } else {
    text.append("HTTP/1.1 ");
    append_number(text, answer.status);
    text.append(" ").append(reason(answer.status)).append("\r\nDate: ");
  }
  text.append(owner_.date());
  if (may_have_body(answer.status)) {
    text.append("\r\nContent-Length: ");
    append_number(text, answer.body.size());
  }
  text.append("\r\n").append(answer.fields);
  if (!keep)
    text.append("Connection: close\r\n");
  else if (request_.version() == 10)
    text.append("Connection: keep-alive\r\n");
  text.append("\r\n");
}

void connection::refuse(const refusal& why) {
  owner_.refused.add(1);
  auto answer = error_response(why.status, why.error_type, why.text);
  if (why.status == 429)
    answer.add("Retry-After", "1");
  write_head(answer, false);
  if (request_.method() != method::head)
    out_.add(std::move(answer.body));
  next_request(false);
}

bool connection::flush() {
  size_t sent = 0;
  auto result = out_.flush(fd_, owner_.sent_bodies(), sent);
  owner_.bytes_out.add(sent);
  owner_.recycle_sent();
  charge_answers();
  if (result == out_queue::result::broken) {
    lost();
    return false;
  }
  if (result == out_queue::result::blocked)
    if (sent > 0 || (watched_ & EPOLLOUT) == 0)
      write_deadline_ = now() + owner_.limits().write_progress_time;
  return true;
}

void connection::settle() {
  if (fd_ < 0)
    return;
  for (;;) {
    if (eof_)
      end_input();
    if (!out_.empty() && !flush())
      return;
    if (!stalled_ || !out_.empty())
      break;
    stalled_ = false;
    feed_again();
  }
  if (out_.empty() && phase_ == phase::finishing)
    return linger();
  watch();
}

void connection::end_input() {
  if (phase_ == phase::head && in_.empty())
    phase_ = phase::finishing;
  else if ((phase_ == phase::head && !stalled_) || phase_ == phase::body
           || phase_ == phase::chunks)
    refuse({400, "bad_request", "the request is incomplete"});
}

void connection::watch() {
  auto full = in_.size() >= owner_.limits().read_ahead_bytes_max;
  auto waits = phase_ == phase::answering || stalled_;
  auto reads = !eof_ && phase_ != phase::finishing && !(waits && full);
  uint32_t events = 0;
  if (reads)
    events |= EPOLLIN;
  if (!out_.empty())
    events |= EPOLLOUT;
  if (events == watched_)
    return;
  watched_ = events;
  owner_.loop().rewatch(fd_, events, this);
}

void connection::linger() {
  if (eof_)
    return lost();
  in_.clear();
  ::shutdown(fd_, SHUT_WR);
  phase_ = phase::lingering;
  read_deadline_ = now() + owner_.limits().linger_time;
  watch();
}

// -- time ---------------------------------------------------------------------

void connection::check_time() {
  if (fd_ < 0)
    return;
  if (!out_.empty()) {
    if (now() >= write_deadline_)
      cut_off();
  } else if (now() >= read_deadline_) {
    on_read_timeout();
  }
}

void connection::on_read_timeout() {
  if (phase_ == phase::lingering || (phase_ == phase::head && !in_head_))
    return lost();
  refuse({408, "request_timeout", "the request took too long to arrive"});
  settle();
}

void connection::note_progress(size_t bytes) {
  progress_ += bytes;
  if (progress_ < owner_.limits().body_progress_bytes)
    return;
  progress_ = 0;
  read_deadline_ = now() + owner_.limits().body_progress_time;
}

// -- ending -------------------------------------------------------------------

void connection::close_if_idle() {
  if (fd_ >= 0 && phase_ == phase::head)
    read_some(); // what has come is still answered
  if (fd_ < 0 || phase_ != phase::head || in_head_ || !out_.empty())
    return;
  // Who has been silent for long has seen its last answer.
  auto silent_since = read_deadline_ - owner_.limits().idle_time;
  phase_ = phase::finishing;
  settle();
  if (phase_ != phase::lingering)
    return;
  read_deadline_ = silent_since + owner_.limits().linger_time;
  if (now() >= read_deadline_)
    lost();
}

void connection::lost() {
  auto owes = phase_ == phase::answering;
  ::close(std::exchange(fd_, -1));
  phase_ = phase::closed;
  out_.clear();
  charge_answers();
  in_ = {};
  owner_.closed(*this);
  if (owes)
    return tell_aborted();
  owner_.charge(std::exchange(charged_, 0), 0);
  owner_.retire(*this);
}

void connection::cut_off() {
  // A reset, or the kernel would go on to hold what the client does not take.
  linger_option at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  lost();
}

void connection::abandon() {
  if (phase_ == phase::answering)
    lost();
}

void connection::tell_aborted() {
  if (!std::exchange(is_gone() ? told_gone_ : told_, true))
    owner_.handler().aborted(*this);
}

} // namespace troupe::http
