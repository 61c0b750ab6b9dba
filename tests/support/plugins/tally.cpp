// A service that knows how often it was called, and with what in sum.

#include <cstdint>
#include <vector>

#include "actors/core/plugin.hpp"

namespace {

struct tally {
  int64_t times = 0;
  int64_t sum = 0;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(tally, times, sum)

  int64_t take(std::vector<int64_t> values) {
    ++times;
    for (auto x : values)
      sum += x;
    return sum;
  }
};

troupe::module tallies() {
  troupe::module m;
  m.service<tally>("tally").method("take", &tally::take);
  return m;
}

} // namespace

TROUPE_PLUGIN(tallies)
