// The entities of a service as a node lists them, page after page.

#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "apps/troupe/client/command_line.hpp"
#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

/// Adds --prefix.
void add_prefix_option(command_line& line);

/// The value of `option`, a part of a key; empty without one.
/// @throws usage_error
std::string key_part(const command_line& line, const char* option);

/// The path of an entity.
std::string entity_path(const std::string& service, const std::string& key);

class entity_pages {
public:
  /// @param states whether each comes with its schema and state
  entity_pages(endpoint node, std::string service, std::string prefix,
               std::string after, bool states);

  /// No page is left.
  bool at_end() const { return at_end_; }

  /// The next page: objects with at least `key` and `revision`, `most` of them
  /// at most. It may be empty.
  /// @throws error_exception
  nlohmann::json next(size_t most);

  /// What a page holds at most.
  static constexpr size_t page_max = 1000;

private:
  void check(const nlohmann::json& body) const;

  http_client client_;
  std::string path_;
  std::string prefix_;
  std::string after_;
  bool states_;
  bool at_end_ = false;
};

} // namespace troupe::cli
