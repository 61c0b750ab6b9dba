#include "nodes/store/gathered_log.hpp"

#include <atomic>
#include <cstdint>
#include <new>
#include <string_view>

#include <sqlite3.h>

#include "actors/core/errors.hpp"

namespace troupe {

struct gathered_log::content {
  std::string name;
  sqlite3_vfs vfs{};
};

namespace {

/// What is gathered goes to the file at the latest when it is so long: SQLite's
/// own VFS takes less than 128 KiB at once.
constexpr size_t gathered_max = 1 << 16;

// -- a log -------------------------------------------------------------------

/// What SQLite allocates for a log; the file of the VFS below follows it.
class log_file : public sqlite3_file {
public:
  sqlite3_file* below() noexcept {
    return reinterpret_cast<sqlite3_file*>(this + 1);
  }

  int write(std::string_view piece, int64_t offset) {
    if (offset != begin_ + static_cast<int64_t>(pieces_.size())
        || pieces_.size() + piece.size() > gathered_max)
      if (auto code = flush(); code != SQLITE_OK)
        return code;
    if (pieces_.empty())
      begin_ = offset;
    pieces_ += piece;
    return SQLITE_OK;
  }

  int read(void* to, int size, int64_t offset) {
    if (flush() != SQLITE_OK)
      return SQLITE_IOERR_READ;
    return below()->pMethods->xRead(below(), to, size, offset);
  }

  int sync(int flags) {
    if (auto code = flush(); code != SQLITE_OK)
      return code;
    return below()->pMethods->xSync(below(), flags);
  }

  /// Writes what was gathered. If that fails it is lost: SQLite, which is told so,
  /// rolls its transaction back, and writes the next one there.
  int flush() {
    if (pieces_.empty())
      return SQLITE_OK;
    auto code = below()->pMethods->xWrite(
      below(), pieces_.data(), static_cast<int>(pieces_.size()), begin_);
    pieces_.clear();
    return code;
  }

  /// What was gathered is lost.
  void forget() noexcept { pieces_.clear(); }

private:
  /// What is to be written at `begin_`.
  std::string pieces_;
  int64_t begin_ = 0;
};

log_file& as_log(sqlite3_file* file) {
  return *static_cast<log_file*>(file);
}

int close_log(sqlite3_file* file) {
  auto& log = as_log(file);
  auto below = log.below();
  auto flushed = log.flush();
  auto closed = below->pMethods->xClose(below);
  log.~log_file();
  return flushed == SQLITE_OK ? closed : flushed;
}

int read_log(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return as_log(file).read(to, size, offset);
}

int write_log(sqlite3_file* file, const void* from, int size,
              sqlite3_int64 offset) {
  auto& log = as_log(file);
  auto piece = static_cast<const char*>(from);
  try {
    return log.write({piece, static_cast<size_t>(size)}, offset);
  } catch (const std::bad_alloc&) {
    log.forget();
    return SQLITE_IOERR_NOMEM;
  }
}

int sync_log(sqlite3_file* file, int flags) {
  return as_log(file).sync(flags);
}

/// What the file below does, once it has what was gathered.
template <auto Method, class... Arguments>
int pass_on(sqlite3_file* file, Arguments... xs) {
  auto& log = as_log(file);
  if (auto code = log.flush(); code != SQLITE_OK)
    return code;
  return (log.below()->pMethods->*Method)(log.below(), xs...);
}

/// The same for what has nothing to do with what is in it.
template <auto Method, class... Arguments>
int pass(sqlite3_file* file, Arguments... xs) {
  auto below = as_log(file).below();
  return (below->pMethods->*Method)(below, xs...);
}

using io = sqlite3_io_methods;

constexpr auto methods = [] {
  io x{};
  x.iVersion = 1;
  x.xClose = close_log;
  x.xRead = read_log;
  x.xWrite = write_log;
  x.xTruncate = pass_on<&io::xTruncate>;
  x.xSync = sync_log;
  x.xFileSize = pass_on<&io::xFileSize>;
  x.xLock = pass<&io::xLock>;
  x.xUnlock = pass<&io::xUnlock>;
  x.xCheckReservedLock = pass<&io::xCheckReservedLock>;
  x.xFileControl = pass_on<&io::xFileControl>;
  x.xSectorSize = pass<&io::xSectorSize>;
  x.xDeviceCharacteristics = pass<&io::xDeviceCharacteristics>;
  return x;
}();

// -- the VFS -----------------------------------------------------------------

sqlite3_vfs* below_of(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

template <auto Method, class... Arguments>
auto ask_below(sqlite3_vfs* vfs, Arguments... xs) {
  auto below = below_of(vfs);
  return (below->*Method)(below, xs...);
}

int open_file(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file,
              int flags, int* out_flags) {
  auto below = below_of(vfs);
  if (!(flags & SQLITE_OPEN_WAL))
    return below->xOpen(below, path, file, flags, out_flags);
  auto log = new (file) log_file{};
  auto code = below->xOpen(below, path, log->below(), flags, out_flags);
  if (code == SQLITE_OK) {
    log->pMethods = &methods;
    return code;
  }
  log->~log_file();
  file->pMethods = nullptr; // so that SQLite does not close it
  return code;
}

std::string make_name() {
  static std::atomic<uint64_t> count{0};
  return "gathered-log-" + std::to_string(++count);
}

} // namespace

gathered_log::gathered_log(const std::string& below)
  : content_(std::make_unique<content>()) {
  auto& x = *content_;
  x.name = make_name();
  auto real = sqlite3_vfs_find(below.empty() ? nullptr : below.c_str());
  if (!real)
    throw error_exception{
      error{errc::store_unavailable, "SQLite has no VFS '" + below + "'"}};
  x.vfs = *real;
  x.vfs.pNext = nullptr;
  x.vfs.zName = x.name.c_str();
  x.vfs.pAppData = real;
  x.vfs.szOsFile = static_cast<int>(sizeof(log_file)) + real->szOsFile;
  x.vfs.xOpen = open_file;
  x.vfs.xDelete = ask_below<&sqlite3_vfs::xDelete>;
  x.vfs.xAccess = ask_below<&sqlite3_vfs::xAccess>;
  x.vfs.xFullPathname = ask_below<&sqlite3_vfs::xFullPathname>;
  x.vfs.xGetLastError = ask_below<&sqlite3_vfs::xGetLastError>;
  sqlite3_vfs_register(&x.vfs, 0);
}

gathered_log::~gathered_log() {
  sqlite3_vfs_unregister(&content_->vfs);
}

const std::string& gathered_log::vfs() const noexcept {
  return content_->name;
}

} // namespace troupe
