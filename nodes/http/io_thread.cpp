#include "nodes/http/io_thread.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace troupe::http {

namespace {

thread_local const io_thread* current = nullptr;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

io_thread::io_thread() {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0)
    fail("epoll_create1");
  event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Edge-triggered: a write is seen without the loop having to read it back.
  if (event_fd_ < 0 || !watch(event_fd_, EPOLLIN | EPOLLET, nullptr)) {
    auto error = errno;
    ::close(epoll_fd_);
    if (event_fd_ >= 0)
      ::close(event_fd_);
    errno = error;
    fail("eventfd");
  }
}

io_thread::~io_thread() {
  forget_posted();
  ::close(event_fd_);
  ::close(epoll_fd_);
}

void io_thread::forget_posted() {
  for (auto* x = take_posted(); x != nullptr;)
    delete std::exchange(x, x->next);
}

void io_thread::push(task* x) {
  x->next = posted_.load(std::memory_order_relaxed);
  while (!posted_.compare_exchange_weak(x->next, x, std::memory_order_seq_cst,
                                        std::memory_order_relaxed))
    ;
  rouse();
}

void io_thread::wake() {
  woken_.store(true, std::memory_order_seq_cst);
  rouse();
}

void io_thread::rouse() {
  // Either the loop sees the message before it sleeps, or we see it asleep:
  // both sides write, then read, in one total order.
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) {
    uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(event_fd_, &one, sizeof(one));
  }
}

void io_thread::stop() {
  stopped_.store(true, std::memory_order_seq_cst);
  rouse();
}

void io_thread::run() {
  current = this;
  while (!stopped_.load(std::memory_order_relaxed)) {
    wait();
    run_timers();
    end_turn();
    run_posted();
    end_turn();
    retired_.clear();
  }
  current = nullptr;
}

void io_thread::end_turn() {
  // A store can write what came in while the answers to others go out, also
  // where both have one core: it gets that before, not when this thread rests.
  if (on_turn_ && on_turn_())
    ::sched_yield();
}

bool io_thread::is_current() const {
  return current == this;
}

void io_thread::wait() {
  std::array<epoll_event, 256> events;
  auto timeout = sleep_ms();
  if (timeout != 0) {
    asleep_.store(true, std::memory_order_seq_cst);
    if (has_mail())
      timeout = 0;
  }
  auto n = ::epoll_wait(epoll_fd_, events.data(),
                        static_cast<int>(events.size()), timeout);
  asleep_.store(false, std::memory_order_relaxed);
  if (woken_.load(std::memory_order_relaxed))
    woken_.exchange(false, std::memory_order_acq_rel);
  now_ = clock::now();
  for (int i = 0; i < n; ++i)
    if (auto* who = static_cast<pollable*>(events[i].data.ptr))
      who->on_ready(events[i].events);
}

bool io_thread::has_mail() const {
  return posted_.load(std::memory_order_seq_cst) != nullptr
         || woken_.load(std::memory_order_seq_cst)
         || stopped_.load(std::memory_order_seq_cst);
}

int io_thread::sleep_ms() const {
  if (timers_.empty())
    return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
    timers_.begin()->first.first - clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3'600'000));
}

io_thread::timer_id io_thread::after(clock::duration delay,
                                     std::function<void()> f) {
  timer_id id{clock::now() + delay, next_timer_++};
  timers_.emplace(id, std::move(f));
  return id;
}

void io_thread::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) {
    auto node = timers_.extract(timers_.begin());
    node.mapped()();
  }
}

io_thread::task* io_thread::take_posted() {
  // The newest is first: turn the list around.
  task* first = nullptr;
  auto* x = posted_.exchange(nullptr, std::memory_order_acquire);
  while (x != nullptr) {
    auto* next = std::exchange(x->next, first);
    first = std::exchange(x, next);
  }
  return first;
}

void io_thread::run_posted() {
  for (auto* x = take_posted(); x != nullptr;) {
    std::unique_ptr<task> owned{std::exchange(x, x->next)};
    owned->run();
  }
}

bool io_thread::watch(int fd, uint32_t events, pollable* who) {
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = who;
  return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev) == 0;
}

void io_thread::rewatch(int fd, uint32_t events, pollable* who) {
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = who;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &ev);
}

} // namespace troupe::http
