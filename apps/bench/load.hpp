// A client of our own, for what wrk cannot do: calls at a fixed rate, several
// kinds of calls side by side, large bodies, and a look at each answer.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe::bench {

/// One kind of calls.
struct load_group {
  /// All bytes of one request.
  std::string request;

  size_t connections = 1;

  /// Calls a second, by the clock and not by the answers; 0: each connection
  /// calls again as soon as it is answered.
  double rate = 0;
};

struct load_result {
  std::map<int, uint64_t> answers_by_status;

  /// Answers 429 that bear a Retry-After.
  uint64_t with_retry_after = 0;

  /// Of answers 200: from when the call was due to the end of its answer, so
  /// that a call that had to wait for a connection counts what it waited.
  std::vector<double> latencies_us;

  /// Connections that the server closed, or that broke.
  uint64_t broken = 0;

  double seconds = 0;

  uint64_t answers() const;

  /// Answers 200 a second.
  double rate() const {
    return static_cast<double>(latencies_us.size()) / seconds;
  }

  /// Of the latencies, 0 to 100; 0 if there are none.
  double percentile(double which) const;
};

/// "10 x 200, 3 x 429, 1 broken"
std::string describe_answers(const load_result& x);

/// "POST target" with a body, as bytes.
std::string post(const std::string& target, const std::string& body,
                 const std::string& more_headers = {});

/// Calls the server on 127.0.0.1 for `time`, from this thread. Answers that are
/// under way then are waited for, at most 10 seconds.
/// @throws cannot_measure if it cannot connect
std::vector<load_result> run_load(uint16_t port,
                                  const std::vector<load_group>& groups,
                                  std::chrono::milliseconds time);

} // namespace troupe::bench
