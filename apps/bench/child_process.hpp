// A program that runs beside the bench: a server to measure, or a tool that
// measures it. It ends with the object, and with the bench.

#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::bench {

class child_process {
public:
  /// Starts `command` on `core`, or on any for -1.
  /// @throws cannot_measure if the program is not there
  child_process(const std::vector<std::string>& command, int core);

  child_process(const child_process&) = delete;

  /// Kills it if it still runs.
  ~child_process();

  pid_t id() const noexcept { return id_; }

  /// The next line of its output; false at the end, or after 10 seconds of
  /// silence.
  bool read_line(std::string& line);

  /// Reads what is left of its output and waits until it ends by itself.
  /// @returns its exit status; 128 and more for a signal
  int finish(std::string& output);

private:
  bool read_some();

  pid_t id_ = -1;
  int output_ = -1;
  std::string buffer_;
};

} // namespace troupe::bench
