#include "apps/bench/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto last_answers_time = std::chrono::seconds{10};

/// The head of an answer, as far as it matters here.
struct answer_head {
  int status = 0;
  size_t length = 0;
  bool retry_after = false;
};

answer_head parse_head(const std::string& text) {
  answer_head result;
  result.status = std::atoi(text.c_str() + std::min<size_t>(9, text.size()));
  auto line = text.find("\r\n");
  while (line != text.npos && line + 2 < text.size()) {
    auto field = text.c_str() + line + 2;
    if (::strncasecmp(field, "content-length:", 15) == 0)
      result.length = std::strtoull(field + 15, nullptr, 10);
    else if (::strncasecmp(field, "retry-after:", 12) == 0)
      result.retry_after = true;
    line = text.find("\r\n", line + 2);
  }
  return result;
}

class connection {
public:
  connection(uint16_t port, size_t group, const std::string& request)
    : group(group), request_(request) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0)
      throw cannot_measure{std::string{"cannot connect: "}
                           + std::strerror(errno)};
    int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  connection(const connection&) = delete;

  ~connection() { ::close(fd_); }

  int fd() const noexcept { return fd_; }

  bool broken() const noexcept { return broken_; }

  void call(clock::time_point when) {
    due = when;
    sent_ = 0;
    head_.clear();
    in_body_ = false;
    waits_ = true;
    send();
  }

  /// Goes on as far as it can; true if the answer became complete.
  bool go_on() {
    if (!waits_)
      return false;
    send();
    waits_ = !receive();
    return !waits_;
  }

  const size_t group;
  clock::time_point due;
  answer_head answer;

private:
  void send() {
    while (!broken_ && sent_ < request_.size()) {
      auto n = ::send(fd_, request_.data() + sent_, request_.size() - sent_,
                      MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        broken_ = errno != EAGAIN;
        return;
      }
      sent_ += static_cast<size_t>(n);
    }
  }

  bool receive() {
    for (;;) {
      std::array<char, 4096> bytes;
      // What a body says is of no interest: MSG_TRUNC drops it unread.
      auto n = in_body_ ? ::recv(fd_, nullptr, left_, MSG_DONTWAIT | MSG_TRUNC)
                        : ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (n <= 0) {
        broken_ = n == 0 || errno != EAGAIN;
        return false;
      }
      if (in_body_)
        left_ -= static_cast<size_t>(n);
      else if (!take_head({bytes.data(), static_cast<size_t>(n)}))
        continue;
      if (left_ == 0)
        return true;
    }
  }

  /// True if the head is complete.
  bool take_head(std::string_view bytes) {
    head_ += bytes;
    auto end = head_.find("\r\n\r\n");
    if (end == head_.npos)
      return false;
    answer = parse_head(head_.substr(0, end + 2));
    left_ = answer.length - (head_.size() - end - 4);
    in_body_ = true;
    return true;
  }

  int fd_ = -1;
  const std::string& request_;
  size_t sent_ = 0;
  std::string head_;
  size_t left_ = 0;
  bool in_body_ = false;
  bool waits_ = false;
  bool broken_ = false;
};

/// When the calls of one group are due, and who is free to make them.
struct schedule {
  std::deque<connection*> idle;
  clock::duration interval{}; // 0: whenever somebody is free
  clock::time_point next;
};

class load {
public:
  load(uint16_t port, const std::vector<load_group>& groups)
    : poll_(::epoll_create1(EPOLL_CLOEXEC)), results_(groups.size()),
      schedules_(groups.size()) {
    for (size_t i = 0; i < groups.size(); ++i)
      add_group(port, i, groups[i]);
  }

  ~load() { ::close(poll_); }

  std::vector<load_result> run(std::chrono::milliseconds time) {
    auto start = clock::now();
    for (auto& x : schedules_)
      x.next = start;
    auto end = start + time;
    for (auto now = start; now < end; now = clock::now())
      wait(make_due_calls(now, end) - now);
    auto last = clock::now() + last_answers_time;
    while (under_way_ > 0 && clock::now() < last)
      wait(last - clock::now());
    auto seconds = std::chrono::duration<double>(time).count();
    for (auto& x : results_)
      x.seconds = seconds;
    return std::move(results_);
  }

private:
  void add_group(uint16_t port, size_t index, const load_group& group) {
    auto& x = schedules_[index];
    if (group.rate > 0)
      x.interval = std::chrono::duration_cast<clock::duration>(
        std::chrono::duration<double>(1 / group.rate));
    for (size_t i = 0; i < group.connections; ++i) {
      connections_.push_back(
        std::make_unique<connection>(port, index, group.request));
      auto fresh = connections_.back().get();
      epoll_event wanted{};
      wanted.events = EPOLLIN | EPOLLOUT | EPOLLET;
      wanted.data.ptr = fresh;
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, fresh->fd(), &wanted);
      x.idle.push_back(fresh);
    }
  }

  /// Returns when the next one is due, at most `end`.
  clock::time_point make_due_calls(clock::time_point now,
                                   clock::time_point end) {
    for (auto& x : schedules_) {
      auto paced = x.interval.count() > 0;
      while (!x.idle.empty() && (!paced || x.next <= now)) {
        auto who = x.idle.front();
        x.idle.pop_front();
        ++under_way_;
        who->call(paced ? x.next : clock::now());
        x.next += x.interval;
      }
      if (paced && !x.idle.empty())
        end = std::min(end, x.next);
    }
    return end;
  }

  void wait(clock::duration longest) {
    auto ns = std::max<int64_t>(std::chrono::nanoseconds{longest}.count(), 0);
    timespec limit{ns / 1'000'000'000, ns % 1'000'000'000};
    std::array<epoll_event, 128> events;
    auto n =
      ::epoll_pwait2(poll_, events.data(), events.size(), &limit, nullptr);
    for (int i = 0; i < n; ++i)
      go_on(*static_cast<connection*>(events[static_cast<size_t>(i)].data.ptr));
  }

  void go_on(connection& x) {
    auto& result = results_[x.group];
    if (x.go_on()) {
      --under_way_;
      count(x, result);
      schedules_[x.group].idle.push_back(&x);
    } else if (x.broken()) {
      ++result.broken;
      ::epoll_ctl(poll_, EPOLL_CTL_DEL, x.fd(), nullptr);
    }
  }

  static void count(const connection& x, load_result& result) {
    ++result.answers_by_status[x.answer.status];
    result.with_retry_after += x.answer.status == 429 && x.answer.retry_after;
    if (x.answer.status == 200)
      result.latencies_us.push_back(
        std::chrono::duration<double, std::micro>(clock::now() - x.due)
          .count());
  }

  int poll_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::vector<load_result> results_;
  std::vector<schedule> schedules_;
  size_t under_way_ = 0;
};

} // namespace

uint64_t load_result::answers() const {
  uint64_t result = 0;
  for (auto& [status, count] : answers_by_status)
    result += count;
  return result;
}

double load_result::percentile(double which) const {
  if (latencies_us.empty())
    return 0;
  auto sorted = latencies_us;
  auto index =
    static_cast<size_t>(which / 100 * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(),
                   sorted.begin() + static_cast<ptrdiff_t>(index),
                   sorted.end());
  return sorted[index];
}

std::string describe_answers(const load_result& x) {
  std::string result;
  for (auto& [status, count] : x.answers_by_status)
    result += (result.empty() ? "" : ", ") + std::to_string(count) + " x "
              + std::to_string(status);
  return x.broken > 0 ? result + ", " + std::to_string(x.broken) + " broken"
                      : result;
}

std::string post(const std::string& target, const std::string& body,
                 const std::string& more_headers) {
  return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + more_headers
         + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::vector<load_result> run_load(uint16_t port,
                                  const std::vector<load_group>& groups,
                                  std::chrono::milliseconds time) {
  return load{port, groups}.run(time);
}

} // namespace troupe::bench
