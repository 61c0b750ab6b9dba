// A handler may be a coroutine: `task<int> f(context& ctx)`. While it waits for
// another call it holds no thread; its actor resumes it when the answer is
// there. Awaiting one task from another transfers control without growing the
// stack (symmetric transfer).

#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace troupe {

template <class T = void>
class task;

namespace detail {

struct task_promise_base {
  std::coroutine_handle<> continuation;
  std::exception_ptr failure;

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }

    template <class P>
    std::coroutine_handle<>
    await_suspend(std::coroutine_handle<P> self) noexcept {
      auto next = self.promise().continuation;
      return next ? next : std::noop_coroutine();
    }

    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }

  final_awaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct task_promise : task_promise_base {
  std::optional<T> value;

  task<T> get_return_object() noexcept;

  template <class U>
  void return_value(U&& x) {
    value.emplace(std::forward<U>(x));
  }

  T take() {
    if (failure)
      std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct task_promise<void> : task_promise_base {
  task<void> get_return_object() noexcept;

  void return_void() noexcept {}

  void take() {
    if (failure)
      std::rethrow_exception(failure);
  }
};

} // namespace detail

/// A coroutine that gives a `T`. It starts when it is awaited (or resumed by the
/// actor that runs it), and is destroyed with this object. Move-only.
template <class T>
class [[nodiscard]] task {
public:
  using promise_type = detail::task_promise<T>;
  using handle = std::coroutine_handle<promise_type>;

  task() = default;

  explicit task(handle coroutine) noexcept : coroutine_(coroutine) {}

  task(task&& other) noexcept
    : coroutine_(std::exchange(other.coroutine_, nullptr)) {}

  task& operator=(task&& other) noexcept {
    if (this != &other) {
      destroy();
      coroutine_ = std::exchange(other.coroutine_, nullptr);
    }
    return *this;
  }

  ~task() { destroy(); }

  /// There is a coroutine.
  explicit operator bool() const noexcept { return coroutine_ != nullptr; }

  bool done() const noexcept { return !coroutine_ || coroutine_.done(); }

  /// Starts it. @pre it was not started
  void start() { coroutine_.resume(); }

  /// The result, or the exception that it ended with. @pre `done()`
  T take() { return coroutine_.promise().take(); }

  auto operator co_await() && noexcept {
    struct awaiter {
      handle inner;

      bool await_ready() const noexcept { return inner.done(); }

      std::coroutine_handle<>
      await_suspend(std::coroutine_handle<> outer) noexcept {
        inner.promise().continuation = outer;
        return inner;
      }

      T await_resume() { return inner.promise().take(); }
    };
    return awaiter{coroutine_};
  }

private:
  void destroy() noexcept {
    if (coroutine_)
      std::exchange(coroutine_, nullptr).destroy();
  }

  handle coroutine_;
};

template <class T>
task<T> detail::task_promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

inline task<void> detail::task_promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

} // namespace troupe
