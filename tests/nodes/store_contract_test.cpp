// What every store keeps, whatever it is made of.

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "nodes/store/memory_store.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::change;

struct in_memory {
  memory_store store;
};

struct in_sqlite {
  testing::temporary_folder folder;
  sqlite_store store{folder.path()};
};

template <class Kind>
class store_contract : public ::testing::Test {
protected:
  state_store& store() { return kind_.store; }

  commit_outcome commit(commit_request request) {
    return testing::commit(store(), std::move(request));
  }

  std::optional<stored_state> load(entity_id entity) {
    return testing::load(store(), std::move(entity)).value();
  }

  const entity_id cart{"cart", "ann"};

private:
  Kind kind_;
};

using kinds = ::testing::Types<in_memory, in_sqlite>;
TYPED_TEST_SUITE(store_contract, kinds);

TYPED_TEST(store_contract, has_nothing_of_an_entity_that_was_never_committed) {
  EXPECT_EQ(this->load(this->cart), std::nullopt);
}

TYPED_TEST(store_contract, gives_back_what_was_committed_last) {
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::done);
  EXPECT_EQ(this->commit(change(this->cart, 1, "[2]")), commit_outcome::done);
  auto found = this->load(this->cart);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->revision, 2u);
  EXPECT_EQ(found->state, "[2]");
}

TYPED_TEST(store_contract, refuses_a_change_of_an_older_revision) {
  this->commit(change(this->cart, 0, "1"));
  this->commit(change(this->cart, 1, "2"));
  EXPECT_EQ(this->commit(change(this->cart, 1, "3")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart)->state, "2");
}

TYPED_TEST(store_contract, refuses_a_change_of_a_revision_that_is_not_there) {
  EXPECT_EQ(this->commit(change(this->cart, 3, "4")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart), std::nullopt);
  this->commit(change(this->cart, 0, "1"));
  EXPECT_EQ(this->commit(change(this->cart, 2, "3")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart)->revision, 1u);
}

TYPED_TEST(store_contract, refuses_to_make_an_entity_twice) {
  EXPECT_EQ(this->commit(change(this->cart, 0, "1")), commit_outcome::done);
  EXPECT_EQ(this->commit(change(this->cart, 0, "2")), commit_outcome::refused);
  EXPECT_EQ(this->load(this->cart)->state, "1");
}

TYPED_TEST(store_contract, goes_up_by_more_than_one_for_a_group_of_calls) {
  EXPECT_EQ(this->commit({this->cart, 0, {5, "five"}}), commit_outcome::done);
  EXPECT_EQ(this->commit({this->cart, 5, {9, "nine"}}), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart)->revision, 9u);
}

TYPED_TEST(store_contract, keeps_entities_of_other_keys_and_services_apart) {
  this->commit(change({"cart", "ann"}, 0, "1"));
  this->commit(change({"cart", "bob"}, 0, "2"));
  this->commit(change({"car", "tann"}, 0, "3"));
  EXPECT_EQ(this->load({"cart", "ann"})->state, "1");
  EXPECT_EQ(this->load({"cart", "bob"})->state, "2");
  EXPECT_EQ(this->load({"car", "tann"})->state, "3");
  EXPECT_EQ(this->load({"cart", "Ann"}), std::nullopt);
}

TYPED_TEST(store_contract, takes_any_bytes_of_a_key_and_a_long_state) {
  entity_id odd{"cart", "a'b\"%\xC3\xA9/\x01"};
  std::string state(3'000'000, 'x');
  EXPECT_EQ(this->commit(change(odd, 0, state)), commit_outcome::done);
  EXPECT_EQ(this->load(odd)->state, state);
}

TYPED_TEST(store_contract, takes_a_key_with_a_nul_for_what_it_is) {
  entity_id one{"cart", std::string{"a\0b", 3}};
  entity_id two{"cart", std::string{"a\0c", 3}};
  EXPECT_EQ(this->commit(change(one, 0, "1")), commit_outcome::done);
  EXPECT_EQ(this->commit(change(two, 0, "2")), commit_outcome::done);
  EXPECT_EQ(this->load(one)->state, "1");
  EXPECT_EQ(this->load({"cart", "a"}), std::nullopt);
}

TYPED_TEST(store_contract, a_refused_change_refuses_none_of_those_beside_it) {
  this->commit(change({"cart", "k7"}, 0, "old"));
  std::vector<std::future<commit_outcome>> answers;
  for (int i = 0; i < 200; ++i)
    answers.push_back(testing::begin_commit(
      this->store(), change({"cart", "k" + std::to_string(i)}, 0, "new")));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(answers[i].get(),
              i == 7 ? commit_outcome::refused : commit_outcome::done)
      << i;
  EXPECT_EQ(this->load({"cart", "k7"})->state, "old");
  EXPECT_EQ(this->load({"cart", "k199"})->state, "new");
}

TYPED_TEST(store_contract, applies_the_changes_of_one_entity_in_their_order) {
  std::vector<std::future<commit_outcome>> answers;
  for (uint64_t i = 0; i < 300; ++i)
    answers.push_back(testing::begin_commit(
      this->store(), change(this->cart, i, std::to_string(i))));
  for (auto& x : answers)
    EXPECT_EQ(x.get(), commit_outcome::done);
  EXPECT_EQ(this->load(this->cart)->revision, 300u);
  EXPECT_EQ(this->load(this->cart)->state, "299");
}

TYPED_TEST(store_contract, lets_one_of_those_win_who_change_the_same_revision) {
  constexpr int threads = 4;
  constexpr uint64_t rounds = 100;
  std::atomic<uint64_t> won{0};
  auto compete = [&] {
    for (uint64_t base = 0; base < rounds;) {
      auto outcome = this->commit(change(this->cart, base, "x"));
      if (outcome == commit_outcome::done)
        ++won;
      else
        EXPECT_EQ(outcome, commit_outcome::refused);
      base = this->load(this->cart)->revision;
    }
  };
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back(compete);
  for (auto& x : all)
    x.join();
  EXPECT_EQ(won, this->load(this->cart)->revision);
}

TYPED_TEST(store_contract, a_load_sees_what_was_acknowledged_before_it) {
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(this->commit(change(this->cart, i, "x")), commit_outcome::done);
    ASSERT_EQ(this->load(this->cart)->revision, i + 1);
  }
}

TYPED_TEST(store_contract, behaves_as_a_map_of_revisions) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  std::map<std::string, stored_state> model;
  for (int i = 0; i < 500; ++i) {
    auto key = "k" + std::to_string(random() % 10);
    auto now = model.count(key) ? model[key].revision : 0;
    auto base = random() % 4 == 0 ? now + random() % 3 : now;
    auto state = std::to_string(random());
    auto good = base == now;
    EXPECT_EQ(this->commit(change({"s", key}, base, state)),
              good ? commit_outcome::done : commit_outcome::refused);
    if (good)
      model[key] = {base + 1, state};
  }
  for (auto& [key, x] : model) {
    auto found = this->load({"s", key});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->revision, x.revision);
    EXPECT_EQ(found->state, x.state);
  }
}

} // namespace
} // namespace troupe
