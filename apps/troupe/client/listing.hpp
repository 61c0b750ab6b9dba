// What the subcommands that list things have in common: one GET, JSON or a
// table.

#pragma once

#include <nlohmann/json.hpp>

#include "apps/troupe/client/command_line.hpp"

namespace troupe::cli {

/// Adds --json.
void add_listing_options(command_line& line);

/// What is said of an answer that no node gives.
[[noreturn]] void refuse_answer(const endpoint& node, const std::string& path);

/// The JSON at `path` of the node.
/// @throws error_exception if there is none
nlohmann::json fetch(const command_line& line, const std::string& path);

/// The same of another node than that of the command line.
nlohmann::json fetch(const endpoint& node, const std::string& path);

/// The list called `member` of the node's `/cluster`.
/// @throws error_exception if there is none
nlohmann::json fetch_list(const command_line& line, const char* member);

/// The same of another node than that of the command line.
nlohmann::json fetch_list(const endpoint& node, const char* member);

/// All pages of `path`: each has a list called `member`, and says after which
/// element the next one begins.
nlohmann::json fetch_pages(const command_line& line, const std::string& path,
                           const char* member);

/// The JSON at `path` of the node; null if there is nothing.
nlohmann::json fetch_if_any(const command_line& line, const std::string& path);

/// What became of a queued call, as /invocations/{id} has it; "-" if that is not
/// known any more, "unknown" if the node cannot tell.
std::string state_of_call(const command_line& line, const std::string& id);

/// Prints `value` as JSON if --json asks for it. @returns whether it did
bool printed_json(const command_line& line, const nlohmann::json& value);

/// The member of `object` as a cell of a table: text as it is, "-" for what is
/// not there.
std::string cell(const nlohmann::json& object, const char* member);

/// A member that is a list, with commas between its elements.
std::string list_cell(const nlohmann::json& object, const char* member);

} // namespace troupe::cli
