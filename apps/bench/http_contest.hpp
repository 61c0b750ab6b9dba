// Our node and both baselines on the same core, measured in turn.

#pragma once

#include <array>
#include <string>
#include <vector>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

/// What a server did in one round.
struct http_outcome {
  /// Requests a second, or whatever the figure is about.
  double value = 0;

  /// Of the server's processor, for one request.
  double cpu_us = 0;
};

class http_contest {
public:
  http_contest();

  /// Once each to warm up, then in turn. `measure(server, time)` makes an
  /// `http_outcome`.
  template <class Measure>
  void run(const settings& how, std::chrono::milliseconds time,
           Measure measure) {
    for (auto& x : sides_)
      measure(*x.server, how.time(time / 3));
    for (unsigned i = 0; i < how.rounds; ++i)
      for (auto& x : sides_)
        x.rounds.push_back(measure(*x.server, how.time(time)));
  }

  figure against_beast(std::string name, std::string unit,
                       requirement required) const {
    return against(sides_[0], std::move(name), std::move(unit), required);
  }

  figure against_restinio(std::string name, std::string unit,
                          requirement required) const {
    return against(sides_[1], std::move(name), std::move(unit), required);
  }

private:
  struct side {
    const char* name;
    const http_server* server;
    std::vector<http_outcome> rounds{};
  };

  figure against(const side& bare, std::string name, std::string unit,
                 requirement required) const;

  echo_server beast_;
  echo_server restinio_;
  node_server node_;
  std::array<side, 3> sides_;
};

/// Measures the processor time of `server` around a load.
class cpu_meter {
public:
  explicit cpu_meter(const http_server& server)
    : process_(server.id()), before_(cpu_seconds_of(process_)) {}

  double spent_us() const { return (cpu_seconds_of(process_) - before_) * 1e6; }

private:
  pid_t process_;
  double before_;
};

} // namespace troupe::bench
