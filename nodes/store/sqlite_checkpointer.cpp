#include "nodes/store/sqlite_checkpointer.hpp"

#include <sqlite3.h>

#include "nodes/store/sqlite_connection.hpp"

namespace troupe {

sqlite_checkpointer::sqlite_checkpointer(const std::filesystem::path& file,
                                         const sqlite_options& options)
  : db_(open_connection(file, options)), step_pages_(options.checkpoint_pages),
    next_pages_(step_pages_) {}

sqlite_checkpointer::~sqlite_checkpointer() {
  {
    std::lock_guard guard{mutex_};
    is_closed_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable())
    thread_.join();
}

void sqlite_checkpointer::start() {
  thread_ = std::thread{[this] { work(); }};
}

void sqlite_checkpointer::log_has(uint32_t pages) {
  if (pages < seen_pages_) // it began anew
    next_pages_ = step_pages_;
  seen_pages_ = pages;
  if (pages < next_pages_)
    return;
  next_pages_ = pages + step_pages_;
  {
    std::lock_guard guard{mutex_};
    is_due_ = true;
  }
  wake_.notify_one();
}

void sqlite_checkpointer::copy_log() {
  std::lock_guard guard{copying_};
  // One that fails has done no harm; the next has more to do.
  sqlite3_wal_checkpoint_v2(db_.getHandle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                            nullptr, nullptr);
}

void sqlite_checkpointer::work() {
  std::unique_lock guard{mutex_};
  for (;;) {
    wake_.wait(guard, [this] { return is_due_ || is_closed_; });
    if (is_closed_)
      return;
    is_due_ = false;
    guard.unlock();
    copy_log();
    guard.lock();
  }
}

} // namespace troupe
