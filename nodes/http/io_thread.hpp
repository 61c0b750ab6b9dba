// One thread that waits for sockets, timers and messages from other threads.
//
// The gateway runs actors on the thread that read their request, so the loop
// must cost next to nothing: sockets are registered once, level-triggered, and
// a request takes one recv and one send. (Asio's reactor adds a recv that
// fails, or an epoll_ctl, to each request.) A message from another thread wakes
// the loop only if it sleeps, at most once a turn.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::http {

/// Something with a file descriptor that an `io_thread` watches.
class pollable {
public:
  virtual ~pollable() = default;

  /// Called on the I/O thread with the EPOLL... flags that are set.
  virtual void on_ready(uint32_t events) = 0;
};

/// An event loop. All but `post`, `wake` and `stop` belong to its own thread.
class io_thread {
public:
  using clock = std::chrono::steady_clock;
  using timer_id = std::pair<clock::time_point, uint64_t>;

  /// Throws `std::system_error` if the kernel has no descriptor left.
  io_thread();

  io_thread(const io_thread&) = delete;

  io_thread& operator=(const io_thread&) = delete;

  ~io_thread();

  // -- from any thread --------------------------------------------------------

  /// Runs `f` on the I/O thread, after what was posted before it. What is
  /// posted after the loop has ended is destroyed without having run.
  template <class F>
  void post(F&& f) {
    push(new task_of<std::decay_t<F>>(std::forward<F>(f)));
  }

  /// Makes the loop turn once, so that `on_turn` runs and sees all that was
  /// written before; no system call if the loop is awake.
  void wake();

  /// Destroys what was posted and has not run. @pre the loop has ended
  void forget_posted();

  /// Ends `run` after the current turn.
  void stop();

  // -- from its own thread ----------------------------------------------------

  /// Runs until `stop`.
  void run();

  /// Calls `f` in each turn after the events and again after the messages,
  /// before the thread sleeps; true if it gave work to another thread.
  void on_turn(std::function<bool()> f) { on_turn_ = std::move(f); }

  /// Calls `f` once after `delay`, to the millisecond.
  timer_id after(clock::duration delay, std::function<void()> f);

  /// Forgets a timer; nothing happens if it has fired.
  void cancel(timer_id id) { timers_.erase(id); }

  /// The time at which this turn began.
  clock::time_point now() const { return now_; }

  /// Whether the caller is on this thread.
  bool is_current() const;

  // -- descriptors ------------------------------------------------------------

  /// Starts to watch `fd`. Closing it ends the watch.
  bool watch(int fd, uint32_t events, pollable* who);

  /// Changes the events for which `fd` is watched.
  void rewatch(int fd, uint32_t events, pollable* who);

  /// Destroys `who` at the end of the turn: events of this turn may still name
  /// it.
  void retire(std::unique_ptr<pollable> who) {
    retired_.push_back(std::move(who));
  }

private:
  struct task {
    task* next = nullptr;
    virtual ~task() = default;
    virtual void run() = 0;
  };

  template <class F>
  struct task_of : task {
    explicit task_of(F g) : f(std::move(g)) {}
    void run() override { f(); }
    F f;
  };

  void push(task* x);
  void rouse();
  bool has_mail() const;
  task* take_posted();
  void run_posted();
  void run_timers();
  void end_turn();
  int sleep_ms() const;
  void wait();

  int epoll_fd_ = -1;
  int event_fd_ = -1;
  clock::time_point now_ = clock::now();
  std::map<timer_id, std::function<void()>> timers_;
  uint64_t next_timer_ = 1;
  std::function<bool()> on_turn_;
  std::vector<std::unique_ptr<pollable>> retired_;
  std::atomic<bool> stopped_{false};
  alignas(64) std::atomic<task*> posted_{nullptr};
  std::atomic<bool> woken_{false};
  std::atomic<bool> asleep_{false};
};

} // namespace troupe::http
