// The subcommands that talk to a node; each has a file of its name. They throw
// usage_error for a wrong command line (exit 2) and error_exception for what
// failed (exit 1).

#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::cli {

/// What follows the subcommand on the command line.
using arguments = std::vector<std::string>;

/// The command line is wrong; the text names what is.
class usage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;

  /// @param command of a command: `list` of `troupe queue list`
  usage_error(const std::string& why, std::string command)
    : std::runtime_error(why), command_(std::move(command)) {}

  /// Whose help says more; empty: that of the whole.
  const std::string& command() const noexcept { return command_; }

private:
  std::string command_;
};

/// The command is done, and says with which status the program ends.
struct exit_request {
  int status;
};

/// Whoever read stdout has enough: `head`, for one. The program ends as others
/// do, by SIGPIPE.
struct closed_pipe {};

/// Something failed, and all is said of it (exit 1).
class reported_failure : public std::exception {};

/// Calls a function.
void invoke(const arguments& args);

/// Calls a method of a service.
void call(const arguments& args);

/// Calls a function or a method with each line of a file.
void map(const arguments& args);

/// Lists the keys of a service.
void keys(const arguments& args);

/// Prints the state of an entity.
void state(const arguments& args);

/// Deletes an entity.
void delete_entity(const arguments& args);

/// Writes the entities of a service as JSON lines.
void export_entities(const arguments& args);

/// Reads what `export` has written.
void import_entities(const arguments& args);

/// Acquires, renews, releases and shows locks, and runs programs under them.
void lock(const arguments& args);

/// Shows, redrives and purges queued calls.
void queue(const arguments& args);

/// Begins, shows and cancels groups of queued calls.
void group(const arguments& args);

/// Makes, shows, pauses and deletes schedules.
void schedule(const arguments& args);

/// Shows the messages that brokers send.
void subscribe(const arguments& args);

/// Whether there is a `troupe lock NAME`.
bool is_lock_command(const std::string& name);

/// Lists functions.
void functions(const arguments& args);

/// Lists services.
void services(const arguments& args);

/// Lists nodes.
void nodes(const arguments& args);

/// Shows who owns which shards.
void shards(const arguments& args);

/// Shows who owns an entity.
void owner(const arguments& args);

/// Has a node leave.
void drain(const arguments& args);

/// Shows the actors of a node.
void tree(const arguments& args);

} // namespace troupe::cli
