#include "actors/messages/subscription_book.hpp"

#include <utility>

namespace troupe {

json declared_json(const std::string& name, const subscription_fields& what) {
  return {{"name", name}, {"declared", "runtime"}, {"fields", what}};
}

json subscription_book::put(std::string name, subscription_fields what) {
  if (!all_.contains(name) && all_.size() >= size_max)
    throw error_exception{
      {errc::bad_request, "there are " + std::to_string(size_max)
                            + " subscriptions: remove one first"}};
  auto& kept = all_[name] = std::move(what);
  return declared_json(name, kept);
}

void subscription_book::remove(std::string name) {
  if (all_.erase(name) == 0)
    throw error_exception{{errc::not_found, "there is no subscription '" + name
                                              + "' that was declared at run "
                                                "time"}};
}

void to_json(json& to, const subscription_book& from) {
  to = json::object();
  if (!from.all_.empty())
    to["subscriptions"] = from.all_;
}

void from_json(const json& from, subscription_book& to) {
  to.all_.clear();
  if (auto all = from.find("subscriptions"); all != from.end())
    all->get_to(to.all_);
}

module subscriptions_module() {
  module m;
  m.service<subscription_book>(std::string{subscriptions_service})
    .method("put", &subscription_book::put)
    .method("remove", &subscription_book::remove);
  return m;
}

} // namespace troupe
