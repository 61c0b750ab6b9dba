#include "apps/troupe/client/commands.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "actors/core/lock_proof.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/lock_calls.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/time_option.hpp"

namespace troupe::cli {

namespace {

using std::chrono::milliseconds;
using json = nlohmann::json;

/// What the node may take beside the time that it waits for the lock.
constexpr milliseconds patience{15'000};

constexpr const char* usage = R"(Usage: troupe lock COMMAND NAME [options]

A lock is held by one at a time, for a while. It comes with a token, a number
that is higher with every grant: calls that show it (troupe call --lock) change
nothing once somebody else has the lock.

  troupe lock acquire NAME             ask for a lock, and print its token
  troupe lock renew NAME TOKEN         hold it for longer
  troupe lock release NAME TOKEN       let others have it
  troupe lock show NAME                print who has it
  troupe lock run NAME -- COMMAND...   hold it while a program runs

  troupe lock COMMAND --help           what a command takes
)";

std::string path_of(const std::string& name) {
  return "/locks/" + name;
}

// -- the commands ------------------------------------------------------------

void acquire(const arguments& args) {
  command_line line{"Usage: troupe lock acquire NAME [options]\n\n"
                    "Asks for a lock and prints its token. If somebody else "
                    "has it: lock_held.\n",
                    {"NAME"}};
  add_ttl_option(line);
  add_wait_option(line);
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto node = line.node();
  auto answer = send_checked(node, acquire_request(read_wish(line)));
  auto grant = read_grant(node, answer);
  if (!printed_json(line, json::parse(answer.body)))
    write_stdout(std::to_string(grant.token) + "\n");
}

void renew(const arguments& args) {
  command_line line{"Usage: troupe lock renew NAME TOKEN [options]\n\n"
                    "Holds a lock for longer: its time begins anew. If it was "
                    "lost: lock_held.\n",
                    {"NAME", "TOKEN"}};
  line.option("ttl", "TIME",
              "For how long it is held from now on: 10 (seconds), 500ms, 2m. "
              "Default: as long as it was granted or last renewed for.");
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto node = line.node();
  auto answer = send_checked(
    node, renew_request(line.name("NAME"), read_token(line), read_ttl(line)));
  auto grant = read_grant(node, answer);
  if (!printed_json(line, json::parse(answer.body)))
    write_stdout(grant.expires + "\n");
}

void release(const arguments& args) {
  command_line line{"Usage: troupe lock release NAME TOKEN [options]\n\n"
                    "Lets others have a lock. If it was lost before: "
                    "lock_held.\n",
                    {"NAME", "TOKEN"}};
  if (!line.parse(args))
    return;
  send_checked(line.node(),
               release_request(line.name("NAME"), read_token(line)));
}

void show(const arguments& args) {
  command_line line{"Usage: troupe lock show NAME [options]\n\n"
                    "Prints whether a lock is held, the token of its last "
                    "grant, and until when.\n",
                    {"NAME"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto about = fetch(line, path_of(line.name("NAME")));
  if (printed_json(line, about))
    return;
  table result{{"LOCK", "TOKEN", "HELD", "UNTIL"}};
  result.add({cell(about, "name"), cell(about, "token"),
              about.value("held", false) ? "yes" : "no",
              cell(about, "expiresAt")});
  write_stdout(result.to_string());
}

struct lock_command {
  std::string_view name;
  void (*run)(const arguments&);
};

constexpr lock_command lock_commands[] = {
  {"acquire", acquire}, {"renew", renew},  {"release", release},
  {"show", show},       {"run", lock_run},
};

} // namespace

// -- what they have in common ------------------------------------------------

void add_ttl_option(command_line& line) {
  line.option("ttl", "TIME",
              "For how long it is held unless it is renewed: 10 (seconds), "
              "500ms, 2m. Default: 10.");
}

void add_wait_option(command_line& line) {
  line.option("wait", "TIME",
              "How long to wait while somebody else has it. Default: 0.");
}

std::optional<milliseconds> read_ttl(const command_line& line) {
  if (auto text = line.value("ttl"))
    return parse_time(*text, "ttl", milliseconds{1});
  return std::nullopt;
}

lock_wish read_wish(const command_line& line) {
  lock_wish result;
  result.name = line.name("NAME");
  result.ttl = read_ttl(line).value_or(default_ttl);
  if (auto text = line.value("wait"))
    result.wait = parse_time(*text, "wait", milliseconds{0});
  return result;
}

uint64_t read_token(const command_line& line) {
  auto result = parse_lock_token(line.argument("TOKEN"));
  if (result == 0)
    throw usage_error{"TOKEN must be the number that the lock came with, is '"
                      + line.argument("TOKEN") + "'"};
  return result;
}

http_request acquire_request(const lock_wish& wish) {
  http_request result;
  result.method = "POST";
  result.target = path_of(wish.name);
  result.body =
    json{{"ttlMs", wish.ttl.count()}, {"waitMs", wish.wait.count()}}.dump();
  result.content_type = "application/json";
  result.timeout = wish.wait + patience;
  return result;
}

http_request renew_request(const std::string& name, uint64_t token,
                           std::optional<milliseconds> ttl) {
  json body{{"token", token}};
  if (ttl)
    body["ttlMs"] = ttl->count();
  http_request result;
  result.method = "PUT";
  result.target = path_of(name);
  result.body = body.dump();
  result.content_type = "application/json";
  result.timeout = patience;
  return result;
}

http_request release_request(const std::string& name, uint64_t token) {
  http_request result;
  result.method = "DELETE";
  result.target = path_of(name) + "?token=" + std::to_string(token);
  result.timeout = patience;
  return result;
}

granted_lock read_grant(const endpoint& node, const http_answer& answer) {
  auto about = json::parse(answer.body, nullptr, false);
  if (!about.is_object() || !about.contains("token")
      || !about["token"].is_number_unsigned() || !about.contains("expiresAt")
      || !about["expiresAt"].is_string())
    refuse_answer(node, "/locks");
  return {about["token"].get<uint64_t>(),
          about["expiresAt"].get<std::string>()};
}

bool is_lock_command(const std::string& name) {
  return std::any_of(std::begin(lock_commands), std::end(lock_commands),
                     [&](const lock_command& x) { return x.name == name; });
}

void lock(const arguments& args) {
  if (args.empty())
    throw usage_error{"a command is missing: acquire, renew, release, show or "
                      "run"};
  if (args.front() == "--help" || args.front() == "-h")
    return write_stdout(usage);
  for (const auto& x : lock_commands)
    if (x.name == args.front())
      return x.run({args.begin() + 1, args.end()});
  throw usage_error{"there is no command 'lock " + args.front() + "'"};
}

} // namespace troupe::cli
