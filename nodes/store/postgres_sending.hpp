// What the threads that write to a PostgreSQL server have in common: how long
// they wait for rows that somebody has locked, and when a commit is one.

#pragma once

#include <string>
#include <vector>

#include "nodes/store/postgres_session.hpp"

namespace troupe {

/// For the connection of a session that `send` is called with.
std::vector<const postgres_statement*> sending_statements();

/// Sends `xs` and waits; what was not on two disks where it must be is unknown.
/// @param is_patient waits for rows that are locked: else for a moment only
/// @pre `session.is_ready()`
std::vector<postgres_outcome> send(postgres_session& session,
                                   std::vector<postgres_transaction> xs,
                                   bool is_patient);

/// The server as a whole cannot do it, whatever the request is: it is about to
/// go, takes no writes, is out of something, or has a broken disk.
bool is_of_the_server(const std::string& sqlstate);

/// Lets go of a server that takes no writes: it is not the one that it was.
void drop_if_read_only(postgres_session& session,
                       const postgres_outcome& outcome);

} // namespace troupe
