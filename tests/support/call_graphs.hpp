// Entities that call each other as the call says: what a test of many random
// call graphs serves.

#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "actors/core/module.hpp"

namespace troupe::testing {

/// One visit, and those that it makes in turn.
struct visit_plan {
  std::string key;

  /// Sleeps for so long before it goes on.
  int sleep_ms = 0;
  std::vector<visit_plan> then;

  /// Visits in all.
  size_t size() const {
    size_t result = 1;
    for (auto& x : then)
      result += x.size();
    return result;
  }
};

inline void to_json(json& to, const visit_plan& x) {
  to = json{{"key", x.key}, {"sleep", x.sleep_ms}, {"then", x.then}};
}

inline void from_json(const json& from, visit_plan& x) {
  from.at("key").get_to(x.key);
  from.at("sleep").get_to(x.sleep_ms);
  from.at("then").get_to(x.then);
}

/// Counts its visits.
struct visited {
  int64_t count = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(visited, count)

  /// How many visits were made.
  task<int64_t> visit(context& ctx, visit_plan plan) {
    ++count;
    if (plan.sleep_ms > 0)
      co_await ctx.sleep(std::chrono::milliseconds{plan.sleep_ms});
    int64_t made = 1;
    for (auto& next : plan.then)
      made +=
        co_await ctx.entity<visited>(next.key).call(&visited::visit, next);
    co_return made;
  }

  int64_t get() const { return count; }
};

inline module visited_module() {
  module m;
  m.service<visited>("visited")
    .method("visit", &visited::visit)
    .method("get", &visited::get);
  return m;
}

/// Random plans over `keys` entities; a few of them are popular.
class plan_maker {
public:
  plan_maker(uint64_t seed, unsigned keys) : random_(seed), keys_(keys) {}

  visit_plan make(unsigned depth = 4) {
    visit_plan result;
    auto popular = random_() % 4 == 0;
    result.key = "e" + std::to_string(random_() % (popular ? 8 : keys_));
    result.sleep_ms = random_() % 8 == 0 ? static_cast<int>(random_() % 20) : 0;
    if (depth > 0)
      for (auto n = random_() % 3; n > 0; --n)
        result.then.push_back(make(depth - 1));
    return result;
  }

private:
  std::mt19937_64 random_;
  unsigned keys_;
};

} // namespace troupe::testing
