// SQLite writes a frame of its log in two pieces, each with a system call of its
// own: twenty for a commit of ten pages. Through this VFS what is written to a
// log piece after piece reaches the file in one, when it is synced, or when
// anything else is asked of the log. All other files are those of the VFS below.
//
// Only for connections that
// - sync every commit (synchronous=FULL): others read a frame when the index of
//   the log names it, which SQLite writes after that sync;
// - write nothing before they commit (cache_spill=OFF): what a transaction had no
//   room for would still be here when it is rolled back and has let go of its
//   lock, and be written over what another process has committed meanwhile.
// See "The WAL-Index File Format" and "Application-Defined VFSes" of
// https://sqlite.org/docs.html.

#pragma once

#include <memory>
#include <string>

namespace troupe {

/// Known to SQLite under its name for as long as it lives. No file may be open
/// through it at its end.
class gathered_log {
public:
  /// @param below the name of the VFS that does the work; empty: SQLite's own
  /// @throws error_exception `store_unavailable` if there is none of that name
  explicit gathered_log(const std::string& below);

  gathered_log(const gathered_log&) = delete;
  gathered_log& operator=(const gathered_log&) = delete;

  ~gathered_log();

  /// For SQLite, when it opens a database.
  const std::string& vfs() const noexcept;

private:
  struct content;

  std::unique_ptr<content> content_;
};

} // namespace troupe
