#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/entity_pages.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void state(const arguments& args) {
  command_line line{"Usage: troupe state SERVICE KEY [options]\n\n"
                    "Prints the state of an entity as it is stored: JSON.\n",
                    {"SERVICE", "KEY"}};
  if (!line.parse(args))
    return;
  check_key(line.argument("KEY"));
  http_request request;
  request.target = entity_path(line.name("SERVICE"), line.argument("KEY"));
  write_answer(send_checked(line.node(), request));
}

} // namespace troupe::cli
