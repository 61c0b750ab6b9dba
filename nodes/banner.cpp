#include "nodes/banner.hpp"

#include <algorithm>

namespace troupe {

namespace {

using nlohmann::json;

std::string list(const char* what, const json& entries) {
  std::string line;
  for (auto& x : entries)
    line += (line.empty() ? "" : ", ") + x["name"].get<std::string>();
  std::string label{what};
  label.resize(10, ' ');
  return "  " + label + " " + (line.empty() ? "none" : line) + "\n";
}

bool has(const json& entries, const char* name) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](auto& x) { return x["name"] == name; });
}

/// What another function takes is not known here.
std::string call_of_function(const banner_facts& x) {
  if (has(x.cluster["functions"], "add"))
    return "curl -d '[2,3]' " + x.url + "/invoke/add";
  return "curl " + x.url + "/cluster";
}

std::string call_of_service(const banner_facts& x) {
  if (has(x.cluster["services"], "data_service"))
    return "curl -d '{\"a\":1}' " + x.url
           + "/services/data_service/k1/set_data";
  return "curl " + x.url + "/metrics";
}

std::string look_at_tree(const banner_facts& x) {
  if (x.program.empty())
    return "curl " + x.url + "/cluster/tree";
  return x.program + " tree --endpoint " + x.url;
}

} // namespace

std::string banner(const banner_facts& x) {
  return "Troupe serves " + x.url + "\n  store      " + x.store + "\n"
         + list("functions", x.cluster["functions"])
         + list("services", x.cluster["services"]) + "\nTry:\n  "
         + call_of_function(x) + "\n  " + call_of_service(x) + "\n  "
         + look_at_tree(x) + "\n";
}

} // namespace troupe
