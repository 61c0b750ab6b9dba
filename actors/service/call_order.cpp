#include "actors/service/call_order.hpp"

#include <algorithm>

namespace troupe {

bool call_order::add(ticket_ptr& call, const std::optional<call_root>& holder) {
  if (!call->call().path) {
    outer_.push_back(std::move(call));
    return true;
  }
  auto root = call->call().root();
  if (holder && !(root < *holder))
    return false;
  auto place =
    std::find_if(nested_.begin(), nested_.end(),
                 [&](const ticket_ptr& x) { return x->call().root() <= root; });
  if (place != nested_.end() && (*place)->call().root() == root)
    return false;
  nested_.insert(place, std::move(call));
  return true;
}

ticket_ptr call_order::next() {
  auto& from = nested_.empty() ? outer_ : nested_;
  if (from.empty())
    return nullptr;
  auto result = std::move(from.front());
  from.pop_front();
  return result;
}

std::list<ticket_ptr> call_order::take_if(bool all) {
  std::list<ticket_ptr> result;
  for (auto list : {&nested_, &outer_})
    for (auto i = list->begin(); i != list->end();) {
      auto here = i++;
      if (all || !(*here)->call().wanted())
        result.splice(result.end(), *list, here);
    }
  return result;
}

} // namespace troupe
