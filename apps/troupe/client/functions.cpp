#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void functions(const arguments& args) {
  command_line line{"Usage: troupe functions [options]\n\n"
                    "Lists the functions that the cluster serves.\n",
                    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto list = fetch_list(line, "functions");
  if (printed_json(line, list))
    return;
  table result{{{"FUNCTION", "KIND", "VERSIONS"}}};
  for (const auto& x : list)
    result.add({cell(x, "name"), cell(x, "kind"), list_cell(x, "versions")});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
