// What the subcommands' command lines have in common: options, arguments by
// name, --help, and complaints that name what is wrong.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

class command_line {
public:
  /// `usage` is what --help prints above the options; `positional` names the
  /// arguments. All are needed but those in brackets, which come last: "[FILE]".
  command_line(std::string usage, std::vector<std::string> positional);

  /// Adds a flag. `name` may be "long" or "long,s".
  command_line& flag(const char* name, const char* text);

  /// Adds an option with a value.
  command_line& option(const char* name, const char* argument,
                       const char* text);

  /// Reads `args`. @returns false if help was asked for, and printed
  /// @throws usage_error
  bool parse(const arguments& args);

  bool has(const char* name) const;

  /// The option's value, or nothing.
  std::optional<std::string> value(const char* name) const;

  /// The option's value as a number from 1, or nothing.
  /// @throws usage_error
  std::optional<uint64_t> number(const char* name) const;

  /// The argument of that name. @pre it is needed
  const std::string& argument(const char* name) const;

  /// The argument in brackets of that name, or nothing.
  std::optional<std::string> optional_argument(const char* name) const;

  /// The argument of that name, which must be a name of Troupe's.
  /// @throws usage_error
  const std::string& name(const char* name) const;

  /// --endpoint, else TROUPE_ENDPOINT, else the default.
  /// @throws usage_error
  endpoint node() const;

private:
  void store(const arguments& args);
  void check_positional() const;

  std::string usage_;
  std::vector<std::string> positional_;
  std::vector<std::string> given_;
  boost::program_options::options_description described_;
  boost::program_options::variables_map values_;
};

/// @throws usage_error unless `text` is a name; `what` says of what
void check_name(const std::string& text, const std::string& what);

/// @throws usage_error unless `text` can be a key
void check_key(const std::string& text);

/// 4,5 as HTTP writes it: "4", "5". `option` is what gave it.
/// @throws usage_error
std::string to_entity_tags(const std::string& text, const std::string& option);

/// A command of a command: `list` of `troupe queue list`.
struct subcommand {
  std::string_view name;
  void (*run)(const arguments&);
};

/// Runs the one of `all` that `args` begin with, with the rest of them.
/// @throws usage_error if there is none. @pre !args.empty()
void run_subcommand(std::string_view command, std::span<const subcommand> all,
                    const arguments& args);

} // namespace troupe::cli
