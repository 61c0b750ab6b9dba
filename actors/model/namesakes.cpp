#include "actors/model/namesakes.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

void namesakes::look(const std::vector<sighting>& others) {
  if (!std::exchange(has_looked_, true))
    for (auto& x : others)
      older_.emplace(x.incarnation, x.counter);
  std::erase_if(older_, [&](auto& older) {
    return std::none_of(others.begin(), others.end(),
                        [&](auto& x) { return x.incarnation == older.first; });
  });
  alive_.reset();
  for (auto& x : others) {
    auto i = older_.find(std::string{x.incarnation});
    if (i != older_.end() && x.counter > i->second + under_way_most_
        && !x.leaves)
      alive_ = i->first;
  }
}

void namesakes::gone(const std::string& incarnation) {
  older_.erase(incarnation);
  if (alive_ == incarnation)
    alive_.reset();
}

} // namespace troupe
