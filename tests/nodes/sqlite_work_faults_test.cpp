// Work on a disk that is full, or broken for a while; see sqlite_faults_test.cpp.
// Goal: what was answered is true, also after a kill: work that was accepted is
// there, work that was not is not, many are accepted together or not at all, a
// report that failed left the claim, and what follows a report is there if and
// only if the report is.

#include <map>
#include <memory>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using testing::at;
using testing::fault;
using testing::faulty_disk;
using testing::work;
using testing::work_id;

/// Nothing: there is no such work.
using stand = std::optional<work_state>;

class sqlite_work_faults_test : public ::testing::TestWithParam<fault> {
protected:
  /// The load with a fault at the n-th operation. False if it was not met.
  bool run(int n) {
    possible_.clear();
    testing::temporary_folder folder;
    faulty_disk disk{GetParam(), n};
    {
      auto store = open(folder.path(), disk.vfs());
      if (store)
        load(*store->work());
      expect_after_a_kill(folder.path());
      disk.repair();
      if (!store)
        store = open(folder.path(), disk.vfs());
      EXPECT_TRUE(store);
      if (store)
        expect_it_works(*store->work());
    }
    sqlite_store store{folder.path(), shared()};
    expect_what_was_told(*store.work());
    return disk.was_met();
  }

private:
  static sqlite_options shared() {
    sqlite_options result;
    result.use = folder_use::shared;
    return result;
  }

  static std::unique_ptr<sqlite_store> open(const std::filesystem::path& folder,
                                            const std::string& vfs) {
    auto options = shared();
    options.vfs = vfs;
    options.checkpoint_pages = 8;
    options.log_pages_max = 20;
    try {
      return std::make_unique<sqlite_store>(folder, options);
    } catch (const error_exception& e) {
      EXPECT_EQ(e.reason().code(), errc::store_unavailable);
      return nullptr;
    }
  }

  static constexpr uint64_t following = 1000;
  static constexpr uint64_t first_of_many = 100;
  static constexpr uint64_t end_of_many = 106;

  void load(work_queue& queue) {
    for (uint64_t n = 0; n < 12; ++n) {
      auto item = work(n);
      item.arguments.bytes = std::string(n % 4 == 3 ? 9000 : 100, 'x');
      item.attempts_max = n % 3 == 1 ? 1 : 3;
      auto is_claimed = n % 2 == 0;
      accept(queue, item, is_claimed);
      if (!is_claimed)
        claim(queue);
      if (n % 3 == 2)
        end(queue, n);
    }
    accept_many(queue);
    give_back(queue);
    auto listed = testing::list_work(queue, {work_state::waiting});
    EXPECT_TRUE(listed || listed.error() == errc::store_unavailable);
  }

  void accept(work_queue& queue, const work_item& item, bool is_claimed) {
    auto begun = is_claimed ? work_state::claimed : work_state::waiting;
    auto& possible = possible_[item.id.low];
    possible = {std::nullopt};
    work_request request{item, "", "", is_claimed ? "node" : ""};
    auto told = testing::accept(queue, request);
    if (told) {
      EXPECT_EQ(told->is_new, true);
      possible = {begun};
    } else {
      note(told.error(), possible, begun);
    }
  }

  /// In a lane of their own, where nobody claims them.
  void accept_many(work_queue& queue) {
    std::vector<work_request> all;
    for (uint64_t n = first_of_many; n < end_of_many; ++n) {
      all.push_back({work(n, {"many"})});
      all.back().item.arguments.bytes = std::string(n % 2 * 9000, 'x');
    }
    auto told = testing::accept_all(queue, all);
    for (auto& x : all) {
      auto& possible = possible_[x.item.id.low];
      possible = {told ? stand{work_state::waiting} : std::nullopt};
      if (!told)
        note(told.error(), possible, work_state::waiting);
    }
  }

  /// What a change that failed leaves, which makes `next` if it was done.
  static void note(const error& reason, std::set<stand>& possible, stand next) {
    EXPECT_EQ(reason, errc::store_unavailable);
    if (reason.what_happened() == effect::unknown)
      possible.insert(next);
  }

  void claim(work_queue& queue) {
    auto got = testing::begin_claim(queue, "node", {{"add", 1}}, at(0)).get();
    if (got)
      for (auto& x : *got)
        possible_[x.item.id.low] = {work_state::claimed};
    else
      for (auto& [n, possible] : possible_)
        if (possible.contains(work_state::waiting))
          note(got.error(), possible, work_state::claimed);
  }

  void end(work_queue& queue, uint64_t n) {
    work_report x{work_id(n), "node", 1, work_end::succeeded};
    x.answer.bytes = std::string(n % 2 == 0 ? 9000 : 100, 'y');
    x.follow = {{work(following + n, {"next"})}};
    auto& possible = possible_[n];
    switch (testing::report(queue, x, at(5))) {
    case work_outcome::done:
      EXPECT_TRUE(possible.contains(work_state::claimed));
      possible = {work_state::succeeded};
      break;
    case work_outcome::unknown:
      if (possible.contains(work_state::claimed))
        possible.insert(work_state::succeeded);
      break;
    case work_outcome::refused:
      possible.erase(work_state::claimed);
      EXPECT_FALSE(possible.empty()) << "refused without a reason";
      break;
    case work_outcome::failed:
      break;
    }
  }

  void give_back(work_queue& queue) {
    auto count = testing::give_back(queue, "node", at(7), 100);
    for (auto& [n, possible] : possible_) {
      if (!possible.contains(work_state::claimed))
        continue;
      if (count) {
        possible.erase(work_state::claimed);
        possible.insert(work_state::waiting);
      } else {
        note(count.error(), possible, work_state::waiting);
      }
    }
  }

  void expect_after_a_kill(const std::filesystem::path& folder) {
    testing::temporary_folder copy;
    testing::copy_store(folder, copy.path());
    sqlite_store store{copy.path(), shared()};
    expect_what_was_told(*store.work());
  }

  void expect_it_works(work_queue& queue) {
    accept(queue, work(50), true);
    end(queue, 50);
    EXPECT_EQ(possible_[50], (std::set<stand>{work_state::succeeded}));
    auto count = testing::count_work(queue);
    EXPECT_TRUE(count);
  }

  void expect_what_was_told(work_queue& queue) {
    for (auto& [n, possible] : possible_) {
      auto found = testing::find_work(queue, work_id(n)).value();
      auto state = found ? stand{found->state} : std::nullopt;
      EXPECT_TRUE(possible.contains(state))
        << n << " is " << (state ? static_cast<int>(*state) : -1);
      auto next = testing::find_work(queue, work_id(following + n)).value();
      EXPECT_EQ(next.has_value(), state == work_state::succeeded) << n;
    }
    std::set<bool> of_many;
    for (auto n = first_of_many; n < end_of_many; ++n)
      of_many.insert(testing::find_work(queue, work_id(n)).value().has_value());
    EXPECT_EQ(of_many.size(), 1u) << "a part of many was accepted";
  }

  std::map<uint64_t, std::set<stand>> possible_;
};

INSTANTIATE_TEST_SUITE_P(each, sqlite_work_faults_test,
                         ::testing::ValuesIn(testing::faults),
                         [](auto& info) { return info.param.name; });

TEST_P(sqlite_work_faults_test, every_answer_is_true_wherever_it_strikes) {
  auto n = 1;
  while (run(n) && !HasFailure())
    ++n;
  EXPECT_FALSE(HasFailure()) << "at operation " << n;
  EXPECT_GT(n, 1) << "no operation of that kind";
}

} // namespace
} // namespace troupe
