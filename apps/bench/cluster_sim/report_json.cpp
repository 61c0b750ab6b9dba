#include <stdexcept>

#include <nlohmann/json.hpp>

#include "apps/bench/cluster_sim/report.hpp"

namespace troupe::bench {

namespace {

using json = nlohmann::ordered_json;

// -- writing -------------------------------------------------------------------

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
              {"rounds", x.rounds},
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

// -- reading -------------------------------------------------------------------

uint32_t count(const json& x, const char* name) {
  auto& found = x.at(name);
  if (!found.is_number_unsigned() || found == 0 || found > UINT32_MAX)
    throw std::invalid_argument{std::string{name} + " is no count"};
  return found.get<uint32_t>();
}

spread spread_from(const json& x) {
  return {x.at("median").get<double>(), x.at("most").get<double>()};
}

change_figures change_from(const json& x) {
  change_figures result;
  result.seen = spread_from(x.at("seenS"));
  result.served = spread_from(x.at("servedS"));
  result.rest = spread_from(x.at("atRestS"));
  x.at("moved").get_to(result.moved);
  x.at("ideal").get_to(result.ideal);
  x.at("refused").get_to(result.refused);
  x.at("declarations").get_to(result.declarations);
  x.at("operations").get_to(result.operations);
  x.at("operationsMost").get_to(result.operations_most);
  x.at("bytes").get_to(result.bytes);
  x.at("bytesMost").get_to(result.bytes_most);
  return result;
}

failure_figures failure_from(const json& x) {
  failure_figures result;
  result.dead = count(x, "dead");
  result.death = change_from(x.at("death"));
  x.at("imbalance").get_to(result.imbalance);
  result.comeback = change_from(x.at("comeback"));
  return result;
}

death_notice notice_from(const json& x) {
  for (auto result : {death_notice::lease, death_notice::proof})
    if (x == to_string(result))
      return result;
  throw std::invalid_argument{"by is neither lease nor proof"};
}

cluster_figures cluster_from(const json& x) {
  cluster_figures result;
  result.nodes = count(x, "nodes");
  result.rounds = count(x, "rounds");
  result.notice = notice_from(x.at("by"));
  result.start = change_from(x.at("start"));
  auto& rest = x.at("rest");
  rest.at("operations").get_to(result.operations);
  rest.at("rows").get_to(result.rows);
  rest.at("bytes").get_to(result.bytes);
  rest.at("imbalance").get_to(result.imbalance);
  rest.at("nodesWithout").get_to(result.nodes_without);
  for (auto& failure : x.at("failures"))
    result.failures.push_back(failure_from(failure));
  x.at("faults").get_to(result.faults);
  x.at("measured").at("coreShare").get_to(result.cpu_share);
  return result;
}

} // namespace

std::string to_json(const sim_report& x) {
  json result{
    {"shards", x.shards}, {"seed", x.seed}, {"clusters", json::array()}};
  for (auto& c : x.clusters)
    result["clusters"].push_back(to_json(c));
  auto& stores = result["measured"]["stores"] = json::array();
  for (auto& s : x.store)
    stores.push_back({{"store", s.store},
                      {"rows", s.rows},
                      {"renewals", s.renewals},
                      {"share", s.share}});
  return result.dump(2) + '\n';
}

sim_report report_from_json(const std::string& text) {
  try {
    auto x = json::parse(text);
    sim_report result;
    result.shards = count(x, "shards");
    x.at("seed").get_to(result.seed);
    for (auto& c : x.at("clusters"))
      result.clusters.push_back(cluster_from(c));
    for (auto& s : x.at("measured").at("stores")) {
      auto& store = result.store.emplace_back();
      s.at("store").get_to(store.store);
      store.rows = count(s, "rows");
      s.at("renewals").get_to(store.renewals);
      s.at("share").get_to(store.share);
    }
    return result;
  } catch (const json::exception& e) {
    throw std::invalid_argument{e.what()};
  }
}

} // namespace troupe::bench
