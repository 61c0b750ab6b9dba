// How far a long command is, for a person who watches: on stderr, and only if
// that is a terminal.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::cli {

/// What there is to say.
struct progress {
  size_t done = 0;
  size_t failed = 0;

  /// Of the input, in bytes; a size of 0: nobody knows.
  uint64_t position = 0;
  uint64_t size = 0;
};

/// "[#####     ]  50%  1200 done, 3 failed, 400/s"; without the bar if the size is
/// not known.
std::string to_string(const progress& x, std::chrono::duration<double> since);

class progress_bar {
public:
  progress_bar();

  progress_bar(const progress_bar&) = delete;

  ~progress_bar() { clear(); }

  /// Shows it, a few times a second at most.
  void show(const progress& x);

  /// Takes it away, so that something else can be written.
  void clear();

  /// The last word; stays.
  void finish(const progress& x);

private:
  using clock = std::chrono::steady_clock;

  const bool watched_;
  const clock::time_point begin_ = clock::now();
  bool is_shown_ = false;
};

} // namespace troupe::cli
