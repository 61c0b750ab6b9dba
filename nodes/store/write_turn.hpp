// Whose turn it is to write, among the processes that share a folder. SQLite
// lets one of them write at a time, but a writer that finds another one at it
// looks again after a while: under load the one that has the lock takes it again
// and again, and others wait for seconds. With a turn whoever has written stands
// behind those who wait.
//
// Two locks on files, which the kernel drops with a process: the one who is next
// holds the first while it waits for the second, so that nobody passes it by.

#pragma once

#include <chrono>
#include <filesystem>

namespace troupe {

/// Not thread-safe: it belongs to the thread that writes.
class write_turn {
public:
  /// @throws error_exception `store_unavailable`
  explicit write_turn(const std::filesystem::path& folder);

  write_turn(const write_turn&) = delete;
  write_turn& operator=(const write_turn&) = delete;

  ~write_turn();

  /// Waits for the turn, so long at most; false if it did not come.
  bool take(std::chrono::milliseconds longest) noexcept;

  /// Lets the next one. Nothing happens if it is not this one's turn.
  void pass_on() noexcept;

private:
  int next_ = -1;
  int now_ = -1;
};

} // namespace troupe
