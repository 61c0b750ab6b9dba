// What calls of an entity have sent, and what they do not want any more, until a
// commit has taken it along. It goes with the changes of those calls: whatever
// takes those back takes this back.

#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// Work that is not wanted, and work that is.
struct outgoing {
  std::vector<work_request> work;
  std::vector<invocation_id> withdrawn;

  bool empty() const noexcept { return work.empty() && withdrawn.empty(); }

  /// `work` and what it counts as: its arguments.
  size_t bytes() const noexcept;
};

/// Plain bookkeeping.
class outbox {
public:
  /// Where work waits once it is durable: its lane, and when it is due.
  using place = std::pair<std::string, work_time>;

  /// So much is there that it should be committed before more comes.
  bool full() const noexcept;

  /// A call ended well.
  void add(outgoing x);

  /// For the next commit; none is under way.
  outgoing take();

  /// The commit that took it is done: where work waits now.
  std::vector<place> committed();

  void clear() noexcept;

private:
  outgoing next_;
  size_t next_bytes_ = 0;
  std::vector<place> committing_;
};

} // namespace troupe
