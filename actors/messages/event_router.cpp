#include "actors/messages/event_router.hpp"

#include <utility>

namespace troupe {

namespace {

expected<void> check(const cloud_event& x) {
  for (auto part : {&x.type, &x.source, &x.subject})
    if (part->size() > event_router::length_max)
      return error{errc::bad_request,
                   "type, source and subject of an event have 4096 bytes at "
                   "most"};
  return x.validate();
}

error nobody_takes(const cloud_event& x) {
  return {errc::not_found, "no rule takes the event '" + x.id + "' of type '"
                             + x.type + "' from '" + x.source
                             + "'; rules are declared with --event"};
}

} // namespace

event_router::event_router(std::vector<event_rule> rules)
  : rules_(std::move(rules)),
    counts_(std::make_unique<event_counts[]>(rules_.size())) {}

expected<std::vector<event_router::routed>>
event_router::route(const cloud_event& x) const {
  if (auto good = check(x); !good)
    return good.error();
  std::vector<routed> result;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].matches(x))
      continue;
    auto call = rules_[i].call_of(x);
    if (!call)
      return call.error();
    result.push_back({i, std::move(*call)});
  }
  if (result.empty())
    return nobody_takes(x);
  return result;
}

expected<std::vector<work_request>>
event_router::calls_of(const cloud_event& x) {
  auto routes = route(x);
  if (!routes && routes.error().code() != errc::not_found)
    return routes.error();
  std::vector<work_request> result;
  if (!routes)
    return result;
  for (auto& [rule, request] : *routes) {
    counts_[rule].published.fetch_add(1, std::memory_order_relaxed);
    result.push_back(std::move(request));
  }
  return result;
}

} // namespace troupe
