// Durable state in one file of this machine. An fsync costs as much as hundreds
// of rows, so one thread commits whatever waits for it in one transaction: the
// longer the disk takes, the more share the next fsync, and a lone commit never
// waits for company.
//
// A folder holds:
//   lock      held by the node that has the folder
//   data.db   entity(service, key, revision, state); WAL, synchronous=FULL
//
// A COMMIT that fails may still have reached the disk. The store makes it
// certain by writing something else over it (the `fence` table): once that is
// durable the failed transaction cannot come back, not even by a crash. Until
// then its outcome is `unknown` and loads answer `store_unavailable`.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "actors/core/backends.hpp"
#include "nodes/store/store_folder.hpp"

namespace troupe {

struct sqlite_options {
  /// Commits and loads that wait at most, each; past it they fail at once. As
  /// many as a few services may have under way.
  size_t queue = 262'144;

  /// Rows of one transaction at most: a bound on how long one takes.
  size_t rows_per_commit = 64;

  /// How long to wait for somebody else's lock (a backup, a shell).
  std::chrono::milliseconds busy_timeout = std::chrono::seconds{5};

  /// Pages of 4 KiB that the file may have; 0: no limit but the disk's.
  uint32_t pages_max = 0;
};

/// Threads: one writes, one reads; callbacks come from them.
class sqlite_store final : public state_store {
public:
  /// The version of the tables, kept in `user_version`.
  static constexpr int schema_version = 1;

  /// @throws error_exception `store_unavailable` with the reason
  explicit sqlite_store(const std::filesystem::path& folder,
                        sqlite_options options = {});

  /// Commits and answers what waits.
  ~sqlite_store() override;

  void load(entity_id entity, load_callback done) override;

  void commit(commit_request request, commit_callback done) override;

  std::string describe() const override;

private:
  class writer;
  class reader;

  store_folder folder_;
  std::unique_ptr<writer> writer_;
  std::unique_ptr<reader> reader_;
};

} // namespace troupe
