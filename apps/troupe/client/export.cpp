#include "actors/core/codec.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/entity_pages.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

constexpr const char* usage = R"(Usage: troupe export SERVICE [options]

Writes the entities of a service to stdout, a line of JSON each, by key:

  {"key":"visits","revision":3,"schema":1,"state":{"value":3}}

Each line is a state that was committed; entities that change meanwhile may be of
different moments. `troupe import` reads it.
)";

std::string to_line(const nlohmann::json& x) {
  return "{\"key\":" + dump_json(x["key"]) + ",\"revision\":"
         + dump_json(x["revision"]) + ",\"schema\":" + dump_json(x["schema"])
         + ",\"state\":" + dump_json(x["state"]) + "}\n";
}

} // namespace

void export_entities(const arguments& args) {
  command_line line{usage, {"SERVICE"}};
  add_prefix_option(line);
  if (!line.parse(args))
    return;
  entity_pages pages{line.node(), line.name("SERVICE"),
                     key_part(line, "prefix"), "", true};
  while (!pages.at_end()) {
    std::string lines;
    for (const auto& x : pages.next(entity_pages::page_max))
      lines += to_line(x);
    write_stdout(lines);
  }
}

} // namespace troupe::cli
