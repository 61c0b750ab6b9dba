#include "actors/core/codec.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void owner(const arguments& args) {
  command_line line{"Usage: troupe owner SERVICE KEY [options]\n\n"
                    "Shows which node an entity belongs to now.\n",
                    {"SERVICE", "KEY"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  check_key(line.argument("KEY"));
  auto path = "/cluster/owner?service=" + line.name("SERVICE")
              + "&key=" + percent_encode(line.argument("KEY"));
  auto body = fetch(line, path);
  if (!body.is_object() || !body.contains("node"))
    refuse_answer(line.node(), path);
  if (printed_json(line, body))
    return;
  table result{{"NODE", "SHARD", "EPOCH", "ENDPOINT"}};
  result.add({cell(body, "node"), cell(body, "shard"), cell(body, "epoch"),
              cell(body, "endpoint")});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
