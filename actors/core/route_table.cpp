#include "actors/core/route_table.hpp"

#include <charconv>

namespace troupe {

call_target_ptr function_route::find(std::string_view qualifier) const {
  if (qualifier.empty() || qualifier == "$LATEST")
    return latest;
  if (auto i = aliases.find(qualifier); i != aliases.end()) {
    auto j = versions.find(i->second);
    return j != versions.end() ? j->second : nullptr;
  }
  uint64_t number = 0;
  auto end = qualifier.data() + qualifier.size();
  auto [rest, failed] = std::from_chars(qualifier.data(), end, number);
  if (failed != std::errc{} || rest != end)
    return nullptr;
  auto i = versions.find(number);
  return i != versions.end() ? i->second : nullptr;
}

route_source::route_source() : table_(std::make_shared<route_table>()) {}

void route_source::publish(std::shared_ptr<const route_table> table) {
  std::lock_guard guard{mutex_};
  table_ = std::move(table);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const route_table> route_source::load() const {
  std::lock_guard guard{mutex_};
  return table_;
}

} // namespace troupe
