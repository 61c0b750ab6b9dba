#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/entity_pages.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

constexpr const char* usage = R"(Usage: troupe keys SERVICE [options]

Lists the entities of a service that have a state, by key, with the revision of
each.

  troupe keys counter
  troupe keys data_service --prefix user/ --limit 20
)";

} // namespace

void keys(const arguments& args) {
  command_line line{usage, {"SERVICE"}};
  add_prefix_option(line);
  line.option("after", "K", "Only keys that come after K.")
    .option("limit", "N", "So many at most. Default: all.");
  add_listing_options(line);
  if (!line.parse(args))
    return;
  entity_pages pages{line.node(), line.name("SERVICE"),
                     key_part(line, "prefix"), key_part(line, "after"), false};
  auto missing = line.number("limit").value_or(UINT64_MAX);
  auto all = nlohmann::json::array();
  while (missing > 0 && !pages.at_end())
    for (auto& x : pages.next(missing)) {
      all.push_back({{"key", x["key"]}, {"revision", x["revision"]}});
      --missing;
    }
  if (printed_json(line, all))
    return;
  table result{{"KEY", "REVISION"}};
  for (const auto& x : all)
    result.add({cell(x, "key"), cell(x, "revision")});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
