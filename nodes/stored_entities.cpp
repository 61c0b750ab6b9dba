#include "nodes/stored_entities.hpp"

#include <algorithm>

#include "actors/core/module.hpp"
#include "nodes/wait_for.hpp"

namespace troupe {

namespace {

/// States that are asked for at once, and are in memory together.
constexpr size_t states_per_turn = 16;

bool may_be_part_of_a_key(const std::string& x) {
  return x.empty() || is_valid_key(x);
}

/// What `ask` gives to its callback.
template <class T, class F>
expected<T> ask_store(std::chrono::milliseconds longest, F ask) {
  return wait_for<T>(longest, "the store does not answer in time", ask,
                     [](const expected<T>&) {});
}

} // namespace

expected<void> key_query::validate() const {
  if (limit < 1 || limit > limit_max)
    return error{errc::bad_request,
                 "limit is 1 to " + std::to_string(limit_max)};
  if (!may_be_part_of_a_key(prefix) || !may_be_part_of_a_key(after))
    return error{errc::bad_request,
                 "prefix and after are at most 512 bytes of UTF-8"};
  return {};
}

page_reader::page_reader(std::string service, key_query query)
  : service_(std::move(service)), query_(std::move(query)) {}

list_request page_reader::request() {
  // One more than wanted tells whether there is a next page.
  asked_ = query_.limit + 1 - page_.entities.size();
  if (query_.states)
    asked_ = std::min(asked_, states_per_turn);
  return {service_, query_.prefix, query_.after, asked_, query_.states};
}

bool page_reader::take(std::vector<listed_entity> found) {
  auto& entities = page_.entities;
  for (auto& x : found) {
    bytes_ += x.state.state.size();
    entities.push_back(std::move(x));
  }
  if (found.size() < asked_)
    return true;
  if (entities.size() <= query_.limit && bytes_ < key_query::page_bytes) {
    query_.after = entities.back().key;
    return false;
  }
  if (entities.size() > query_.limit)
    entities.pop_back();
  page_.next = entities.back().key;
  return true;
}

error no_state(const entity_id& entity) {
  return {errc::not_found, entity.service + "/" + entity.key + " has no state"};
}

// -- for threads that may wait -----------------------------------------------

expected<entity_page> read_page(state_store& store, std::string service,
                                key_query query,
                                std::chrono::milliseconds longest) {
  using entities = std::vector<listed_entity>;
  if (auto valid = query.validate(); !valid)
    return valid.error();
  page_reader reader{std::move(service), std::move(query)};
  for (auto complete = false; !complete;) {
    auto found = ask_store<entities>(
      longest, [&](auto done) { store.list(reader.request(), done); });
    if (!found)
      return found.error();
    complete = reader.take(std::move(*found));
  }
  return reader.page();
}

expected<stored_state> read_state(state_store& store, const entity_id& entity,
                                  std::chrono::milliseconds longest) {
  auto result = ask_store<stored_state>(
    longest, [&](auto done) { store.load(entity, done); });
  if (result && !result->exists())
    return no_state(entity);
  return result;
}

} // namespace troupe
