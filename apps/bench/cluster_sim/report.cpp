#include "apps/bench/cluster_sim/report.hpp"

#include <cstdio>
#include <utility>

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
  table result{{"nodes", "rounds", "shards/node", "max/mean", "without",
                "ops/s", "rows/s", "KB/s", "all: rows/s", "MB/s", "core %"}};
  uint32_t last = 0;
  for (auto& c : x.clusters) {
    if (std::exchange(last, c.nodes) == c.nodes)
      continue; // what is at rest does not know how nodes die
    result.add(
      {whole(c.nodes), whole(c.rounds), number(double(x.shards) / c.nodes, 1),
       number(c.imbalance, 2), whole(c.nodes_without), number(c.operations, 1),
       whole(c.rows), kilobytes(c.bytes), whole(c.rows * c.nodes),
       number(c.bytes * c.nodes / 1e6, 2), number(c.cpu_share * 100, 2)});
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
  table result{
    {"nodes", "store", "renewals/s", "needed/s", "of what it can do"}};
  for (auto& s : x.store)
    result.add({whole(s.rows), s.store, whole(s.renewals),
                whole(s.share * s.renewals), number(s.share * 100, 1) + " %"});
  return result.text();
}

} // namespace

std::string to_text(const sim_report& x) {
  auto text =
    "At rest: what a node asks of the store, and what its membership "
    "costs (measured)\n\n"
    + rest_table(x)
    + "\nAfter something has happened: the median of the rounds / the "
      "longest; operations and bytes a second and node\n\n"
    + change_table(x);
  if (!x.store.empty())
    text += "\nRenewals that a store can do, each of which reads the rows of "
            "all (measured)\n\n"
            + store_table(x);
  for (auto& c : x.clusters)
    for (auto& fault : c.faults)
      text += "\nFAULT: " + fault + '\n';
  return text;
}

} // namespace troupe::bench
