#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using nlohmann::json;

constexpr const char* usage = R"(Usage: troupe tree [options]

Shows the actors of a node as their supervisors hold them: how each is, how
often and why it was restarted last, how much waits for it, the handler that it
is in and for how long.
)";

/// What stands before a name.
struct branches {
  const char* child;
  const char* last;
  const char* beside;
  const char* below_last;
};

constexpr branches drawn{"├─ ", "└─ ", "│  ", "   "};
constexpr branches typed{"|- ", "`- ", "|  ", "   "};

/// "add, 12 ms".
std::string activity(const json& actor) {
  auto handler = cell(actor, "handler");
  auto running = actor.find("runningUs");
  if (handler == "-" || running == actor.end() || !running->is_number())
    return handler;
  auto us = running->get<double>();
  char time[32];
  if (us < 1e3)
    std::snprintf(time, sizeof time, "%.0f us", us);
  else if (us < 1e6)
    std::snprintf(time, sizeof time, "%.0f ms", us / 1e3);
  else
    std::snprintf(time, sizeof time, "%.1f s", us / 1e6);
  return handler + ", " + time;
}

class tree_printer {
public:
  explicit tree_printer(const branches& style) : style_(style) {}

  /// Adds `actors`, and those below, at `indent`. The answer is at most 512
  /// levels deep: the parser has seen to that.
  void add(const json& actors, const std::string& indent, bool is_root) {
    if (!actors.is_array())
      throw error_exception{
        error{errc::internal_error, effect::none,
              "the node answers with something else than a tree"}};
    for (size_t i = 0; i < actors.size(); ++i) {
      auto is_last = i + 1 == actors.size();
      add_one(actors[i], indent
                           + (is_root   ? ""
                              : is_last ? style_.last
                                        : style_.child));
      auto below = indent
                   + (is_root   ? ""
                      : is_last ? style_.below_last
                                : style_.beside);
      if (actors[i].contains("children"))
        add(actors[i]["children"], below, false);
    }
  }

  std::string to_string() const { return table_.to_string(); }

private:
  void add_one(const json& actor, const std::string& prefix) {
    auto name = cell(actor, "name");
    table_.add({prefix + cell(actor, "kind") + (name == "-" ? "" : " " + name),
                cell(actor, "state"), cell(actor, "restarts"),
                cell(actor, "queue"), activity(actor),
                cell(actor, "lastReason")});
  }

  const branches& style_;
  table table_{
    {"ACTOR", "STATE", "RESTARTS", "QUEUE", "RUNNING", "LAST REASON"}};
};

} // namespace

void tree(const arguments& args) {
  command_line line{usage, {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto actors = fetch(line, "/cluster/tree");
  if (printed_json(line, actors))
    return;
  tree_printer printer{can_draw_lines() ? drawn : typed};
  printer.add(actors, "", true);
  write_stdout(printer.to_string());
}

} // namespace troupe::cli
