#include "actors/service/outbox.hpp"

#include <algorithm>
#include <iterator>

#include "actors/core/defaults.hpp"

namespace troupe {

size_t outgoing::bytes() const noexcept {
  size_t result = 0;
  for (auto& x : work)
    result += x.item.arguments.bytes.size();
  return result;
}

bool outbox::full() const noexcept {
  return next_.work.size() >= defaults::service::sends
         || next_.withdrawn.size() >= defaults::service::sends
         || next_bytes_ >= defaults::service::sent_bytes;
}

void outbox::add(outgoing x) {
  next_bytes_ += x.bytes();
  auto& work = next_.work;
  for (auto& id : x.withdrawn) {
    // What no commit has taken along never was.
    auto i = std::find_if(work.begin(), work.end(),
                          [&](auto& y) { return y.item.id == id; });
    if (i != work.end()) {
      next_bytes_ -= i->item.arguments.bytes.size();
      work.erase(i);
    } else {
      next_.withdrawn.push_back(id);
    }
  }
  std::move(x.work.begin(), x.work.end(), std::back_inserter(work));
}

outgoing outbox::take() {
  committing_.clear();
  for (auto& x : next_.work)
    committing_.emplace_back(x.item.target.lane(), x.item.due);
  next_bytes_ = 0;
  return std::exchange(next_, {});
}

std::vector<outbox::place> outbox::committed() {
  return std::exchange(committing_, {});
}

void outbox::clear() noexcept {
  next_ = {};
  next_bytes_ = 0;
  committing_.clear();
}

} // namespace troupe
