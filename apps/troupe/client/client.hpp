// The door of libtroupe_client.so.

#pragma once

namespace troupe::cli {

/// `argv[1]` is the subcommand. @returns the exit status
using client_main_function = int(int argc, char** argv);

inline constexpr const char* client_main_name = "troupe_client_main";

} // namespace troupe::cli
