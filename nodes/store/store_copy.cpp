#include "nodes/store/store_copy.hpp"

#include <chrono>
#include <string>

#include <SQLiteCpp/Backup.h>
#include <sqlite3.h>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/store_folder.hpp"

namespace troupe {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(errc code, const fs::path& path,
                         const std::string& why) {
  throw error_exception{error{code, "'" + path.string() + "' " + why}};
}

/// Copies a database, synced, as one file without a log.
void copy_database(const fs::path& from, const fs::path& to) {
  auto patience = static_cast<int>(sqlite_options{}.busy_timeout.count());
  SQLite::Database source{from.string(), SQLite::OPEN_READONLY, patience};
  auto copy = open_connection(to, {});
  // All at once: of one moment.
  if (SQLite::Backup{copy, source}.executeStep() != SQLITE_DONE)
    refuse(errc::store_unavailable, from, "is locked by somebody else");
  copy.execAndGet("PRAGMA journal_mode=DELETE");
}

/// The report of a store that is to be whole.
store_report check_whole(const fs::path& folder) {
  auto report = check_store(folder).value();
  if (!report.problems.empty())
    refuse(errc::store_unavailable, folder,
           "is damaged: " + report.problems.front());
  return report;
}

/// A folder that is removed unless it was kept.
class unfinished_folder {
public:
  explicit unfinished_folder(fs::path path) : path_(std::move(path)) {
    if (!fs::create_directory(path_))
      refuse(errc::store_unavailable, path_,
             "is there already; another copy may be under way");
  }

  unfinished_folder(const unfinished_folder&) = delete;
  unfinished_folder& operator=(const unfinished_folder&) = delete;

  ~unfinished_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const fs::path& path() const noexcept { return path_; }

private:
  fs::path path_;
};

/// What is missing does not come by a retry.
errc code_of(const fs::filesystem_error& e) {
  return e.code() == std::errc::no_such_file_or_directory
             || e.code() == std::errc::not_a_directory
           ? errc::not_found
           : errc::store_unavailable;
}

/// Calls `f`; what it throws is an error.
template <class F>
auto guarded(F f) -> expected<decltype(f())> {
  try {
    return f();
  } catch (const error_exception& e) {
    return e.reason();
  } catch (const SQLite::Exception& e) {
    return error{errc::store_unavailable, e.what()};
  } catch (const fs::filesystem_error& e) {
    return error{code_of(e), e.what()};
  }
}

fs::path without_slash(const fs::path& path) {
  auto result = fs::absolute(path).lexically_normal();
  return result.filename().empty() ? result.parent_path() : result;
}

void check_is_backup(const fs::path& folder) {
  if (!fs::exists(folder / "data.db"))
    refuse(errc::not_found, folder, "is no backup: it has no store");
}

void check_is_store(const fs::path& folder) {
  if (!fs::exists(folder / "data.db"))
    refuse(errc::not_found, folder,
           "has no store; --data-dir says where it is");
}

/// A name that is not taken.
fs::path place_for_replaced(const fs::path& folder) {
  using namespace std::chrono;
  auto now = duration_cast<seconds>(system_clock::now().time_since_epoch());
  for (auto i = now.count();; ++i) {
    auto result = folder / ("replaced-" + std::to_string(i));
    if (!fs::exists(result))
      return result;
  }
}

/// So that data.db is all of the store; as far as that is possible.
void fold_log_into(const fs::path& file) {
  try {
    open_connection(file, {}).execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SQLite::Exception&) {
    // It is damaged, and moved with its log.
  }
}

/// Moves the store's files to a folder of their own.
std::optional<fs::path> move_aside(const fs::path& folder) {
  std::optional<fs::path> result;
  if (fs::exists(folder / "data.db"))
    fold_log_into(folder / "data.db");
  for (auto name : {"data.db-wal", "data.db-shm", "data.db", "cluster.db"}) {
    if (!fs::exists(folder / name))
      continue;
    if (!result) {
      result = place_for_replaced(folder);
      fs::create_directory(*result);
    }
    fs::rename(folder / name, *result / name);
  }
  return result;
}

} // namespace

expected<store_report> backup_store(const fs::path& folder,
                                    const fs::path& to) {
  return guarded([&] {
    check_is_store(folder);
    auto place = without_slash(to);
    if (fs::exists(place))
      refuse(errc::bad_request, place,
             "is there already; a backup overwrites nothing");
    if (!fs::is_directory(place.parent_path()))
      refuse(errc::not_found, place.parent_path(), "is no folder");
    auto report = [&] {
      unfinished_folder copy{place.string() + ".unfinished"};
      copy_database(folder / "data.db", copy.path() / "data.db");
      auto result = check_whole(copy.path());
      sync_folder(copy.path());
      fs::rename(copy.path(), place);
      return result;
    }();
    sync_folder(place.parent_path());
    return report;
  });
}

expected<restored_store> restore_store(const fs::path& from,
                                       const fs::path& folder, bool replace) {
  return guarded([&] {
    check_is_backup(from);
    check_whole(from);
    store_folder place{folder}; // refused while a node has it
    if (!replace && fs::exists(place.path() / "data.db"))
      refuse(errc::bad_request, place.path(),
             "has a store already; --force moves it aside");
    restored_store result;
    {
      unfinished_folder copy{place.path() / "restore.unfinished"};
      copy_database(from / "data.db", copy.path() / "data.db");
      result.report = check_whole(copy.path());
      result.replaced = move_aside(place.path());
      fs::rename(copy.path() / "data.db", place.path() / "data.db");
    }
    place.sync();
    return result;
  });
}

} // namespace troupe
