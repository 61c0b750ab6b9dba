#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/entity_pages.hpp"

namespace troupe::cli {

void delete_entity(const arguments& args) {
  command_line line{"Usage: troupe delete SERVICE KEY [options]\n\n"
                    "Deletes an entity: its state is gone, and the next call "
                    "finds it as new.\n",
                    {"SERVICE", "KEY"}};
  line.option("if-match", "R",
              "Only if the state's revision is R (a number, several with "
              "commas, or * for any); else revision_mismatch.");
  if (!line.parse(args))
    return;
  check_key(line.argument("KEY"));
  http_request request;
  request.method = "DELETE";
  request.target = entity_path(line.name("SERVICE"), line.argument("KEY"));
  if (auto revisions = line.value("if-match"))
    request.fields.push_back("If-Match: "
                             + to_entity_tags(*revisions, "--if-match"));
  send_checked(line.node(), request);
}

} // namespace troupe::cli
