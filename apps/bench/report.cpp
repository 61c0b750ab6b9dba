#include "apps/bench/report.hpp"

#include <cstdio>

#include <nlohmann/json.hpp>

namespace troupe::bench {

namespace {

constexpr auto layout = "%-46s %-17s %11s %11s %-10s %7s %8s  %s\n";

std::string row(const std::string& name, const std::string& baseline,
                const std::string& bare, const std::string& ours,
                const std::string& unit, const std::string& ratio,
                const std::string& required, const std::string& mark) {
  char text[256];
  std::snprintf(text, sizeof(text), layout, name.c_str(), baseline.c_str(),
                bare.c_str(), ours.c_str(), unit.c_str(), ratio.c_str(),
                required.c_str(), mark.c_str());
  return text;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f", x < 100 ? 2 : 0, x);
  return text;
}

std::string number(const std::optional<double>& x) {
  return x ? number(*x) : "-";
}

const char* sign(requirement::bound kind) {
  switch (kind) {
  case requirement::bound::at_least:
    return ">=";
  case requirement::bound::at_most:
    return "<=";
  }
  return "";
}

const char* mark(const figure& x) {
  if (!x.required)
    return "";
  if (x.met())
    return "ok";
  return x.required->kind == requirement::bound::at_least ? "below" : "above";
}

std::string required_text(const figure& x) {
  if (!x.required)
    return "";
  char text[32];
  std::snprintf(text, sizeof(text), "%s %g", sign(x.required->kind),
                x.required->limit);
  return text;
}

nlohmann::ordered_json to_json(const figure& x) {
  nlohmann::ordered_json result;
  result["name"] = x.name;
  result["unit"] = x.unit;
  result["ours"] = x.ours;
  if (x.bare) {
    result["baseline"] = x.baseline;
    result["bare"] = *x.bare;
    result["ratio"] = *x.ratio;
  }
  if (x.required) {
    result["required"] = required_text(x);
    result["met"] = x.met();
  }
  if (!x.note.empty())
    result["note"] = x.note;
  for (auto& y : x.rounds)
    result["rounds"].push_back({{"bare", y.bare}, {"ours", y.ours}});
  return result;
}

} // namespace

std::string table_head() {
  return row("figure", "baseline", "bare", "ours", "", "ratio", "required", "");
}

std::string table_row(const figure& x) {
  auto result =
    row(x.name, x.baseline.empty() ? "-" : x.baseline, number(x.bare),
        number(x.ours), x.unit, number(x.ratio), required_text(x), mark(x));
  if (!x.note.empty())
    result += "  (" + x.note + ")\n";
  return result;
}

std::string to_json(const std::string& machine,
                    const std::vector<figure>& figures) {
  nlohmann::ordered_json result;
  result["machine"] = machine;
  result["figures"] = nlohmann::ordered_json::array();
  for (auto& x : figures)
    result["figures"].push_back(to_json(x));
  return result.dump(2) + "\n";
}

} // namespace troupe::bench
