#include "apps/bench/figure.hpp"

#include <algorithm>
#include <utility>

namespace troupe::bench {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  auto n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

figure from_rounds(std::string name, std::string unit, std::string baseline,
                   std::optional<requirement> required,
                   std::vector<round_pair> rounds) {
  std::vector<double> bare;
  std::vector<double> ours;
  std::vector<double> ratios;
  for (auto& x : rounds) {
    bare.push_back(x.bare);
    ours.push_back(x.ours);
    ratios.push_back(x.ours / x.bare);
  }
  figure result;
  result.name = std::move(name);
  result.unit = std::move(unit);
  result.baseline = std::move(baseline);
  result.bare = median(std::move(bare));
  result.ours = median(std::move(ours));
  result.ratio = median(std::move(ratios));
  result.required = required;
  result.rounds = std::move(rounds);
  return result;
}

} // namespace troupe::bench
