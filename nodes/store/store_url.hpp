// What an operator writes to say where state is kept.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "nodes/store/postgres_options.hpp"
#include "nodes/store/store_set.hpp"

namespace troupe {

/// `sqlite:FOLDER`, `memory:` or `postgresql://...`.
struct store_url {
  enum class scheme : uint8_t {
    /// A folder of this machine.
    sqlite,
    /// Gone with the process.
    memory,
    /// A server that many machines share.
    postgresql,
  };

  store_url::scheme kind = scheme::memory;

  /// The folder; for PostgreSQL the whole URL.
  std::string location;
};

/// Fails with `bad_request`; no error shows a password.
expected<store_url> parse_store_url(std::string_view url);

/// For a node that has it alone. Fails with `bad_request` for a wrong URL,
/// `store_unavailable` if it cannot be opened.
/// @param postgres for a server; others do without
expected<std::unique_ptr<state_store>>
open_store(std::string_view url, postgres_options postgres = {});

/// The same for one of several nodes that share it, with what they agree on. A
/// node that has it alone, and those that share it, exclude each other.
/// `bad_request` for a store that cannot be shared.
expected<store_set> open_shared_store(std::string_view url,
                                      postgres_options postgres = {});

} // namespace troupe
