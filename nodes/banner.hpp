// What a program says when it serves: where, what, and what to try.

#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace troupe {

struct banner_facts {
  std::string url;

  /// Of the store.
  std::string store;

  /// As `/cluster` answers.
  nlohmann::json cluster;

  /// How `troupe` was started; empty if this is another program, which has no
  /// `tree`.
  std::string program;
};

/// Three commands to try are part of it: only such as work on what is served.
std::string banner(const banner_facts& x);

} // namespace troupe
