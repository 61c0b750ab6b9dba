// Runs a program and collects what it says. A program that does not end by
// itself is killed, and `status` tells.

#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace troupe::testing {

struct process_result {
  /// The exit status; 128 + the signal if one ended it; -1 if it hung and was
  /// killed.
  int status = -1;

  std::string out;
  std::string err;
};

struct process_input {
  /// The program and its arguments.
  std::vector<std::string> command;

  /// "NAME=value"; nothing is inherited.
  std::vector<std::string> environment;

  /// What it reads.
  std::string in;

  /// Let stdout be a terminal.
  bool on_terminal = false;

  /// Let stderr be one.
  bool err_on_terminal = false;

  /// Far more than it needs; ends what hangs.
  std::chrono::seconds patience{30};
};

/// Runs it to its end.
process_result run_process(const process_input& input);

} // namespace troupe::testing
