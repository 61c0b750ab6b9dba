#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"

namespace troupe::cli {

void services(const arguments& args) {
  list_names(args,
             "Usage: troupe services [options]\n\n"
             "Lists the services that the cluster serves.\n",
             "services", "SERVICE");
}

} // namespace troupe::cli
