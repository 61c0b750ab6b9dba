// What comes and goes with `POST /map/...`: many inputs in one body, and what
// became of each. Reading and writing may take long for an I/O thread: they are
// for others.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

/// Inputs of one request. Each takes memory for its call and its answer.
inline constexpr size_t map_inputs_max = 10'000;

/// How inputs are written.
struct map_format {
  /// A line each (application/jsonl) rather than an array.
  bool lines = false;

  /// An input names an entity: it is a key, or an object with `key`, and maybe
  /// `body` and `idempotencyKey`.
  bool entities = false;
};

struct map_input {
  /// JSON; empty for a method without arguments.
  std::string_view body;

  // -- of an entity ----------------------------------------------------------

  std::string key;

  /// May be empty.
  std::string idempotency_key;
};

struct map_inputs {
  /// What the bodies are a part of.
  std::string text;

  std::vector<map_input> items;
};

/// @throws error_exception `bad_request` or `payload_too_large`
std::shared_ptr<const map_inputs> read_inputs(std::string text,
                                              const map_format& format);

/// `{"count", "failed", "results"}`. Each has to be there.
std::string
write_outcomes(const std::vector<std::optional<expected<payload>>>& outcomes);

} // namespace troupe
