#include <map>

#include "actors/core/codec.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

constexpr auto path = "/cluster/shards";

/// "0-3,7": as many as fit in a line, then how many more there are.
class ranges {
public:
  void add(uint64_t shard) {
    ++count_;
    if (!parts_.empty() && parts_.back().second + 1 == shard)
      parts_.back().second = shard;
    else
      parts_.emplace_back(shard, shard);
  }

  uint64_t count() const { return count_; }

  std::string to_string() const {
    constexpr size_t length_max = 40;
    std::string result;
    for (auto& [first, last] : parts_) {
      if (result.size() > length_max)
        return result + ",...";
      result += (result.empty() ? "" : ",") + std::to_string(first);
      if (last > first)
        result += "-" + std::to_string(last);
    }
    return result;
  }

private:
  uint64_t count_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> parts_;
};

} // namespace

void shards(const arguments& args) {
  command_line line{"Usage: troupe shards [options]\n\n"
                    "Shows which node owns which shards; --json has every one "
                    "with its epoch.\n",
                    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto body = fetch(line, path);
  auto is_known =
    body.is_object() && body.contains("shards") && body["shards"].is_array();
  if (!is_known)
    refuse_answer(line.node(), path);
  if (printed_json(line, body))
    return;
  std::map<std::string, ranges> owned;
  for (const auto& x : body["shards"]) {
    if (!x.is_object() || !x.contains("shard")
        || !x["shard"].is_number_unsigned())
      refuse_answer(line.node(), path);
    owned[cell(x, "node")].add(x["shard"].get<uint64_t>());
  }
  table result{{"NODE", "SHARDS", "WHICH"}};
  for (auto& [node, which] : owned)
    result.add({node, std::to_string(which.count()), which.to_string()});
  write_stdout(result.to_string());
}

} // namespace troupe::cli
