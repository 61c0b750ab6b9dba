#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void nodes(const arguments& args) {
  command_line line{"Usage: troupe nodes [options]\n\n"
                    "Lists the nodes of the cluster.\n",
                    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto list = fetch_list(line, "nodes");
  if (printed_json(line, list))
    return;
  table result{{"NODE", "STATE", "SHARDS", "ZONE", "ENDPOINT"}};
  for (const auto& x : list)
    result.add({cell(x, "id"), cell(x, "state"), cell(x, "shards"),
                cell(x, "zone"), cell(x, "endpoint")});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
