#include "apps/bench/http_contest.hpp"

#include <cstdio>

namespace troupe::bench {

http_contest::http_contest()
  : beast_("bare_beast_echo", two_cores().server),
    restinio_("bare_restinio_echo", two_cores().server),
    node_(two_cores().server), sides_{side{"Beast", &beast_},
                                      side{"RESTinio", &restinio_},
                                      side{"", &node_}} {}

figure http_contest::against(const side& bare, std::string name,
                             std::string unit, requirement required) const {
  std::vector<round_pair> rounds;
  std::vector<double> bare_cpu;
  std::vector<double> our_cpu;
  auto& ours = sides_[2];
  for (size_t i = 0; i < ours.rounds.size(); ++i) {
    rounds.push_back({bare.rounds[i].value, ours.rounds[i].value});
    bare_cpu.push_back(bare.rounds[i].cpu_us);
    our_cpu.push_back(ours.rounds[i].cpu_us);
  }
  auto result = from_rounds(std::move(name), std::move(unit), bare.name,
                            required, std::move(rounds));
  char text[80];
  std::snprintf(text, sizeof(text),
                "server CPU for one: %.1f us, baseline %.1f us",
                median(std::move(our_cpu)), median(std::move(bare_cpu)));
  result.note = text;
  return result;
}

} // namespace troupe::bench
