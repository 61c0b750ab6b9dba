// What is stored of a service's entities, page by page, whether they are active
// or not. It is read straight from the store, which shows every commit that was
// acknowledged before; no activation is woken, and none waits.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/backends.hpp"

namespace troupe {

/// Which entities of a service to list.
struct key_query {
  /// Keys that begin so.
  std::string prefix = {};

  /// Keys that come after this one, in the order of their bytes; empty: from
  /// the first. What a page calls `next` is the `after` of the page behind it.
  std::string after = {};

  /// So many at most: 1 to `limit_max`.
  size_t limit = 100;

  /// With their states; else those are empty. Such a page ends early once it
  /// holds `page_bytes`.
  bool states = false;

  static constexpr size_t limit_max = 1000;
  static constexpr size_t page_bytes = size_t{1} << 20;

  /// `bad_request` if it is out of bounds.
  expected<void> validate() const;
};

/// Entities that have a state, by key.
struct entity_page {
  std::vector<listed_entity> entities;

  /// Where the next page begins; nothing after the last one.
  std::optional<std::string> next;
};

/// Puts one page together from the answers of a store. States are asked for a
/// few at a time, since nobody knows how large they are.
class page_reader {
public:
  /// @pre `query` is valid
  page_reader(std::string service, key_query query);

  /// What to ask the store next. @pre not complete
  list_request request();

  /// Takes its answer. Returns whether the page is complete.
  bool take(std::vector<listed_entity> found);

  /// @pre complete
  entity_page page() { return std::move(page_); }

private:
  std::string service_;
  key_query query_;
  entity_page page_;
  size_t asked_ = 0;
  size_t bytes_ = 0;
};

/// The error for an entity without a state.
error no_state(const entity_id& entity);

// -- for threads that may wait -----------------------------------------------

/// One page, read by the calling thread. `deadline_exceeded` if the store takes
/// longer than `longest` for an answer.
expected<entity_page> read_page(state_store& store, std::string service,
                                key_query query,
                                std::chrono::milliseconds longest);

/// The state of one entity; `not_found` if it has none.
expected<stored_state> read_state(state_store& store, const entity_id& entity,
                                  std::chrono::milliseconds longest);

} // namespace troupe
