// A thread that asks others so often that it wants their answers itself: all that
// came of one commit at once, rather than one by one on whichever thread had them.
// Nobody else takes its locks then, and what it allocated is freed where it was
// allocated; an allocator has to lock for anything else.

#pragma once

#include <memory>
#include <vector>

namespace troupe {

/// Thread-safe.
class home_thread {
public:
  /// Something to do at home, once.
  class errand {
  public:
    virtual ~errand() = default;

    virtual void run() noexcept = 0;
  };

  using errands = std::vector<std::unique_ptr<errand>>;

  virtual ~home_thread() = default;

  /// Runs `what` on that thread soon, in that order, after what was posted before;
  /// on the caller's if that thread has ended. Never blocks.
  virtual void post(errands what) = 0;
};

} // namespace troupe
