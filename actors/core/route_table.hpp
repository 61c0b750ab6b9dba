// What every name leads to, as an immutable snapshot. The router makes a new one
// when something changes; callers read the last one without a lock. Each caller
// keeps a reference and looks at one number to learn that it is old.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeindex>
#include <unordered_map>

#include "actors/core/interfaces.hpp"

namespace troupe {

/// Lets a map of strings be searched with a `string_view`.
struct string_hash {
  using is_transparent = void;

  size_t operator()(std::string_view x) const noexcept {
    return std::hash<std::string_view>{}(x);
  }
};

template <class T>
using name_map =
  std::unordered_map<std::string, T, string_hash, std::equal_to<>>;

/// One function or exposed actor.
struct function_route {
  /// The module that brought it: only that one may bring a new version.
  std::string owner;

  /// `$LATEST`: the highest version.
  call_target_ptr latest;

  /// Every version that still serves, by number.
  std::map<uint64_t, call_target_ptr> versions;

  /// The version that each alias points to.
  name_map<uint64_t> aliases;

  /// `qualifier` is a version's number, an alias, `$LATEST` or empty. Null if
  /// there is no such.
  call_target_ptr find(std::string_view qualifier) const;
};

/// One service.
struct service_route {
  /// The module that brought it.
  std::string owner;

  call_target_ptr host;
  std::shared_ptr<const service_definition> definition;
};

struct route_table {
  name_map<function_route> functions;
  name_map<service_route> services;
  std::unordered_map<std::type_index, std::shared_ptr<const service_definition>>
    classes;
};

/// Publishes route tables. Thread-safe.
class route_source {
public:
  route_source();

  void publish(std::shared_ptr<const route_table> table);

  std::shared_ptr<const route_table> load() const;

  /// Rises with each table.
  uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }

private:
  mutable std::mutex mutex_; // taken when a table changes, not by a call
  std::shared_ptr<const route_table> table_;
  std::atomic<uint64_t> version_{1};
};

/// One caller's view of the routes. Not thread-safe: each has its own.
class route_view {
public:
  explicit route_view(const route_source& source) : source_(&source) {}

  const route_table& operator*() {
    auto newest = source_->version();
    if (newest != version_) {
      table_ = source_->load();
      version_ = newest;
    }
    return *table_;
  }

  const route_table* operator->() { return &**this; }

private:
  const route_source* source_;
  uint64_t version_ = 0;
  std::shared_ptr<const route_table> table_;
};

} // namespace troupe
