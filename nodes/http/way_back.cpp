#include "nodes/http/way_back.hpp"

namespace troupe::http {

namespace {

thread_local const way_back* delivering = nullptr;

} // namespace

/// Runs what it carries, at the latest when it is destroyed: a loop that has ended
/// destroys what it did not run.
class way_back::delivery {
public:
  delivery(std::shared_ptr<way_back> to, errands what)
    : to_(std::move(to)), what_(std::move(what)) {}

  delivery(delivery&&) = default;

  ~delivery() { run_all(); }

  void operator()() {
    delivering = to_.get();
    run_all();
    delivering = nullptr;
  }

private:
  void run_all() {
    for (auto& x : std::exchange(what_, {})) {
      x->run();
      x.reset();
    }
  }

  std::shared_ptr<way_back> to_;
  errands what_;
};

void way_back::close() {
  std::lock_guard guard{mutex_};
  thread_ = nullptr;
}

void way_back::post(errands what) {
  // Where it is closed, they run as it is destroyed: without the mutex.
  delivery all{shared_from_this(), std::move(what)};
  std::lock_guard guard{mutex_};
  if (thread_)
    thread_->post(std::move(all));
}

bool way_back::delivers_here() const noexcept {
  return delivering == this;
}

} // namespace troupe::http
