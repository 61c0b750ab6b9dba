#include "apps/bench/cluster_sim/report.hpp"

#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/bench/cluster_sim/table.hpp"

namespace troupe::bench {

namespace {

std::string number(double x, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, x);
  return text;
}

std::string whole(double x) {
  return number(x, 0);
}

std::string seconds(const spread& x) {
  return number(x.median, 2) + " / " + number(x.most, 2);
}

std::string kilobytes(double x) {
  return number(x / 1e3, x < 10e3 ? 1 : 0);
}

/// What was moved, as a multiple of what had to be.
std::string ratio(const change_figures& x) {
  return x.ideal > 0 ? number(x.moved / x.ideal, 2) : "-";
}

std::string rest_table(const sim_report& x) {
  table result{{"nodes", "shards/node", "max/mean", "without", "ops/s",
                "rows/s", "KB/s", "all: rows/s", "MB/s", "core %"}};
  uint32_t last = 0;
  for (auto& c : x.clusters) {
    if (std::exchange(last, c.nodes) == c.nodes)
      continue; // what is at rest does not know how nodes die
    result.add({whole(c.nodes), number(double(x.shards) / c.nodes, 1),
                number(c.imbalance, 2), whole(c.nodes_without),
                number(c.operations, 1), whole(c.rows), kilobytes(c.bytes),
                whole(c.rows * c.nodes), number(c.bytes * c.nodes / 1e6, 2),
                number(c.cpu_share * 100, 2)});
  }
  return result.text();
}

std::vector<std::string> change_row(const cluster_figures& c,
                                    const std::string& what,
                                    const change_figures& x) {
  return {whole(c.nodes),
          what,
          std::string{to_string(c.notice)},
          seconds(x.seen),
          seconds(x.served),
          seconds(x.rest),
          whole(x.moved),
          whole(x.ideal),
          ratio(x),
          whole(x.refused),
          whole(x.declarations),
          number(x.operations, 1),
          number(x.operations_most, 1),
          kilobytes(x.bytes),
          kilobytes(x.bytes_most)};
}

std::string change_table(const sim_report& x) {
  table result{{"nodes", "what", "by", "seen s", "served s", "at rest s",
                "moved", "ideal", "ratio", "refused", "declared", "ops/s",
                "most", "KB/s", "most"}};
  for (auto& c : x.clusters) {
    result.add(change_row(c, "all start", c.start));
    for (auto& f : c.failures) {
      auto count = std::to_string(f.dead);
      result.add(
        change_row(c, count + (f.dead == 1 ? " dies" : " die"), f.death));
      auto back = change_row(
        c, count + (f.dead == 1 ? " comes back" : " come back"), f.comeback);
      back[4] = "-"; // nothing was lost
      result.add(std::move(back));
    }
  }
  return result.text();
}

std::string store_table(const sim_report& x) {
  table result{{"nodes", "a renewal, ms", "of the store's time"}};
  for (auto& s : x.store)
    result.add(
      {whole(s.rows),
       number(std::chrono::duration<double, std::milli>(s.renewal).count(), 3),
       number(s.share * 100, 1) + " %"});
  return result.text();
}

// -- JSON ----------------------------------------------------------------------

using json = nlohmann::ordered_json;

json to_json(const spread& x) {
  return {{"median", x.median}, {"most", x.most}};
}

json to_json(const change_figures& x) {
  return {{"seenS", to_json(x.seen)},
          {"servedS", to_json(x.served)},
          {"atRestS", to_json(x.rest)},
          {"moved", x.moved},
          {"ideal", x.ideal},
          {"refused", x.refused},
          {"declarations", x.declarations},
          {"operations", x.operations},
          {"operationsMost", x.operations_most},
          {"bytes", x.bytes},
          {"bytesMost", x.bytes_most}};
}

json to_json(const cluster_figures& x) {
  json result{{"nodes", x.nodes},
              {"by", to_string(x.notice)},
              {"start", to_json(x.start)},
              {"rest",
               {{"operations", x.operations},
                {"rows", x.rows},
                {"bytes", x.bytes},
                {"imbalance", x.imbalance},
                {"nodesWithout", x.nodes_without}}},
              {"failures", json::array()},
              {"faults", x.faults},
              {"measured", {{"coreShare", x.cpu_share}}}};
  for (auto& f : x.failures)
    result["failures"].push_back({{"dead", f.dead},
                                  {"death", to_json(f.death)},
                                  {"imbalance", f.imbalance},
                                  {"comeback", to_json(f.comeback)}});
  return result;
}

} // namespace

std::string to_text(const sim_report& x) {
  auto text = "At rest: what a node asks of the store, and what its membership "
              "costs (measured)\n\n"
              + rest_table(x) + "\nAfter something has happened: the median of "
              + std::to_string(x.rounds)
              + " rounds / the longest; operations and bytes a second and "
                "node\n\n"
              + change_table(x);
  if (!x.store.empty())
    text +=
      "\nSQLite, measured: a renewal reads the rows of all, one after the "
      "other\n\n"
      + store_table(x);
  for (auto& c : x.clusters)
    for (auto& fault : c.faults)
      text += "\nFAULT: " + fault + '\n';
  return text;
}

std::string to_json(const sim_report& x) {
  json result{{"shards", x.shards},
              {"seed", x.seed},
              {"rounds", x.rounds},
              {"clusters", json::array()}};
  for (auto& c : x.clusters)
    result["clusters"].push_back(to_json(c));
  auto& store = result["measured"]["sqlite"] = json::array();
  for (auto& s : x.store)
    store.push_back(
      {{"rows", s.rows}, {"renewalNs", s.renewal.count()}, {"share", s.share}});
  return result.dump(2) + '\n';
}

} // namespace troupe::bench
