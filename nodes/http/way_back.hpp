// An I/O thread for those on other threads who may outlive it.

#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "actors/core/home_thread.hpp"
#include "nodes/http/io_thread.hpp"

namespace troupe::http {

/// Thread-safe.
class way_back final : public home_thread,
                       public std::enable_shared_from_this<way_back> {
public:
  explicit way_back(io_thread& to) : thread_(&to) {}

  /// Nothing is posted any more. Called before the thread ends.
  void close();

  /// Runs `f(std::move(what))` on the thread. False if it is closed; then `what`
  /// is as it was.
  template <class T, class F>
  [[nodiscard]] bool send(T& what, F f) {
    std::lock_guard guard{mutex_};
    if (thread_)
      thread_->post([f = std::move(f), what = std::move(what)]() mutable {
        f(std::move(what));
      });
    return thread_ != nullptr;
  }

  /// Runs `f` on the thread, unless it is closed.
  template <class F>
  void send(F f) {
    std::lock_guard guard{mutex_};
    if (thread_)
      thread_->post(std::move(f));
  }

  void post(errands what) override;

  /// The caller is in one of its errands, on the thread.
  bool delivers_here() const noexcept;

private:
  class delivery;

  std::mutex mutex_;
  io_thread* thread_; // null once it is closed
};

} // namespace troupe::http
