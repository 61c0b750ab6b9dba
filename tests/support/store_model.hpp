// Every store does what a model of its contract does, whatever comes in which
// order. The model is written for reading: plain maps, one rule a line.
//
// For one source of a program, which says before what stores there are:
// `model_kinds`, each with a function `open`.

#pragma once

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/store_calls.hpp"

namespace troupe {
namespace {

class model {
public:
  claimed_state claim(const entity_id& entity, fencing_token token) {
    claimed_state result{states_[entity], std::nullopt};
    if (auto i = tokens_.find(entity); i != tokens_.end())
      result.previous = i->second;
    tokens_[entity] = token;
    return result;
  }

  commit_outcome commit(const commit_request& x) {
    auto owner = tokens_.find(x.entity);
    if (owner == tokens_.end() || owner->second != x.token)
      return commit_outcome::refused;
    if (states_[x.entity].revision != x.base)
      return commit_outcome::refused;
    for (auto& y : x.outcomes)
      if (outcomes_.contains({x.entity, y.id}))
        return commit_outcome::refused;
    if (x.next.revision != x.base)
      states_[x.entity] = x.next;
    for (auto& y : x.outcomes)
      outcomes_[{x.entity, y.id}] = y;
    return commit_outcome::done;
  }

  void release(const entity_id& entity, fencing_token token) {
    auto owner = tokens_.find(entity);
    if (owner != tokens_.end() && owner->second == token
        && states_[entity].revision == 0)
      tokens_.erase(owner);
  }

  /// What a store does when it is opened.
  void forget_uncommitted() {
    std::erase_if(tokens_,
                  [this](auto& x) { return states_[x.first].revision == 0; });
  }

  std::optional<recorded_outcome> find_outcome(const entity_id& entity,
                                               const std::string& id) {
    auto i = outcomes_.find({entity, id});
    return i != outcomes_.end() ? std::optional{i->second} : std::nullopt;
  }

  stored_state load(const entity_id& entity) { return states_[entity]; }

  std::vector<listed_entity> list(const list_request& x) {
    std::vector<listed_entity> result;
    for (auto& [entity, state] : states_) // a map goes by service, then key
      if (entity.service == x.service && entity.key.starts_with(x.prefix)
          && (x.after.empty() || entity.key > x.after) && state.exists()
          && result.size() < x.limit)
        result.push_back({entity.key, state});
    if (!x.with_states)
      for (auto& y : result)
        y.state.state.clear();
    return result;
  }

private:
  std::map<entity_id, stored_state> states_;
  std::map<entity_id, fencing_token> tokens_;
  std::map<std::pair<entity_id, std::string>, recorded_outcome> outcomes_;
};

/// Random requests over few names, so that they meet.
class requests {
public:
  explicit requests(unsigned seed) : random_{seed} {}

  uint64_t below(uint64_t bound) { return random_() % bound; }

  entity_id entity() {
    static const std::vector<std::string> keys{
      "a", "ab", "abc", "b", "\xFF", "\xFF\xFF", std::string{"a\0", 2}};
    return {below(3) == 0 ? "one" : "two", keys[below(keys.size())]};
  }

  fencing_token token() { return {below(3), ~below(2)}; }

  std::string id() { return std::to_string(below(20)); }

  /// @param revision what most of them are based on
  commit_request commit(entity_id entity, uint64_t revision) {
    commit_request result{std::move(entity), token(), revision, {}, {}, {}};
    if (below(8) == 0)
      result.base = below(5);
    result.next.revision = result.base + below(4);
    if (result.next.revision != result.base && below(6) != 0)
      result.next.state = "[" + std::to_string(random_()) + "]";
    result.next.schema = static_cast<uint32_t>(1 + below(3));
    std::set<std::string> ids;
    for (auto i = below(3); i > 0; --i)
      ids.insert(id());
    for (auto& x : ids)
      result.outcomes.push_back({x, std::to_string(random_()),
                                 result.next.revision, below(2) == 0, "a/b",
                                 std::string(below(100), 'x')});
    return result;
  }

  list_request list() {
    return {entity().service, below(2) == 0 ? "" : entity().key,
            below(2) == 0 ? "" : entity().key, below(6), below(2) == 0};
  }

private:
  std::mt19937_64 random_;
};

template <class Kind>
class store_model : public ::testing::Test {};

TYPED_TEST_SUITE(store_model, model_kinds);

/// One random operation; both must answer the same.
void step(state_store& store, model& expected, requests& random) {
  switch (random.below(7)) {
  case 0: {
    auto entity = random.entity();
    auto token = random.token();
    auto found = testing::claim(store, entity, token).value();
    auto wanted = expected.claim(entity, token);
    ASSERT_EQ(found.found, wanted.found);
    ASSERT_EQ(found.previous, wanted.previous);
    break;
  }
  case 1: {
    auto entity = random.entity();
    auto token = random.token();
    store.release(entity, token);
    expected.release(entity, token);
    break;
  }
  case 2: {
    auto entity = random.entity();
    auto id = random.id();
    ASSERT_EQ(testing::find_outcome(store, entity, id).value(),
              expected.find_outcome(entity, id));
    break;
  }
  case 3: {
    auto entity = random.entity();
    ASSERT_EQ(testing::load(store, entity).value(), expected.load(entity));
    break;
  }
  case 4: {
    auto request = random.list();
    ASSERT_EQ(testing::list(store, request).value(), expected.list(request));
    break;
  }
  default: {
    auto entity = random.entity();
    auto request = random.commit(entity, expected.load(entity).revision);
    ASSERT_EQ(testing::commit(store, request), expected.commit(request));
  }
  }
}

TYPED_TEST(store_model, answers_as_the_model_does) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  requests random{seed};
  TypeParam kind;
  model expected;
  for (int i = 0; i < 3000 && !this->HasFatalFailure(); ++i)
    step(kind.open(), expected, random);
}

} // namespace
} // namespace troupe
