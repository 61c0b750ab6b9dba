// Backups of a store, and the way back. A copy is made under another name,
// checked, synced, and only then takes its name: nobody ever finds half of one.

#pragma once

#include <filesystem>
#include <optional>

#include "actors/core/expected.hpp"
#include "nodes/store/store_check.hpp"

namespace troupe {

/// Copies the store in `folder` to `to`, which must not be there yet. A node
/// may go on with the store meanwhile: the copy is of one moment.
/// Fails with `store_unavailable`; then there is nothing at `to`.
expected<store_report> backup_store(const std::filesystem::path& folder,
                                    const std::filesystem::path& to);

struct restored_store {
  store_report report;

  /// Where the store went that was there before.
  std::optional<std::filesystem::path> replaced;
};

/// Makes a store in `folder` from the backup in `from`.
/// Fails with `store_unavailable` if the backup is damaged, if a node has the
/// folder, or if a store is there and it is not to be replaced; then nothing
/// has changed.
/// @param replace moves a store that is there to a folder beside its files
expected<restored_store> restore_store(const std::filesystem::path& from,
                                       const std::filesystem::path& folder,
                                       bool replace);

} // namespace troupe
