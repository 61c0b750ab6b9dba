#include "actors/core/errors.hpp"
#include "apps/troupe/client/calling.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

constexpr const char* usage = R"(Usage: troupe invoke NAME [options]

Calls a function and prints its answer: the bytes as they are, and a newline
after JSON.

  troupe invoke add -d '[2,3]'         one JSON argument is the value itself,
                                       several are an array
  troupe invoke echo -d @picture.png > copy.png
  date | troupe invoke echo -d -
)";

command_line make_line() {
  command_line line{usage, {"NAME"}};
  add_call_options(line);
  line
    .option("key", "KEY",
            "Routing key: calls with the same key meet the same node while it "
            "has room.")
    .option("qualifier", "Q", "A version or an alias of the function.")
    .flag("async", "Queue the call and print its id. Not built yet.")
    .flag("log", "Print the call's log on stderr. Not built yet.");
  return line;
}

void refuse_later_options(const command_line& line) {
  for (auto name : {"async", "log"})
    if (line.has(name))
      throw error_exception{
        error{errc::not_implemented,
              std::string{"'troupe invoke --"} + name + "' is not built yet"}};
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
  auto node = line.node();
  refuse_later_options(line);
  auto request = make_call(line, target);
  if (key)
    request.fields.push_back("Troupe-Key: " + percent_encode(*key));
  write_answer(send_checked(node, request));
}

} // namespace troupe::cli
