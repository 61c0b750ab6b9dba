// Proof that a process has ended. Each run of a node holds a lock on a file of
// its own in the folder that the nodes share; the kernel drops it when the
// process is gone, however it went, and no program that is executed inherits
// it. Who gets the lock knows for sure, and need not wait for a lease to run
// out.
//
// A child that was forked and has not executed anything yet keeps the lock:
// that only delays the proof.

#pragma once

#include <filesystem>
#include <string>

namespace troupe {

class process_lock {
public:
  /// @throws error_exception `store_unavailable`
  process_lock(const std::filesystem::path& folder,
               const std::string& incarnation);

  process_lock(const process_lock&) = delete;
  process_lock& operator=(const process_lock&) = delete;

  /// The file stays: its lock is gone, which is the proof.
  ~process_lock();

  /// The process that had the lock is gone. False if there is none, or if it
  /// cannot be told.
  static bool is_dead(const std::filesystem::path& folder,
                      const std::string& incarnation) noexcept;

  /// Nobody will ask for it any more.
  static void remove(const std::filesystem::path& folder,
                     const std::string& incarnation) noexcept;

private:
  int file_ = -1;
};

} // namespace troupe
