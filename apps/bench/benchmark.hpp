// What the files of the bench offer to its main: each measures one thing and
// hands its figures to the report.

#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/bench/figure.hpp"

namespace troupe::bench {

/// Something that is needed to measure is missing: its text says what to do.
class cannot_measure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct settings {
  /// Of baseline and ours, in turn.
  unsigned rounds = 3;

  /// A divisor of all times: 1, or more for a quick look.
  unsigned hurry = 1;

  /// Where figures go as soon as they are known.
  std::function<void(figure)> report;

  std::chrono::milliseconds time(std::chrono::milliseconds full) const {
    return full / hurry;
  }
};

struct benchmark {
  const char* name;

  /// One line for `--list`.
  const char* what;

  void (*run)(const settings&);
};

/// Measures `bare` and `ours` in turn.
template <class Bare, class Ours>
std::vector<round_pair> alternate(const settings& how, Bare bare, Ours ours) {
  std::vector<round_pair> result;
  for (unsigned i = 0; i < how.rounds; ++i) {
    auto first = bare();
    result.push_back({first, ours()});
  }
  return result;
}

void call_from_an_actor(const settings& how);
void blocking_call(const settings& how);
void forwarded_call(const settings& how);
void http_echo(const settings& how);
void http_latency(const settings& how);
void http_large_bodies(const settings& how);
void idle_memory(const settings& how);
void isolation(const settings& how);
void overload(const settings& how);
void durable_http(const settings& how);
void durable_latency(const settings& how);
void durable_in_process(const settings& how);
void durable_postgres(const settings& how);
void idle_entities(const settings& how);
void queue_peers(const settings& how);
void queued_http(const settings& how);
void several_nodes(const settings& how);
void several_nodes_postgres(const settings& how);

} // namespace troupe::bench
