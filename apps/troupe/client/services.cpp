#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void services(const arguments& args) {
  command_line line{"Usage: troupe services [options]\n\n"
                    "Lists the services that the cluster serves.\n",
                    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto list = fetch_list(line, "services");
  if (printed_json(line, list))
    return;
  table result{{{"SERVICE", "SCHEMA", "METHODS"}}};
  for (const auto& x : list)
    result.add({cell(x, "name"), cell(x, "schema"), list_cell(x, "methods")});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
