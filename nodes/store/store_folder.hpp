// The folder that a node keeps its data in. Two nodes on one folder would both
// believe that they own every entity, and a network file system keeps neither
// SQLite's locks nor its shared memory: both are refused at the start, where
// the operator sees it, and not found out later from data that went wrong.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace troupe {

/// The name of a file system that a store cannot live on; empty if it can.
/// @param magic `f_type` as statfs(2) gives it
std::string_view network_file_system(long magic) noexcept;

/// Makes the names of the files in a folder durable.
/// @throws error_exception `store_unavailable`
void sync_folder(const std::filesystem::path& path);

/// Whether somebody has the folder at this moment.
bool is_folder_in_use(const std::filesystem::path& path) noexcept;

enum class folder_use : uint8_t {
  /// Nobody else has it.
  alone,
  /// Others may have it too, unless one has it alone.
  shared,
};

/// A folder that belongs to this object until it dies, or until its process
/// does: the lock is the kernel's, and no child that is executed inherits it.
class store_folder {
public:
  /// Makes the folder if it is missing.
  /// @throws error_exception `store_unavailable` if that fails, if it is on a
  ///         network file system, or if it is to be had alone and somebody else
  ///         has it
  explicit store_folder(const std::filesystem::path& path,
                        folder_use use = folder_use::alone);

  store_folder(const store_folder&) = delete;
  store_folder& operator=(const store_folder&) = delete;

  ~store_folder();

  /// Absolute.
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Makes the names of the files in it durable.
  void sync() const;

private:
  void make() const;
  void check_file_system() const;
  void lock(folder_use use);

  std::filesystem::path path_;
  int lock_ = -1;
};

} // namespace troupe
