#include "actors/core/errors.hpp"
#include "apps/troupe/client/calling.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/queueing.hpp"

namespace troupe::cli {

namespace {

constexpr const char* usage = R"(Usage: troupe invoke NAME [options]

Calls a function and prints its answer: the bytes as they are, and a newline
after JSON.

  troupe invoke add -d '[2,3]'         one JSON argument is the value itself,
                                       several are an array
  troupe invoke echo -d @picture.png > copy.png
  date | troupe invoke echo -d -
  troupe invoke add -d '[2,3]' --async   print its id; see troupe queue show
)";

command_line make_line() {
  command_line line{usage, {"NAME"}};
  add_call_options(line);
  line
    .option("key", "KEY",
            "Routing key: calls with the same key meet the same node while it "
            "has room.")
    .option("qualifier", "Q", "A version or an alias of the function.")
    .option("idempotency-key", "K",
            "Of a queued call: a repeat with the same K is the same call, for "
            "at least 24 hours.")
    .flag("log", "Print the call's log on stderr. Not built yet.");
  add_queue_options(line);
  return line;
}

void refuse_later_options(const command_line& line) {
  if (line.has("log"))
    throw error_exception{
      error{errc::not_implemented, "'troupe invoke --log' is not built yet"}};
}

std::string target_of(const command_line& line) {
  auto result = "/invoke/" + line.name("NAME");
  if (auto qualifier = line.value("qualifier")) {
    // Versions are numbers, aliases are names; $LATEST is neither.
    if (*qualifier != "$LATEST")
      check_name(*qualifier, "--qualifier");
    result += ":" + percent_encode(*qualifier);
  }
  return result;
}

} // namespace

void invoke(const arguments& args) {
  auto line = make_line();
  if (!line.parse(args))
    return;
  auto target = target_of(line);
  auto key = line.value("key");
  if (key)
    check_key(*key);
  if (line.value("idempotency-key") && !line.has("async"))
    throw usage_error{"--idempotency-key needs --async"};
  auto node = line.node();
  refuse_later_options(line);
  auto request = make_call(line, target);
  if (key)
    request.fields.push_back("Troupe-Key: " + percent_encode(*key));
  if (queue_call(line, request))
    return send_queued(node, request);
  write_answer(send_checked(node, request));
}

} // namespace troupe::cli
