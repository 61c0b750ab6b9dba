#include "nodes/schedule_watch.hpp"

#include <string>

#include <gtest/gtest.h>

#include "actors/work/schedule_service.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;
using clock = schedule_watch::clock;

class schedule_watch_test : public ::testing::Test {
protected:
  void keep(const std::string& name, const json& state) {
    entity_id id{std::string{schedules_service}, name};
    fencing_token token{1, ++last_};
    ASSERT_TRUE(claim(store, id, token));
    commit_request x;
    x.entity = id;
    x.token = token;
    x.next = {1, state.dump(), 1};
    ASSERT_EQ(commit(store, x), commit_outcome::done);
  }

  static json schedule(const json& next, bool paused = false) {
    return {{"spec", {{"expression", "rate(1 minute)"}, {"target", "add"}}},
            {"start", 1},
            {"seen", 1},
            {"next", next},
            {"last", nullptr},
            {"fired", 5},
            {"skipped", 2},
            {"paused", paused}};
  }

  memory_store store;
  schedule_watch watch{store};
  uint64_t last_ = 0;
};

TEST_F(schedule_watch_test, tells_what_was_there_at_the_question_before) {
  keep("a", schedule(2000));
  keep("b", schedule(1000));
  keep("c", schedule(nullptr, true));
  keep("d", schedule(nullptr));
  keep("e", {{"of", "another build"}});
  auto now = clock::now();
  EXPECT_EQ(watch.ask(now), std::nullopt);
  schedule_counts all;
  all.active = 2;
  all.paused = 1;
  all.ended = 1;
  all.fired = 20;
  all.skipped = 8;
  all.next = work_time{1000s};
  EXPECT_EQ(watch.ask(now + 1s), all);
  keep("f", schedule(500));
  // It is not read with each question.
  EXPECT_EQ(watch.ask(now + 2s), all);
  EXPECT_EQ(watch.ask(now + 6s), all);
  ++all.active;
  all.fired += 5;
  all.skipped += 2;
  all.next = work_time{500s};
  EXPECT_EQ(watch.ask(now + 7s), all);
  EXPECT_EQ(watch.ask(now + 1h), std::nullopt);
}

TEST_F(schedule_watch_test, reads_page_after_page) {
  for (int i = 0; i < 2100; ++i)
    keep("s" + std::to_string(i), schedule(1000 + i));
  auto now = clock::now();
  watch.ask(now);
  auto found = watch.ask(now + 1s);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->active, 2100u);
}

} // namespace
} // namespace troupe::testing
