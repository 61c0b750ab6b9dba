// Schedules in virtual time: the service that fires them, with a dispatcher, and
// a wall clock that the tests set.

#include "actors/work/schedule_service.hpp"

#include <optional>

#include "actors/core/work_id.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/time_zones.hpp"
#include "tests/support/service_fixture.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::year;
using fate = testing::test_store::fate;

struct schedule_outside {
  /// The target was called: with what, and when.
  std::vector<std::string> calls;
  std::function<work_time()> wall_clock;
  std::optional<dispatcher> work;
};

/// A minute and what was said then.
std::string line(work_time time, const std::string& text) {
  auto at = to_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
  return at.substr(5, 11) + (text.empty() ? "" : " " + text);
}

module with_schedules(schedule_outside& outside) {
  auto m = schedules_module(load_time_zone);
  m.function("job", [&outside](std::string text) {
    outside.calls.push_back(line(outside.wall_clock(), text));
  });
  m.function("fail", [](json) { throw std::runtime_error{"no"}; });
  return m;
}

class schedule_service_test : public schedule_outside, public service_fixture {
protected:
  using texts = std::vector<std::string>;

  schedule_service_test() : service_fixture(with_schedules(*this)) {}

  void SetUp() override {
    set_clock(sys_days{year{2026} / 1 / 1});
    wall_clock = [this] { return wall(); };
    dispatcher_options options;
    options.clock = wall_clock;
    options.seed = 1;
    options.look = 1s;
    options.policy = [](const std::string& lane) {
      work_policy result;
      if (lane == std::string{schedules_service} + "/")
        result.attempts_max = defaults::work::attempts_max;
      return result;
    };
    work.emplace(
      &store.queue,
      work_peers{
        [this] { return self; },
        [this] { return std::optional{std::vector<std::string>{"me"}}; }},
      env, std::move(options));
    own(system().spawn([this](caf::event_based_actor* me) {
      own(work->start(me));
      return caf::behavior{[](int) {}};
    }));
    serve({.idle_time = 30s, .outlet = &*work});
  }

  work_time wall() const {
    return std::chrono::floor<milliseconds>(begin_ + (now() - began_));
  }

  void set_clock(work_time to) {
    begin_ = to;
    began_ = now();
  }

  std::string ask(const std::string& method, const std::string& body = {},
                  const std::string& name = "daily") {
    return call(entity_call{std::string{schedules_service}, name, method},
                body);
  }

  json shown(const std::string& name = "daily") {
    return parse_json(ask("show", "", name));
  }

  /// Nobody does anything for so long.
  void be_away(std::chrono::seconds time) {
    self = "";
    // Each tick of the dispatcher would be walked; the clock alone goes on.
    set_clock(wall() + time);
    self = "me";
  }

  std::string self = "me";

private:
  work_time begin_;
  clock::time_point began_{};
};

std::string spec(const std::string& expression, const std::string& more = {}) {
  return R"({"target":"job","expression":")" + expression + "\"" + more + "}";
}

// -- putting -----------------------------------------------------------------

TEST_F(schedule_service_test, a_rate_fires_again_and_again) {
  EXPECT_EQ(ask("put", spec("rate(1 minute)", R"(,"input":"x")")).front(), '{');
  advance(3min + 1s);
  EXPECT_EQ(calls, (texts{"01-01T00:01 \"x\"", "01-01T00:02 \"x\"",
                          "01-01T00:03 \"x\""}));
  auto about = shown();
  EXPECT_EQ(about["fired"], 3);
  EXPECT_EQ(about["last"], "2026-01-01T00:03:00Z");
  auto last = parse_invocation_id(about["lastCall"].get<std::string>());
  ASSERT_TRUE(last);
  EXPECT_EQ(testing::find_work(store.queue, *last).value()->target.name, "job");
  EXPECT_EQ(about["next"], "2026-01-01T00:04:00Z");
  EXPECT_EQ(about["nextFirings"].size(), 5u);
  EXPECT_EQ(about["nextFirings"][4], "2026-01-01T00:08:00Z");
  EXPECT_EQ(about["name"], "daily");
}

TEST_F(schedule_service_test, counts_the_calls_that_failed_for_good) {
  ask("put", R"x({"target":"fail","expression":"rate(1 hour)","input":1})x");
  EXPECT_EQ(shown()["failed"], 0);
  EXPECT_FALSE(shown().contains("lastFailure"));
  advance(2h + 30min);
  auto about = shown();
  EXPECT_EQ(about["fired"], 2);
  EXPECT_EQ(about["failed"], 2);
  EXPECT_EQ(about["lastFailure"]["errorType"], "std::runtime_error");
  EXPECT_EQ(about["lastFailure"]["id"], about["lastCall"]);
  ask("put", spec("rate(1 hour)"), "fine");
  advance(1h + 1min);
  EXPECT_EQ(shown("fine")["failed"], 0);
}

TEST_F(schedule_service_test, one_that_was_deleted_hears_of_no_failure) {
  ask("put", R"x({"target":"fail","expression":"rate(1 hour)","input":1})x");
  advance(1h + 1ms); // it has begun, and waits for another attempt
  ask("remove");
  advance(1h);
  EXPECT_NE(ask("show").find("not_found"), std::string::npos);
  work_selection dead;
  EXPECT_EQ(testing::list_work(store.queue, dead).value().size(), 1u);
}

TEST_F(schedule_service_test, the_same_again_does_not_begin_anew) {
  ask("put", spec("rate(1 minute)"));
  advance(40s);
  ask("put", spec("rate(1 minute)"));
  EXPECT_EQ(store.commits, 1u);
  advance(21s);
  EXPECT_EQ(calls, texts{"01-01T00:01"});
  ask("put", spec("rate(2 minutes)"));
  advance(2min + 1s);
  EXPECT_EQ(calls, (texts{"01-01T00:01", "01-01T00:03"}));
}

TEST_F(schedule_service_test, the_same_again_brings_back_a_lost_reminder) {
  ask("put", spec("rate(1 minute)"));
  work_selection all;
  all.state = work_state::waiting;
  size_t purged = 0;
  store.queue.purge(all, [&](auto count) { purged = *count; });
  ASSERT_EQ(purged, 1u);
  advance(1min + 59s);
  ask("put", spec("rate(1 minute)"));
  advance(2s);
  EXPECT_TRUE(calls.empty()) << "it may be on its way";
  ask("put", spec("rate(1 minute)"));
  advance(1s);
  EXPECT_EQ(calls, (texts{"01-01T00:02", "01-01T00:02"}))
    << "that which was missed, and one that is on time";
  advance(1min);
  EXPECT_EQ(calls.size(), 3u);
}

TEST_F(schedule_service_test, at_fires_once_and_ends) {
  ask("put", spec("at(2026-01-01T00:05:00)"));
  advance(20min);
  EXPECT_EQ(calls, texts{"01-01T00:05"});
  EXPECT_TRUE(shown()["next"].is_null());
  EXPECT_EQ(shown()["fired"], 1);
}

TEST_F(schedule_service_test, what_is_wrong_is_refused) {
  for (auto body :
       {"{}", "[]", "\"x\"", R"x({"expression":"rate(1 minute)"})x",
        R"x({"target":"job"})x", R"x({"target":"job","expression":7})x",
        R"x({"target":"a b","expression":"rate(1 minute)"})x",
        R"x({"target":"a/b","expression":"rate(1 minute)"})x"})
    EXPECT_EQ(ask("put", body), "bad_request none") << body;
  for (auto expression :
       {"", "rate(0 minutes)", "rate(1 fortnight)", "cron(* *)", "soon",
        "at(2025-12-31T23:59:59)", "at(2026-02-30T00:00:00)"})
    EXPECT_EQ(ask("put", spec(expression)), "bad_request none") << expression;
  for (auto more :
       {R"(,"zone":"Europe/Nowhere")", R"(,"zone":1)", R"(,"missed":"maybe")",
        R"(,"priority":10)", R"(,"priority":-1)", R"(,"colour":"red")"})
    EXPECT_EQ(ask("put", spec("rate(1 minute)", more)), "bad_request none")
      << more;
  EXPECT_EQ(store.commits, 0u);
  for (auto method : {"show", "pause", "resume"})
    EXPECT_EQ(ask(method), "not_found none");
}

TEST_F(schedule_service_test, one_that_is_paused_does_not_fire) {
  ask("put", spec("rate(1 minute)"));
  advance(61s);
  EXPECT_EQ(parse_json(ask("pause"))["paused"], true);
  advance(10min);
  EXPECT_EQ(calls.size(), 1u);
  EXPECT_TRUE(shown()["next"].is_null());
  EXPECT_EQ(parse_json(ask("resume"))["paused"], false);
  advance(61s);
  EXPECT_EQ(calls, (texts{"01-01T00:01", "01-01T00:12"}));
}

TEST_F(schedule_service_test, one_that_was_deleted_does_not_fire) {
  ask("put", spec("rate(1 minute)"));
  entity_call gone{std::string{schedules_service}, "daily"};
  gone.operation = entity_operation::erase;
  EXPECT_EQ(call(gone), "null");
  EXPECT_EQ(ask("show"), "not_found none");
  advance(3min);
  EXPECT_TRUE(calls.empty());
}

// -- faults ------------------------------------------------------------------

TEST_F(schedule_service_test, each_time_fires_once_whatever_the_store_does) {
  ask("put", spec("rate(1 minute)"));
  for (auto x : {fate::failed, fate::unknown_written, fate::unknown_lost,
                 fate::overtaken, fate::unknown_written}) {
    store.fates = {x};
    advance(1min);
  }
  advance(30s);
  EXPECT_EQ(calls, (texts{"01-01T00:01", "01-01T00:02", "01-01T00:03",
                          "01-01T00:04", "01-01T00:05"}));
}

// -- clocks that are set -----------------------------------------------------

TEST_F(schedule_service_test, a_daily_job_comes_once_on_the_days_of_a_change) {
  set_clock(sys_days{year{2026} / 3 / 28} + 20h);
  ask("put", spec("cron(30 2 * * *)", R"(,"zone":"Europe/Berlin")"));
  // 2:30 is skipped on 29 March: it comes at 3:00, 01:00 UTC.
  EXPECT_EQ(shown()["nextFirings"][0], "2026-03-29T01:00:00Z");
  EXPECT_EQ(shown()["nextFirings"][1], "2026-03-30T00:30:00Z");
  advance(5h + 1min);
  EXPECT_EQ(calls, texts{"03-29T01:00"});
  calls.clear();
  set_clock(sys_days{year{2026} / 10 / 24} + 23h);
  advance(1min); // what was due since March is one firing
  calls.clear();
  // 2:30 is there twice on 25 October: it comes the first time.
  advance(3h);
  EXPECT_EQ(calls, texts{"10-25T00:30"});
}

TEST_F(schedule_service_test, an_hourly_job_goes_through_both_passes) {
  set_clock(sys_days{year{2026} / 10 / 24} + 23h + 50min);
  ask("put", spec("cron(0 * * * *)", R"(,"zone":"Europe/Berlin")"));
  advance(2h + 15min);
  EXPECT_EQ(calls, (texts{"10-25T00:00", "10-25T01:00", "10-25T02:00"}));
}

// -- outages -----------------------------------------------------------------

TEST_F(schedule_service_test, after_an_outage_the_last_one_stands_for_all) {
  ask("put", spec("rate(1 hour)", R"(,"missed":"once")"));
  be_away(5h + 30min);
  advance(5s);
  EXPECT_EQ(calls, texts{"01-01T05:30"});
  EXPECT_EQ(shown()["last"], "2026-01-01T05:00:00Z");
  advance(30min);
  EXPECT_EQ(calls, (texts{"01-01T05:30", "01-01T06:00"}));
}

TEST_F(schedule_service_test, after_an_outage_nothing_is_made_up_for) {
  ask("put", spec("rate(1 hour)", R"(,"missed":"skip")"));
  be_away(5h + 30min);
  advance(5s);
  EXPECT_TRUE(calls.empty());
  EXPECT_EQ(shown()["fired"], 0);
  EXPECT_EQ(shown()["next"], "2026-01-01T06:00:00Z");
  advance(30min);
  EXPECT_EQ(calls, texts{"01-01T06:00"});
}

TEST_F(schedule_service_test, after_an_outage_all_are_made_up_for) {
  ask("put", spec("rate(1 minute)", R"(,"missed":"all")"));
  be_away(5h + 30s);
  advance(20s); // more than one commit takes
  EXPECT_EQ(calls.size(), 300u);
  EXPECT_EQ(shown()["fired"], 300);
  EXPECT_EQ(shown()["next"], "2026-01-01T05:01:00Z");
  advance(30s);
  EXPECT_EQ(calls.size(), 301u);
}

} // namespace
} // namespace troupe
