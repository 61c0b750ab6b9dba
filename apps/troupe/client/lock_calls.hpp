// What the subcommands of `troupe lock` have in common.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "apps/troupe/client/command_line.hpp"
#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

inline constexpr std::chrono::milliseconds default_ttl{10'000};

/// How a lock is asked for.
struct lock_wish {
  std::string name;
  std::chrono::milliseconds ttl = default_ttl;
  std::chrono::milliseconds wait{0};
};

/// Adds --ttl.
void add_ttl_option(command_line& line);

/// --ttl, or nothing.
/// @throws usage_error
std::optional<std::chrono::milliseconds> read_ttl(const command_line& line);

/// Adds --wait.
void add_wait_option(command_line& line);

/// NAME, --ttl and --wait.
/// @throws usage_error
lock_wish read_wish(const command_line& line);

/// TOKEN.
/// @throws usage_error
uint64_t read_token(const command_line& line);

http_request acquire_request(const lock_wish& wish);

/// Without `ttl` for as long as it was granted.
http_request renew_request(const std::string& name, uint64_t token,
                           std::optional<std::chrono::milliseconds> ttl);

http_request release_request(const std::string& name, uint64_t token);

/// What a node says of a lock that it has granted or renewed.
struct granted_lock {
  uint64_t token = 0;
  std::string expires;
};

/// @throws error_exception if `answer` is not what a node says
granted_lock read_grant(const endpoint& node, const http_answer& answer);

/// Runs a program while a lock is held.
void lock_run(const arguments& args);

} // namespace troupe::cli
