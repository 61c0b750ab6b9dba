// What every store with a queue keeps of the work that comes with a commit: it is
// accepted if and only if the state is. For the source that has `work_kinds`; see
// work_contract.hpp.

#pragma once

#include <gtest/gtest.h>

#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

template <class Kind>
class commit_work_contract : public ::testing::Test {
protected:
  using texts = std::vector<std::string>;

  state_store& store() { return kind_.open(); }

  work_queue& queue() { return *store().work(); }

  void claim(fencing_token token = testing::our_token) {
    testing::claim(store(), cart, token).value();
  }

  commit_outcome commit(commit_request request) {
    return testing::commit(store(), std::move(request));
  }

  /// A change of the cart that brings work with these numbers.
  commit_request change(uint64_t base, std::vector<uint64_t> numbers) {
    auto result = testing::change(cart, base, std::to_string(base + 1));
    for (auto n : numbers)
      result.work.push_back(note(n));
    return result;
  }

  work_request note(uint64_t n) {
    return testing::note(testing::work_id(n), "ann", std::to_string(n));
  }

  /// What waits, by id.
  texts waiting() {
    texts result;
    for (auto& x : testing::notes(store()))
      result.push_back(x.method);
    return result;
  }

  uint64_t revision() { return testing::load(store(), cart).value().revision; }

  std::vector<claimed_work> take(uint32_t most = 100) {
    return testing::begin_claim(queue(), "node", {{"note/", most}},
                                testing::at(0))
      .get()
      .value();
  }

  const entity_id cart{"cart", "ann"};

private:
  Kind kind_;
};

TYPED_TEST_SUITE(commit_work_contract, work_kinds);

TYPED_TEST(commit_work_contract, work_is_accepted_with_the_state) {
  this->claim();
  EXPECT_EQ(this->commit(this->change(0, {1, 2})), commit_outcome::done);
  EXPECT_EQ(this->revision(), 1u);
  auto got = this->take();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], (claimed_work{this->note(1).item, 1}));
  EXPECT_EQ(got[1], (claimed_work{this->note(2).item, 1}));
}

TYPED_TEST(commit_work_contract, long_arguments_come_whole) {
  this->claim();
  auto request = this->change(0, {1});
  request.work[0].item.arguments = {std::string(1'000'000, '\xFF'), "a/b"};
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  auto got = this->take();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].item.arguments, request.work[0].item.arguments);
}

TYPED_TEST(commit_work_contract, work_that_is_not_due_waits) {
  this->claim();
  auto request = this->change(0, {1, 2});
  request.work[1].item.due = testing::at(1);
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->take().size(), 1u);
  EXPECT_EQ(this->waiting(), typename TestFixture::texts{"2"});
}

TYPED_TEST(commit_work_contract, work_comes_with_a_state_that_stayed) {
  this->claim();
  this->commit(this->change(0, {}));
  auto request = this->change(1, {1});
  request.next.revision = 1;
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->revision(), 1u);
  EXPECT_EQ(this->waiting(), typename TestFixture::texts{"1"});
}

TYPED_TEST(commit_work_contract, a_commit_that_is_refused_brings_none) {
  this->claim();
  this->commit(this->change(0, {1}));
  auto late = this->change(0, {2});
  EXPECT_EQ(this->commit(late), commit_outcome::refused);
  late = this->change(1, {3});
  late.token = {3, 4};
  late.withdrawn = {testing::work_id(1)};
  EXPECT_EQ(this->commit(late), commit_outcome::refused);
  late = this->change(1, {4});
  late.outcomes = {{"a", "", 2, false, "", ""}, {"a", "", 2, false, "", ""}};
  EXPECT_EQ(this->commit(late), commit_outcome::refused);
  EXPECT_EQ(this->revision(), 1u);
  EXPECT_EQ(this->waiting(), typename TestFixture::texts{"1"});
}

TYPED_TEST(commit_work_contract, a_commit_without_its_lock_brings_none) {
  this->claim();
  auto request = this->change(0, {1});
  request.locks = {{"door", 1}};
  EXPECT_EQ(this->commit(request), commit_outcome::lock_lost);
  EXPECT_TRUE(this->waiting().empty());
}

// A group of commits is one transaction: what one of them brings must not go
// with another one that is refused, nor stay away with it.
TYPED_TEST(commit_work_contract, each_of_a_group_brings_its_own) {
  constexpr uint64_t count = 200;
  std::vector<std::future<commit_outcome>> answers;
  for (uint64_t i = 0; i < count; ++i) {
    entity_id entity{"cart", std::to_string(i)};
    testing::claim(this->store(), entity, testing::our_token).value();
    auto request = testing::change(entity, i % 10 == 7 ? 5 : 0, "1");
    request.work = {this->note(i)};
    answers.push_back(testing::begin_commit(this->store(), request));
  }
  typename TestFixture::texts expected;
  for (uint64_t i = 0; i < count; ++i) {
    EXPECT_EQ(answers[i].get(),
              i % 10 == 7 ? commit_outcome::refused : commit_outcome::done);
    if (i % 10 != 7)
      expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(this->waiting(), expected);
}

TYPED_TEST(commit_work_contract, the_same_work_again_is_the_same) {
  this->claim();
  this->commit(this->change(0, {1}));
  EXPECT_EQ(this->commit(this->change(1, {1, 2})), commit_outcome::done);
  EXPECT_EQ(this->waiting(), (typename TestFixture::texts{"1", "2"}));
  this->take();
  EXPECT_EQ(this->commit(this->change(2, {1})), commit_outcome::done);
  EXPECT_TRUE(this->waiting().empty());
}

// Whoever does not know what became of a commit gives it again: it is refused if
// it was done, and done if it was not. The work is there once in both cases.
TYPED_TEST(commit_work_contract, a_repeat_tells_what_became_of_it) {
  this->claim();
  auto request = this->change(0, {1});
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(this->commit(request), commit_outcome::refused);
  EXPECT_EQ(this->waiting(), typename TestFixture::texts{"1"});
  auto only_work = this->change(1, {2});
  only_work.next.revision = 1;
  EXPECT_EQ(this->commit(only_work), commit_outcome::done);
  EXPECT_EQ(this->commit(only_work), commit_outcome::done);
  EXPECT_EQ(this->waiting(), (typename TestFixture::texts{"1", "2"}));
}

TYPED_TEST(commit_work_contract, keys_make_repeats_one_and_pass_others_over) {
  auto keyed = [&](uint64_t n, const char* key, const char* print) {
    auto result = this->note(n);
    result.item.target.method = "same";
    result.idempotency_key = key;
    result.fingerprint = print;
    return result;
  };
  this->claim();
  auto first = this->change(0, {});
  first.work = {keyed(1, "k", "a"), keyed(2, "k", "a"), keyed(3, "l", "a")};
  EXPECT_EQ(this->commit(first), commit_outcome::done);
  auto other = this->change(1, {5});
  other.work.insert(other.work.begin(), keyed(4, "k", "other"));
  EXPECT_EQ(this->commit(other), commit_outcome::done);
  EXPECT_EQ(this->waiting(),
            (typename TestFixture::texts{"same", "same", "5"}));
  EXPECT_EQ(this->revision(), 2u);
}

TYPED_TEST(commit_work_contract, withdraws_what_waits) {
  this->claim();
  auto first = this->change(0, {1, 2, 3});
  first.work[0].idempotency_key = "k";
  first.work[0].item.arguments.bytes = std::string(10'000, 'x');
  this->commit(first);
  auto next = this->change(1, {4});
  next.withdrawn = {testing::work_id(1), testing::work_id(3),
                    testing::work_id(77)};
  EXPECT_EQ(this->commit(next), commit_outcome::done);
  EXPECT_EQ(this->waiting(), (typename TestFixture::texts{"2", "4"}));
  EXPECT_EQ(testing::find_work(this->queue(), testing::work_id(1)).value(),
            std::nullopt);
  // Its key is free again.
  auto again = this->change(2, {});
  again.work = {first.work[0]};
  again.work[0].item.id = testing::work_id(5);
  EXPECT_EQ(this->commit(again), commit_outcome::done);
  EXPECT_EQ(this->waiting().size(), 3u);
}

TYPED_TEST(commit_work_contract, what_is_under_way_is_not_withdrawn) {
  this->claim();
  this->commit(this->change(0, {1}));
  ASSERT_EQ(this->take().size(), 1u);
  auto next = this->change(1, {});
  next.withdrawn = {testing::work_id(1)};
  EXPECT_EQ(this->commit(next), commit_outcome::done);
  work_report ended{testing::work_id(1), "node", 1, work_end::succeeded};
  EXPECT_EQ(testing::report(this->queue(), ended, testing::at(1)),
            work_outcome::done);
}

// -- reminders ---------------------------------------------------------------

TYPED_TEST(commit_work_contract, a_claim_finds_the_reminders) {
  this->claim();
  auto request = this->change(0, {});
  request.next.reminders = R"({"tea":1})";
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(testing::claim(this->store(), this->cart, {3, 4}).value().found,
            request.next);
  EXPECT_EQ(testing::load(this->store(), this->cart).value().reminders, "");
  auto listed =
    testing::list(this->store(), {"cart", "", "", 10, true}).value();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].state.reminders, "");
}

TYPED_TEST(commit_work_contract, an_entity_without_a_state_has_reminders) {
  this->claim();
  auto request = this->change(0, {});
  request.next.state = "";
  request.next.reminders = R"({"tea":1})";
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  this->store().release(this->cart, testing::our_token);
  EXPECT_FALSE(testing::load(this->store(), this->cart).value().exists());
  this->claim();
  request.base = 1;
  request.next = {2, "", 1, ""};
  EXPECT_EQ(this->commit(request), commit_outcome::done);
  EXPECT_EQ(testing::claim(this->store(), this->cart, {3, 4}).value().found,
            request.next);
}

} // namespace
} // namespace troupe
