// The subscriptions that were declared at run time: the state of one entity of a
// service that every node brings along, so they are as durable as any state, and
// one call after the other changes them. Each node reads it from the store.

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "actors/core/codec.hpp"
#include "actors/core/module.hpp"
#include "actors/core/own_services.hpp"

namespace troupe {

/// The key of its only entity.
inline constexpr std::string_view subscriptions_key = "all";

/// A subscription as it is written: field → value.
using subscription_fields = std::map<std::string, std::string>;

/// All of them. Whoever calls has checked the fields.
class subscription_book {
public:
  /// More of them are too many connections for one node.
  static constexpr size_t size_max = 256;

  /// Declares one, or changes it; the same again changes nothing. Answers what
  /// is kept, as `declared_json` has it.
  /// @throws error_exception `bad_request` if there are too many
  json put(std::string name, subscription_fields what);

  /// @throws error_exception `not_found`
  void remove(std::string name);

  /// By name.
  const std::map<std::string, subscription_fields>& all() const noexcept {
    return all_;
  }

private:
  friend void to_json(json& to, const subscription_book& from);
  friend void from_json(const json& from, subscription_book& to);

  std::map<std::string, subscription_fields> all_;
};

/// `{name, declared, fields}`.
json declared_json(const std::string& name, const subscription_fields& what);

/// The service, for every node.
module subscriptions_module();

} // namespace troupe
