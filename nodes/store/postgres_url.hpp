// Where a PostgreSQL server is, as an operator writes it, and as it may be
// shown: without the password.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/expected.hpp"
#include "nodes/store/postgres_connection.hpp"

namespace troupe {

inline constexpr std::string_view postgres_prefix = "postgresql://";

/// Whether libpq understands it. Fails with `bad_request`; the error does not
/// show the URL.
expected<void> check_postgres_url(const std::string& url);

/// "postgresql://user@host:port/database".
/// @pre `check_postgres_url(url)`
std::string describe_postgres_url(const std::string& url);

/// Any text that could be such a URL, for an error: what may be a password in
/// it is left out.
std::string without_password(std::string_view text);

/// What libpq connects with: ours, unless the URL says otherwise. A standby is
/// passed over; a machine that is gone is noticed.
postgres_parameters postgres_url_parameters(const std::string& url,
                                            const std::string& role,
                                            std::chrono::seconds connect_time);

} // namespace troupe
