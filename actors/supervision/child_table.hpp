// The children of one supervisor, in order of start, found by id and by
// address. Plain data: it sends nothing and starts nothing.

#pragma once

#include <chrono>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/supervision/supervisor.hpp"

namespace troupe {

struct child {
  child_spec spec;

  child_state state = child_state::down;

  /// Not empty exactly while `up` or `stopping`. Set by the table only.
  caf::actor handle;

  /// Is stopped, to be started again with its group.
  bool in_group = false;

  /// Kill was sent; what is awaited now is the end.
  bool killed = false;

  /// Number of the one timer that counts; zero for none.
  uint64_t timer = 0;

  uint32_t restarts = 0;

  /// Restarts in a row, for the backoff.
  uint32_t attempt = 0;

  std::chrono::steady_clock::time_point started_at;

  std::string last_reason;

  /// Who waits for its end.
  std::vector<caf::typed_response_promise<child_info>> waiters;

  [[nodiscard]] child_info info() const;
};

class child_table {
public:
  using iterator = std::list<child>::iterator;

  [[nodiscard]] bool empty() const { return children_.empty(); }

  iterator begin() { return children_.begin(); }

  iterator end() { return children_.end(); }

  /// @pre `!empty()`
  child& last() { return children_.back(); }

  [[nodiscard]] child* find(const std::string& id);

  [[nodiscard]] child* find(const caf::actor_addr& address);

  /// @pre `!find(spec.id)`
  child& append(child_spec spec);

  /// Sets the handle of a child that has none.
  void bind(child& x, caf::actor handle);

  void unbind(child& x);

  void erase(child& x);

private:
  std::list<child> children_;
  std::unordered_map<std::string, iterator> by_id_;
  std::map<caf::actor_addr, child*> by_address_;
};

} // namespace troupe
