#include "actors/model/peer_watch.hpp"

#include <algorithm>

namespace troupe {

void peer_watch::look(const std::vector<sighting>& view, boot_time asked,
                      boot_time now) {
  auto gap = last_look_ ? now - *last_look_ : std::chrono::nanoseconds{0};
  auto anew = !last_look_ || gap > options_.gap_max;
  last_look_ = now;
  for (auto& [name, x] : peers_)
    x.seen = false;
  for (auto& sighted : view) {
    auto i = peers_.find(sighted.name);
    auto is_new = i == peers_.end();
    if (is_new)
      i = peers_.try_emplace(std::string{sighted.name}).first;
    auto& x = i->second;
    x.seen = true;
    auto moved = is_new || x.counter != sighted.counter;
    if (anew || moved)
      x.since = now;
    if (moved)
      x.patience = {};
    else if (anew)
      x.patience = std::min(gap, options_.patience_max);
    x.counter = sighted.counter;
    x.still = std::max(asked - x.since, std::chrono::nanoseconds{0});
  }
  std::erase_if(peers_, [](auto& x) { return !x.second.seen; });
}

std::optional<uint64_t> peer_watch::dead(const std::string& name) const {
  auto i = peers_.find(name);
  if (i == peers_.end()
      || i->second.still < options_.dead_after + i->second.patience)
    return std::nullopt;
  return i->second.counter;
}

std::optional<boot_time>
peer_watch::still_since(const std::string& name) const {
  auto i = peers_.find(name);
  if (i == peers_.end())
    return std::nullopt;
  return i->second.since;
}

bool peer_watch::suspect(const std::string& name) const {
  auto i = peers_.find(name);
  return i == peers_.end() || i->second.still >= options_.suspect_after;
}

std::optional<boot_time> peer_watch::next_verdict() const {
  std::optional<boot_time> result;
  for (auto& [name, x] : peers_)
    if (auto due = x.since + options_.dead_after + x.patience;
        !result || due < *result)
      result = due;
  return result;
}

} // namespace troupe
