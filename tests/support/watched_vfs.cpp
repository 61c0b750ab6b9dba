#include "tests/support/watched_vfs.hpp"

#include <atomic>
#include <filesystem>
#include <new>
#include <string_view>

#include <sqlite3.h>

namespace troupe::testing {

struct watched_vfs::content {
  watcher watch;
  std::string name;
  sqlite3_vfs* real = nullptr;
  sqlite3_vfs vfs{};
};

namespace {

using kind = file_operation::kind;

/// What SQLite allocates for a file; the real VFS's own follows it.
struct watched_file {
  sqlite3_file base;
  const watched_vfs::watcher* watch;
  std::string name;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

watched_file& as_watched(sqlite3_file* file) {
  return *reinterpret_cast<watched_file*>(file);
}

sqlite3_file* real_of(sqlite3_file* file) {
  return as_watched(file).real();
}

/// Asks the test, and does what it says.
template <class Action>
int act(const watched_vfs::watcher& watch, const file_operation& what,
        Action action) {
  auto fate = watch(what);
  if (fate.code == SQLITE_OK)
    return action();
  if (fate.is_done_all_the_same)
    (void)action();
  return fate.code;
}

// -- the methods of a file ---------------------------------------------------

int close_file(sqlite3_file* file) {
  auto real = real_of(file);
  auto code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
  as_watched(file).~watched_file();
  return code;
}

int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  auto& x = as_watched(file);
  return act(*x.watch, {kind::read, x.name, offset, {}}, [&] {
    return x.real()->pMethods->xRead(x.real(), to, size, offset);
  });
}

int write_file(sqlite3_file* file, const void* from, int size,
               sqlite3_int64 offset) {
  auto& x = as_watched(file);
  std::string bytes{static_cast<const char*>(from), static_cast<size_t>(size)};
  return act(*x.watch, {kind::write, x.name, offset, std::move(bytes)}, [&] {
    return x.real()->pMethods->xWrite(x.real(), from, size, offset);
  });
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  auto& x = as_watched(file);
  return act(*x.watch, {kind::truncate, x.name, size, {}},
             [&] { return x.real()->pMethods->xTruncate(x.real(), size); });
}

int sync_file(sqlite3_file* file, int) {
  auto& x = as_watched(file);
  return act(*x.watch, {kind::sync, x.name, 0, {}}, [] { return SQLITE_OK; });
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

int lock_file(sqlite3_file* file, int level) {
  return real_of(file)->pMethods->xLock(real_of(file), level);
}

int unlock_file(sqlite3_file* file, int level) {
  return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

int check_reserved(sqlite3_file* file, int* result) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

int control_file(sqlite3_file* file, int op, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

int sector_size(sqlite3_file* file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}

int device(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

int shm_map(sqlite3_file* file, int page, int size, int extend,
            void volatile** to) {
  return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend,
                                          to);
}

int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

void shm_barrier(sqlite3_file* file) {
  real_of(file)->pMethods->xShmBarrier(real_of(file));
}

int shm_unmap(sqlite3_file* file, int remove) {
  return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/// Without xFetch: what is read comes through xRead.
constexpr sqlite3_io_methods methods{2,
                                     close_file,
                                     read_file,
                                     write_file,
                                     truncate_file,
                                     sync_file,
                                     file_size,
                                     lock_file,
                                     unlock_file,
                                     check_reserved,
                                     control_file,
                                     sector_size,
                                     device,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

// -- the VFS's own -----------------------------------------------------------

std::string name_of(const char* path) {
  return path ? std::filesystem::path{path}.filename().string()
              : std::string{"temporary"};
}

std::string make_name() {
  static std::atomic<int> count{0};
  return "watched-" + std::to_string(++count);
}

} // namespace

watched_vfs::watched_vfs(watcher watch)
  : content_(std::make_unique<content>()) {
  auto& x = *content_;
  x.watch = std::move(watch);
  x.name = make_name();
  x.real = sqlite3_vfs_find(nullptr);
  x.vfs = *x.real;
  x.vfs.zName = x.name.c_str();
  x.vfs.pAppData = content_.get();
  x.vfs.szOsFile = static_cast<int>(sizeof(watched_file)) + x.real->szOsFile;
  x.vfs.xOpen = [](sqlite3_vfs* vfs, const char* path, sqlite3_file* file,
                   int flags, int* out_flags) {
    auto& self = *static_cast<content*>(vfs->pAppData);
    auto opened = new (file) watched_file{{}, &self.watch, name_of(path)};
    auto code =
      self.real->xOpen(self.real, path, opened->real(), flags, out_flags);
    if (code == SQLITE_OK) {
      opened->base.pMethods = &methods;
    } else {
      opened->~watched_file();
      file->pMethods = nullptr; // so that SQLite does not close it
    }
    return code;
  };
  x.vfs.xDelete = [](sqlite3_vfs* vfs, const char* path, int sync) {
    auto& self = *static_cast<content*>(vfs->pAppData);
    return act(self.watch, {kind::remove, name_of(path), 0, {}},
               [&] { return self.real->xDelete(self.real, path, sync); });
  };
  x.vfs.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    auto real = static_cast<content*>(vfs->pAppData)->real;
    return real->xAccess(real, path, flags, out);
  };
  x.vfs.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int size,
                           char* out) {
    auto real = static_cast<content*>(vfs->pAppData)->real;
    return real->xFullPathname(real, path, size, out);
  };
  sqlite3_vfs_register(&x.vfs, 0);
}

watched_vfs::~watched_vfs() {
  sqlite3_vfs_unregister(&content_->vfs);
}

const std::string& watched_vfs::name() const noexcept {
  return content_->name;
}

} // namespace troupe::testing
