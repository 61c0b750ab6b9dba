#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"

namespace troupe::cli {

void functions(const arguments& args) {
  list_names(args,
             "Usage: troupe functions [options]\n\n"
             "Lists the functions that the cluster serves.\n",
             "functions", "FUNCTION");
}

} // namespace troupe::cli
