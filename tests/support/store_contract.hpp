// What every store keeps, whatever it is made of. For one source of a program,
// which says before what it is made of: `store_kinds`, each with a `store`.

#pragma once

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/store_calls.hpp"

namespace troupe {
namespace {

using testing::begin_claim;
using testing::begin_commit;
using testing::change;
using testing::our_token;

constexpr fencing_token theirs{3, 4};

recorded_outcome outcome(std::string id, uint64_t revision = 1) {
  return {std::move(id),      "print",
          revision,           false,
          "application/json", "[" + std::to_string(revision) + "]"};
}

template <class Kind>
class store_contract : public ::testing::Test {
protected:
  state_store& store() { return kind_.store; }

  /// What a claim finds.
  claimed_state claim(entity_id entity, fencing_token token = our_token) {
    return testing::claim(store(), std::move(entity), token).value();
  }

  commit_outcome commit(commit_request request) {
    return testing::commit(store(), std::move(request));
  }

  commit_outcome put(const entity_id& entity, std::string state) {
    return testing::put(store(), entity, std::move(state));
  }

  stored_state load(entity_id entity) {
    return testing::load(store(), std::move(entity)).value();
  }

  std::optional<recorded_outcome> find(entity_id entity, std::string id) {
    return testing::find_outcome(store(), std::move(entity), std::move(id))
      .value();
  }

  std::vector<listed_entity> list(list_request request) {
    return testing::list(store(), std::move(request)).value();
  }

  std::vector<std::string> keys(std::string prefix, std::string after = {},
                                size_t limit = 100) {
    std::vector<std::string> result;
    for (auto& x :
         list({"cart", std::move(prefix), std::move(after), limit, false}))
      result.push_back(x.key);
    return result;
  }

  const entity_id cart{"cart", "ann"};

private:
  Kind kind_;
};

TYPED_TEST_SUITE(store_contract, store_kinds);

using strings = std::vector<std::string>;

// -- a state and its revision ------------------------------------------------

TYPED_TEST(store_contract, has_nothing_of_an_entity_that_was_never_committed) {
  EXPECT_EQ(this->load(this->cart), stored_state{});
  EXPECT_FALSE(this->load(this->cart).exists());
}

TYPED_TEST(store_contract, gives_back_what_was_committed_last) {
  this->claim(this->cart);
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::done);
  EXPECT_EQ(this->commit(change(this->cart, 1, "[2]")), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart), (stored_state{2, "[2]", 1}));
}

TYPED_TEST(store_contract, keeps_the_version_of_the_states_shape) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  request.next.schema = 4'000'000'000;
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart).schema, 4'000'000'000);
  EXPECT_EQ(this->claim(this->cart, theirs).found.schema, 4'000'000'000);
}

TYPED_TEST(store_contract, refuses_a_change_of_an_older_revision) {
  this->claim(this->cart);
  this->commit(change(this->cart, 0, "1"));
  this->commit(change(this->cart, 1, "2"));
  EXPECT_EQ(this->commit(change(this->cart, 1, "3")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart).state, "2");
}

TYPED_TEST(store_contract, refuses_a_change_of_a_revision_that_is_not_there) {
  this->claim(this->cart);
  EXPECT_EQ(this->commit(change(this->cart, 3, "4")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart).revision, 0u);
  this->commit(change(this->cart, 0, "1"));
  EXPECT_EQ(this->commit(change(this->cart, 2, "3")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart).revision, 1u);
}

TYPED_TEST(store_contract, refuses_to_make_an_entity_twice) {
  this->claim(this->cart);
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::done);
  EXPECT_EQ(this->commit(change(this->cart, 0, "2")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart).state, "1");
}

TYPED_TEST(store_contract, goes_up_by_more_than_one_for_a_group_of_calls) {
  this->claim(this->cart);
  EXPECT_EQ(this->commit({this->cart, our_token, 0, {5, "five"}, {}, {}}),
            commit_outcome::done);
  EXPECT_EQ(this->commit({this->cart, our_token, 5, {9, "nine"}, {}, {}}),
            commit_outcome::done);
  EXPECT_EQ(this->load(this->cart).revision, 9u);
}

TYPED_TEST(store_contract, keeps_entities_of_other_keys_and_services_apart) {
  this->put({"cart", "ann"}, "1");
  this->put({"cart", "bob"}, "2");
  this->put({"car", "tann"}, "3");
  EXPECT_EQ(this->load({"cart", "ann"}).state, "1");
  EXPECT_EQ(this->load({"cart", "bob"}).state, "2");
  EXPECT_EQ(this->load({"car", "tann"}).state, "3");
  EXPECT_FALSE(this->load({"cart", "Ann"}).exists());
}

TYPED_TEST(store_contract, takes_any_bytes_of_a_key_and_a_long_state) {
  entity_id odd{"cart", "a'b\"%\xC3\xA9/\x01"};
  std::string state(3'000'000, 'x');
  EXPECT_EQ(this->put(odd, state), commit_outcome::done);
  EXPECT_EQ(this->load(odd).state, state);
  EXPECT_EQ(this->claim(odd, theirs).found.state, state);
}

TYPED_TEST(store_contract, takes_a_key_with_a_nul_for_what_it_is) {
  entity_id one{"cart", std::string{"a\0b", 3}};
  entity_id two{"cart", std::string{"a\0c", 3}};
  EXPECT_EQ(this->put(one, "1"), commit_outcome::done);
  EXPECT_EQ(this->put(two, "2"), commit_outcome::done);
  EXPECT_EQ(this->load(one).state, "1");
  EXPECT_FALSE(this->load({"cart", "a"}).exists());
}

TYPED_TEST(store_contract, a_load_sees_what_was_acknowledged_before_it) {
  this->claim(this->cart);
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(this->commit(change(this->cart, i, "x")), commit_outcome::done);
    ASSERT_EQ(this->load(this->cart).revision, i + 1);
  }
}

// -- deleting ----------------------------------------------------------------

TYPED_TEST(store_contract, keeps_the_revision_of_what_was_deleted) {
  this->put(this->cart, "1");
  EXPECT_EQ(this->commit(change(this->cart, 1, "")), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart), (stored_state{2, "", 1}));
  EXPECT_EQ(this->claim(this->cart, theirs).found, (stored_state{2, "", 1}));
}

TYPED_TEST(store_contract, goes_on_from_the_revision_of_what_was_deleted) {
  this->put(this->cart, "1");
  this->commit(change(this->cart, 1, ""));
  EXPECT_EQ(this->commit(change(this->cart, 0, "2")), commit_outcome::refused);
  EXPECT_EQ(this->commit(change(this->cart, 2, "3")), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart), (stored_state{3, "3", 1}));
}

// -- claims ------------------------------------------------------------------

TYPED_TEST(store_contract, refuses_a_change_that_was_not_claimed) {
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::refused);
  EXPECT_FALSE(this->load(this->cart).exists());
}

TYPED_TEST(store_contract, a_claim_of_a_new_entity_finds_nothing_before_it) {
  EXPECT_EQ(this->claim(this->cart).previous, std::nullopt);
  EXPECT_EQ(this->claim(this->cart, theirs).found, stored_state{});
  EXPECT_EQ(this->load(this->cart), stored_state{});
}

TYPED_TEST(store_contract, a_claim_finds_the_state_and_who_had_it_before) {
  constexpr fencing_token large{0xFEDC'BA98'7654'3210, 0x8000'0000'0000'0001};
  this->claim(this->cart, large);
  this->commit(change(this->cart, 0, "1", large));
  auto claimed = this->claim(this->cart, theirs);
  EXPECT_EQ(claimed.found, (stored_state{1, "1", 1}));
  EXPECT_EQ(claimed.previous, large);
  EXPECT_EQ(this->claim(this->cart).previous, theirs);
}

TYPED_TEST(store_contract, a_claim_fences_the_one_before_it) {
  this->put(this->cart, "1");
  this->claim(this->cart, theirs);
  EXPECT_EQ(this->commit(change(this->cart, 1, "2")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart).state, "1");
  EXPECT_EQ(this->commit(change(this->cart, 1, "3", theirs)),
            commit_outcome::done);
}

TYPED_TEST(store_contract, a_claim_of_a_new_entity_fences_the_one_before_it) {
  this->claim(this->cart);
  this->claim(this->cart, theirs);
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::refused);
  EXPECT_EQ(this->commit(change(this->cart, 0, "2", theirs)),
            commit_outcome::done);
}

TYPED_TEST(store_contract, a_claim_comes_after_the_commits_given_before_it) {
  this->claim(this->cart);
  std::vector<std::future<commit_outcome>> answers;
  for (uint64_t i = 0; i < 150; ++i)
    answers.push_back(
      begin_commit(this->store(), change(this->cart, i, std::to_string(i))));
  auto claimed = begin_claim(this->store(), this->cart, theirs);
  auto late = begin_commit(this->store(), change(this->cart, 150, "late"));
  EXPECT_EQ(claimed.get().value().found.revision, 150u);
  EXPECT_EQ(late.get(), commit_outcome::refused);
  for (auto& x : answers)
    EXPECT_EQ(x.get(), commit_outcome::done);
}

TYPED_TEST(store_contract, a_claim_touches_neither_state_nor_revision) {
  this->put(this->cart, "1");
  this->claim(this->cart, theirs);
  EXPECT_EQ(this->load(this->cart), (stored_state{1, "1", 1}));
}

// -- releases ----------------------------------------------------------------

TYPED_TEST(store_contract, forgets_an_entity_that_was_released_uncommitted) {
  this->claim(this->cart);
  this->store().release(this->cart, our_token);
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::refused);
  EXPECT_EQ(this->claim(this->cart, theirs).previous, std::nullopt);
}

TYPED_TEST(store_contract, a_release_by_another_one_changes_nothing) {
  this->claim(this->cart);
  this->store().release(this->cart, theirs);
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::done);
}

TYPED_TEST(store_contract, a_release_keeps_what_was_committed) {
  this->put(this->cart, "1");
  this->store().release(this->cart, our_token);
  auto claimed = this->claim(this->cart, theirs);
  EXPECT_EQ(claimed.found, (stored_state{1, "1", 1}));
  EXPECT_EQ(claimed.previous, our_token);
}

TYPED_TEST(store_contract, a_release_keeps_the_revision_of_what_was_deleted) {
  this->put(this->cart, "1");
  this->commit(change(this->cart, 1, ""));
  this->store().release(this->cart, our_token);
  EXPECT_EQ(this->claim(this->cart, theirs).found.revision, 2u);
}

// -- outcomes ----------------------------------------------------------------

TYPED_TEST(store_contract, finds_the_outcome_that_came_with_a_commit) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  std::string every_byte{"\0\xFF'\x80", 4};
  recorded_outcome one{"id/1", every_byte, 1, true, "text/plain", every_byte};
  recorded_outcome two{std::string(255, 'i'), "", 7, false, "", ""};
  request.outcomes = {one, two};
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->find(this->cart, one.id), one);
  EXPECT_EQ(this->find(this->cart, two.id), two);
}

TYPED_TEST(store_contract, has_no_outcome_that_nobody_recorded) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  request.outcomes = {outcome("a")};
  this->commit(request);
  EXPECT_EQ(this->find(this->cart, "b"), std::nullopt);
  EXPECT_EQ(this->find({"cart", "bob"}, "a"), std::nullopt);
}

TYPED_TEST(store_contract, writes_nothing_of_a_commit_with_a_known_outcome) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  request.outcomes = {outcome("a", 1)};
  this->commit(request);
  auto repeat = change(this->cart, 1, "2");
  repeat.outcomes = {outcome("b", 2), outcome("a", 2)};
  EXPECT_EQ(this->commit(repeat), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart), (stored_state{1, "1", 1}));
  EXPECT_EQ(this->find(this->cart, "a"), outcome("a", 1));
  EXPECT_EQ(this->find(this->cart, "b"), std::nullopt);
}

TYPED_TEST(store_contract, writes_no_outcome_of_a_commit_that_was_refused) {
  this->claim(this->cart);
  for (auto request :
       {change(this->cart, 5, "1"), change(this->cart, 0, "1", theirs)}) {
    request.outcomes = {outcome("a")};
    EXPECT_EQ(this->commit(request), commit_outcome::refused);
  }
  EXPECT_EQ(this->find(this->cart, "a"), std::nullopt);
}

TYPED_TEST(store_contract, refuses_a_commit_that_records_an_id_twice) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  request.outcomes = {outcome("a", 1), outcome("b", 1), outcome("a", 2)};
  EXPECT_EQ(this->commit(request), commit_outcome::refused);
  EXPECT_EQ(this->find(this->cart, "a"), std::nullopt);
  EXPECT_FALSE(this->load(this->cart).exists());
}

TYPED_TEST(store_contract, an_id_belongs_to_its_entity) {
  for (std::string key : {"ann", "bob"}) {
    entity_id entity{"cart", key};
    this->claim(entity);
    auto request = change(entity, 0, "1");
    request.outcomes = {outcome("a")};
    EXPECT_EQ(this->commit(request), commit_outcome::done);
  }
}

TYPED_TEST(store_contract, an_outcome_outlives_its_entity) {
  this->claim(this->cart);
  auto request = change(this->cart, 0, "1");
  request.outcomes = {outcome("a")};
  this->commit(request);
  this->commit(change(this->cart, 1, ""));
  EXPECT_EQ(this->find(this->cart, "a"), outcome("a"));
}

TYPED_TEST(store_contract, records_without_touching_a_state_that_stayed) {
  this->put(this->cart, "1");
  commit_request request{this->cart,        our_token,      1,
                         {1, "ignored", 9}, {outcome("a")}, {}};
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart), (stored_state{1, "1", 1}));
  EXPECT_EQ(this->find(this->cart, "a"), outcome("a"));
}

TYPED_TEST(store_contract, fences_a_commit_that_only_records) {
  this->put(this->cart, "1");
  commit_request request{this->cart, theirs, 1, {1, ""}, {outcome("a")}, {}};
  EXPECT_EQ(this->commit(request), commit_outcome::refused);
  request.token = our_token;
  request.base = request.next.revision = 2;
  EXPECT_EQ(this->commit(request), commit_outcome::refused);
  EXPECT_EQ(this->find(this->cart, "a"), std::nullopt);
}

TYPED_TEST(store_contract, records_for_an_entity_that_has_no_state) {
  this->claim(this->cart);
  commit_request request{this->cart, our_token, 0, {}, {outcome("a", 0)}, {}};
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  this->store().release(this->cart, our_token);
  EXPECT_EQ(this->find(this->cart, "a"), outcome("a", 0));
  EXPECT_EQ(this->load(this->cart), stored_state{});
}

// -- listing -----------------------------------------------------------------

TYPED_TEST(store_contract, lists_the_entities_of_one_service_by_key) {
  for (auto key : {"b", "a", "c"})
    this->put({"cart", key}, std::string{"\""} + key + "\"");
  this->put({"car", "d"}, "1");
  this->put({"cart2", "e"}, "1");
  std::vector<listed_entity> expected{
    {"a", {1, "", 1}}, {"b", {1, "", 1}}, {"c", {1, "", 1}}};
  EXPECT_EQ(this->list({"cart", "", "", 100, false}), expected);
  for (auto& x : expected)
    x.state.state = "\"" + x.key + "\"";
  EXPECT_EQ(this->list({"cart", "", "", 100, true}), expected);
}

TYPED_TEST(store_contract, lists_only_what_has_a_state) {
  this->put({"cart", "a"}, "1");
  this->put({"cart", "b"}, "1");
  this->commit(change({"cart", "b"}, 1, ""));
  this->claim({"cart", "c"});
  this->put({"cart", "d"}, "1");
  EXPECT_EQ(this->keys(""), (strings{"a", "d"}));
  EXPECT_EQ(this->keys("", "", 2), (strings{"a", "d"}));
}

TYPED_TEST(store_contract, lists_what_begins_with_a_prefix) {
  for (auto key : {"a", "ab", "ab/1", "ab/2", "ac", "b"})
    this->put({"cart", key}, "1");
  EXPECT_EQ(this->keys("ab"), (strings{"ab", "ab/1", "ab/2"}));
  EXPECT_EQ(this->keys("ab/"), (strings{"ab/1", "ab/2"}));
  EXPECT_EQ(this->keys("abc"), strings{});
  EXPECT_EQ(this->keys("ab", "ab/1"), strings{"ab/2"});
  EXPECT_EQ(this->keys("ab", "a"), (strings{"ab", "ab/1", "ab/2"}));
  EXPECT_EQ(this->keys("ab", "ac"), strings{});
}

TYPED_TEST(store_contract, lists_from_a_key_that_is_not_there) {
  for (auto key : {"a", "c", "e"})
    this->put({"cart", key}, "1");
  EXPECT_EQ(this->keys("", "b"), (strings{"c", "e"}));
  EXPECT_EQ(this->keys("", "e"), strings{});
}

TYPED_TEST(store_contract, lists_so_many_at_most) {
  for (int i = 0; i < 10; ++i)
    this->put({"cart", std::to_string(i)}, "1");
  EXPECT_EQ(this->keys("", "", 0), strings{});
  EXPECT_EQ(this->keys("", "", 3), (strings{"0", "1", "2"}));
  EXPECT_EQ(this->keys("", "2", 3), (strings{"3", "4", "5"}));
  EXPECT_EQ(this->keys("", "8", 3), strings{"9"});
  EXPECT_EQ(this->keys("", "", SIZE_MAX).size(), 10u);
}

TYPED_TEST(store_contract, lists_in_the_order_of_the_bytes) {
  strings all{std::string{"a"},
              std::string{"a\0", 2},
              std::string{"a\0b", 3},
              "a\x01",
              "aB",
              "ab",
              "a\x7F",
              "a\xC3\xA9",
              "a\xEF\xBF\xBD",
              "a\xF0\x9F\x98\x80",
              "a\xFF",
              "a\xFF\xFE",
              "a\xFF\xFF",
              "a\xFF\xFF\x01",
              "b"};
  for (auto i = all.rbegin(); i != all.rend(); ++i)
    this->put({"cart", *i}, "1");
  EXPECT_EQ(this->keys(""), all);
  EXPECT_EQ(this->keys("a\xFF"), strings(all.begin() + 10, all.begin() + 14));
  EXPECT_EQ(this->keys("a\xFF\xFF"),
            strings(all.begin() + 12, all.begin() + 14));
  EXPECT_EQ(this->keys(std::string{"a\0", 2}),
            strings(all.begin() + 1, all.begin() + 3));
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(this->keys("", all[i]), strings(all.begin() + i + 1, all.end()));
}

TYPED_TEST(store_contract, lists_a_prefix_after_which_nothing_can_come) {
  this->put({"cart", "a"}, "1");
  this->put({"cart", "\xFF\xFE"}, "1");
  this->put({"cart", "\xFF\xFF"}, "1");
  this->put({"cart", "\xFF\xFFz"}, "1");
  EXPECT_EQ(this->keys("\xFF\xFF"), (strings{"\xFF\xFF", "\xFF\xFFz"}));
  EXPECT_EQ(this->keys("\xFF").size(), 3u);
}

// -- many at once ------------------------------------------------------------

TYPED_TEST(store_contract, a_refused_change_refuses_none_of_those_beside_it) {
  auto key = [](int i) { return entity_id{"cart", "k" + std::to_string(i)}; };
  std::vector<std::future<expected<claimed_state>>> claims;
  for (int i = 0; i < 200; ++i)
    claims.push_back(begin_claim(this->store(), key(i), our_token));
  for (auto& x : claims)
    EXPECT_TRUE(x.get());
  this->commit(change(key(7), 0, "old"));
  auto request = change(key(9), 0, "old");
  request.outcomes = {outcome("a")};
  this->commit(request);
  std::vector<std::future<commit_outcome>> answers;
  for (int i = 0; i < 200; ++i) {
    auto next =
      change(key(i), i == 9 ? 1 : 0, "new", i == 8 ? theirs : our_token);
    next.outcomes = {outcome("a")};
    answers.push_back(begin_commit(this->store(), next));
  }
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(answers[i].get(), i == 7 || i == 8 || i == 9
                                  ? commit_outcome::refused
                                  : commit_outcome::done)
      << i;
  EXPECT_EQ(this->load(key(7)).state, "old");
  EXPECT_EQ(this->load(key(8)).revision, 0u);
  EXPECT_EQ(this->load(key(9)).state, "old");
  EXPECT_EQ(this->load(key(199)).state, "new");
}

TYPED_TEST(store_contract, applies_the_changes_of_one_entity_in_their_order) {
  this->claim(this->cart);
  std::vector<std::future<commit_outcome>> answers;
  for (uint64_t i = 0; i < 300; ++i)
    answers.push_back(
      begin_commit(this->store(), change(this->cart, i, std::to_string(i))));
  for (auto& x : answers)
    EXPECT_EQ(x.get(), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart), (stored_state{300, "299", 1}));
}

TYPED_TEST(store_contract, lets_one_of_those_win_who_change_the_same_revision) {
  constexpr int threads = 4;
  constexpr uint64_t rounds = 100;
  this->claim(this->cart);
  std::atomic<uint64_t> won{0};
  auto compete = [&] {
    for (uint64_t base = 0; base < rounds;) {
      auto outcome = this->commit(change(this->cart, base, "x"));
      if (outcome == commit_outcome::done)
        ++won;
      else
        EXPECT_EQ(outcome, commit_outcome::refused);
      base = this->load(this->cart).revision;
    }
  };
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back(compete);
  for (auto& x : all)
    x.join();
  EXPECT_EQ(won, this->load(this->cart).revision);
}

TYPED_TEST(store_contract, loses_no_change_of_those_who_claim_from_each_other) {
  constexpr uint64_t threads = 4;
  constexpr uint64_t increments = 50;
  auto compete = [&](uint64_t id) {
    for (uint64_t done = 0, round = 0; done < increments; ++round) {
      fencing_token token{id, round};
      auto found = this->claim(this->cart, token).found;
      auto value = found.exists() ? std::stoull(found.state) : 0;
      auto next =
        change(this->cart, found.revision, std::to_string(value + 1), token);
      if (this->commit(next) == commit_outcome::done)
        ++done;
    }
  };
  std::vector<std::thread> all;
  for (uint64_t i = 1; i <= threads; ++i)
    all.emplace_back(compete, i);
  for (auto& x : all)
    x.join();
  EXPECT_EQ(this->load(this->cart).state, std::to_string(threads * increments));
  EXPECT_EQ(this->load(this->cart).revision, threads * increments);
}

} // namespace
} // namespace troupe
