// Groups of queued calls in virtual time: the service that joins their outcomes,
// with a dispatcher that makes the calls.

#include "actors/work/group_service.hpp"

#include <optional>

#include "actors/work/dispatcher.hpp"
#include "tests/support/service_fixture.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using std::chrono::milliseconds;
using fate = testing::test_store::fate;

struct group_outside {
  /// What followed: with what it was called.
  std::vector<std::string> followed;
  std::vector<std::string> told;
  int fails = 0;
  std::map<std::string, work_policy> policies;
  std::optional<dispatcher> work;
};

module with_groups(group_outside& outside) {
  auto m = groups_module({});
  m.function("double", [](int x) { return 2 * x; });
  m.function("same", [](json x) { return x; });
  m.function("raw", [](payload x) { return x; });
  m.function("fail", [&outside](int) -> int {
    ++outside.fails;
    throw std::runtime_error{"no"};
  });
  m.function("inflate", [](int size) {
    return std::string(static_cast<size_t>(size), 'x');
  });
  m.function("next",
             [&outside](payload x) { outside.followed.push_back(x.bytes); });
  m.function("alarm",
             [&outside](payload x) { outside.told.push_back(x.bytes); });
  return m;
}

class group_service_test : public group_outside, public service_fixture {
protected:
  using texts = std::vector<std::string>;

  group_service_test() : service_fixture(with_groups(*this)) {}

  void SetUp() override {
    dispatcher_options options;
    options.clock = [this] { return wall(); };
    options.seed = 1;
    options.policy = [this](const std::string& lane) {
      auto i = policies.find(lane);
      return i != policies.end() ? i->second : work_policy{};
    };
    policies[std::string{groups_service} + "/"].attempts_max = 1000;
    work.emplace(&store.queue,
                 work_peers{[this] { return self; },
                            [this] { return std::optional{alive}; }},
                 env, std::move(options));
    own(system().spawn([this](caf::event_based_actor* me) {
      own(work->start(me));
      return caf::behavior{[](int) {}};
    }));
    serve({.idle_time = 30s, .outlet = &*work});
  }

  work_time wall() const {
    return std::chrono::floor<milliseconds>(work_time{1'700'000'000s}
                                            + (now() - clock::time_point{}));
  }

  std::string ask(const std::string& method, const std::string& body = {},
                  const std::string& id = "g") {
    return call(entity_call{std::string{groups_service}, id, method}, body);
  }

  json shown(const std::string& id = "g") {
    return parse_json(ask("show", "", id));
  }

  /// The functions that queued work calls.
  texts waiting() {
    texts result;
    for (auto state : {work_state::waiting, work_state::claimed}) {
      work_selection all;
      all.state = state;
      auto found = testing::list_work(store.queue, all);
      for (auto& x : *found)
        if (x.target.method != "expire" && x.target.method != "go")
          result.push_back(to_string(x.target));
    }
    return result;
  }

  size_t dead() { return testing::list_work(store.queue, {})->size(); }

  bool is_stored() {
    auto i = store.entities.find({std::string{groups_service}, "g"});
    return i != store.entities.end() && i->second.exists();
  }

  std::string self = "me";
  std::vector<std::string> alive{"me"};
};

/// @param calls "double 1, fail 2": targets with their inputs
std::string spec(const std::string& calls, const std::string& more = {}) {
  std::string result = R"({"then":"next","onFailure":"alarm","calls":[)";
  size_t at = 0;
  while (at < calls.size()) {
    auto end = std::min(calls.find(", ", at), calls.size());
    auto one = calls.substr(at, end - at);
    auto space = one.find(' ');
    if (at > 0)
      result += ',';
    result += "{\"target\":\"" + one.substr(0, space) + "\"";
    if (space != one.npos)
      result += ",\"input\":" + one.substr(space + 1);
    result += '}';
    at = end + 2;
  }
  return result + "]" + more + "}";
}

std::string any_of(const std::string& calls) {
  return spec(calls, R"(,"join":"any")");
}

std::string outcome_of(int call, const std::string& result) {
  return "{\"call\":" + std::to_string(call) + ",\"result\":" + result + "}";
}

std::string failure_of(int call) {
  return "{\"call\":" + std::to_string(call)
         + R"(,"error":{"errorType":"x","errorMessage":"y","effect":"ran"}})";
}

// -- all ---------------------------------------------------------------------

TEST_F(group_service_test, calls_what_follows_with_all_results_in_order) {
  EXPECT_EQ(ask("begin", spec("double 1, same {\"a\":1.50}, double 3")),
            R"({"id":"g"})");
  advance(1s);
  EXPECT_EQ(followed, texts{R"([2,{"a":1.5},6])"});
  EXPECT_TRUE(told.empty());
  auto about = shown();
  EXPECT_EQ(about["state"], "succeeded");
  EXPECT_EQ(about["succeeded"], 3);
  EXPECT_EQ(about["calls"][2]["result"], 6);
  EXPECT_EQ(about["calls"][2]["target"], "double");
  EXPECT_EQ(waiting(), texts{});
}

TEST_F(group_service_test, outcomes_may_come_in_any_order_and_again) {
  ask("begin", spec("away, away, away"));
  EXPECT_EQ(ask("arrived", outcome_of(2, "\"c\"")), "null");
  EXPECT_EQ(ask("arrived", outcome_of(0, "1.000000000000000000001")), "null");
  EXPECT_EQ(ask("arrived", outcome_of(2, "\"again\"")), "null");
  EXPECT_EQ(ask("arrived", failure_of(0)), "null");
  EXPECT_EQ(ask("arrived", outcome_of(3, "1")), "null");
  EXPECT_EQ(shown()["state"], "running");
  EXPECT_EQ(shown()["waiting"], 1);
  EXPECT_TRUE(followed.empty());
  ask("arrived", outcome_of(1, "[]"));
  ask("arrived", outcome_of(1, "[]"));
  advance(1s);
  EXPECT_EQ(followed, texts{R"([1.000000000000000000001,[],"c"])"});
}

TEST_F(group_service_test, one_that_fails_ends_all_and_is_told_of_once) {
  ask("begin", spec("double 1, fail 1, away, away"));
  EXPECT_EQ(waiting().size(), 3u); // `fail` is tried again
  advance(30s);
  EXPECT_EQ(fails, 3);
  EXPECT_TRUE(followed.empty());
  ASSERT_EQ(told.size(), 1u);
  auto notice = parse_json(told[0]);
  EXPECT_EQ(notice["id"], "g");
  EXPECT_EQ(notice["error"]["errorType"], "std::runtime_error");
  EXPECT_EQ(notice["calls"][0]["state"], "succeeded");
  EXPECT_EQ(notice["calls"][1]["state"], "failed");
  EXPECT_EQ(notice["calls"][2]["state"], "abandoned");
  // Those that had not begun are gone, and none is a dead letter.
  EXPECT_EQ(waiting(), texts{});
  EXPECT_EQ(dead(), 0u);
  ask("arrived", outcome_of(2, "1"));
  EXPECT_EQ(shown()["state"], "failed");
}

TEST_F(group_service_test, results_that_are_too_many_fail) {
  auto half = std::to_string(defaults::work::payload_max / 2);
  ask("begin", spec("inflate " + half + ", inflate " + half));
  advance(1s);
  EXPECT_TRUE(followed.empty());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(parse_json(told[0])["error"]["errorType"], "payload_too_large");
}

// -- any ---------------------------------------------------------------------

TEST_F(group_service_test, the_first_success_is_enough) {
  ask("begin", any_of("away, fail 1, double 4, away"));
  advance(20s);
  EXPECT_EQ(followed, texts{"8"});
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(waiting(), texts{});
  ask("arrived", outcome_of(0, "1"));
  ask("arrived", outcome_of(3, "1"));
  advance(1s);
  EXPECT_EQ(followed.size(), 1u);
  EXPECT_EQ(shown()["abandoned"], 1) << "two ended too late";
  EXPECT_EQ(shown()["succeeded"], 3);
}

TEST_F(group_service_test, a_result_that_is_no_json_is_given_on_as_it_is) {
  auto bytes = R"({"join":"any","then":"next","calls":[{"target":"raw",)"
               R"("inputBase64":"AP/+","contentType":"image/x"}]})";
  ask("begin", bytes);
  advance(1s);
  EXPECT_EQ(followed, texts{std::string("\0\xFF\xFE", 3)});
  EXPECT_EQ(shown()["calls"][0]["result"]["base64"], "AP/+");
}

TEST_F(group_service_test, somebody_outside_may_be_told) {
  ask("begin", R"({"then":["next","https://example.org/done"],)"
               R"("calls":[{"target":"same","input":7}]})");
  EXPECT_EQ(followed, texts{"[7]"});
  work_selection all;
  all.state = work_state::waiting;
  auto found = testing::list_work(store.queue, all);
  texts targets;
  for (auto& x : *found)
    targets.push_back(to_string(x.target));
  EXPECT_NE(
    std::find(targets.begin(), targets.end(), "https://example.org/done"),
    targets.end());
}

TEST_F(group_service_test, has_failed_when_all_have) {
  ask("begin", any_of("fail 1, fail 2"));
  advance(30s);
  EXPECT_EQ(fails, 6);
  EXPECT_TRUE(followed.empty());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(shown()["failed"], 2);
}

// -- how it ends -------------------------------------------------------------

TEST_F(group_service_test, takes_no_longer_than_it_may) {
  ask("begin", spec("double 1, away", R"(,"timeoutMs":60000)"));
  advance(59s);
  EXPECT_EQ(shown()["state"], "running");
  advance(2s);
  EXPECT_EQ(shown()["state"], "failed");
  EXPECT_EQ(shown()["error"]["errorType"], "deadline_exceeded");
  EXPECT_EQ(told.size(), 1u);
  EXPECT_EQ(waiting(), texts{});
}

TEST_F(group_service_test, is_forgotten_when_its_time_is_over) {
  ask("begin", spec("double 1"));
  advance(59min);
  EXPECT_TRUE(is_stored());
  advance(2min);
  EXPECT_FALSE(is_stored());
  EXPECT_EQ(ask("show"), "not_found none");
  ask("arrived", outcome_of(0, "1"));
  EXPECT_FALSE(is_stored());
}

TEST_F(group_service_test, one_that_failed_untold_is_kept_as_a_dead_letter_is) {
  ask("begin", R"({"calls":[{"target":"same"},{"target":"away"}]})");
  ask("arrived", failure_of(1));
  advance(2h);
  EXPECT_EQ(shown()["state"], "failed");
  // Until then each tick of the dispatcher would be walked.
  auto reminders = store.entities[{std::string{groups_service}, "g"}].reminders;
  auto due = parse_json(reminders)["next"][1].get<int64_t>();
  auto left = milliseconds{due} - wall().time_since_epoch();
  EXPECT_GT(left, 13 * 24h);
  EXPECT_LE(left, 14 * 24h);
}

TEST_F(group_service_test, one_that_is_cancelled_calls_nothing_more) {
  ask("begin", spec("away, away"));
  EXPECT_EQ(parse_json(ask("cancel"))["state"], "cancelled");
  EXPECT_EQ(waiting(), texts{});
  // It had begun, and ends later.
  ask("arrived", outcome_of(0, "1"));
  ask("arrived", failure_of(0));
  advance(1s);
  EXPECT_EQ(shown()["abandoned"], 1);
  EXPECT_EQ(shown()["calls"][0]["state"], "succeeded");
  EXPECT_FALSE(shown()["calls"][0].contains("result"));
  ask("arrived", failure_of(1));
  EXPECT_EQ(shown()["calls"][1]["error"]["errorType"], "x");
  EXPECT_EQ(shown()["state"], "cancelled");
  EXPECT_TRUE(followed.empty());
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(ask("cancel", "", "other"), "not_found none");
}

TEST_F(group_service_test, hears_of_a_call_whose_nodes_all_have_died) {
  self = ""; // this node takes nothing
  ask("begin", spec("double 1"));
  for (int i = 0; i < 3; ++i) {
    auto got =
      testing::begin_claim(store.queue, "other", {{"double", 1}}, wall()).get();
    ASSERT_EQ(got->size(), 1u) << i;
    ASSERT_EQ(testing::give_back(store.queue, "other", wall(), 9).value(), 1u);
  }
  self = "me";
  advance(15s); // it is looked for every ten seconds
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(parse_json(told[0])["error"]["errorType"], "instance_lost");
  EXPECT_EQ(dead(), 0u);
}

TEST_F(group_service_test, is_shown_as_it_is_stored) {
  ask("begin", spec("double 1"));
  advance(1s);
  auto& stored = store.entities[{std::string{groups_service}, "g"}].state;
  auto seen = show_group("g", stored);
  ASSERT_TRUE(seen);
  EXPECT_EQ(parse_json(seen->text), shown());
  ASSERT_EQ(seen->followed_by.size(), 1u);
  EXPECT_EQ(to_string(seen->followed_by[0]), shown()["followedBy"][0]);
  for (auto none : {"", "{}"})
    EXPECT_EQ(show_group("g", none).error(), errc::not_found) << none;
  // Nobody who looks at it is to end with it.
  auto later = parse_json(stored);
  later["join"] = "most";
  for (auto& x : {std::string{"["}, std::string{"[7]"}, later.dump()})
    EXPECT_EQ(show_group("g", x).error(), errc::internal_error) << x;
}

// -- faults ------------------------------------------------------------------

TEST_F(group_service_test, follows_once_whatever_the_store_does) {
  for (auto x : {fate::failed, fate::unknown_written, fate::unknown_lost,
                 fate::overtaken}) {
    followed.clear();
    auto id = "g" + std::to_string(static_cast<int>(x));
    ask("begin", spec("double 1, double 2, double 3"), id);
    store.fates = {x, x};
    advance(30s);
    EXPECT_EQ(followed, texts{"[2,4,6]"}) << id;
    EXPECT_EQ(shown(id)["state"], "succeeded") << id;
    store.fates.clear();
  }
}

TEST_F(group_service_test, begins_with_all_calls_or_none) {
  store.fates = {fate::failed};
  EXPECT_EQ(ask("begin", spec("away, away")), "store_unavailable none");
  EXPECT_EQ(waiting(), texts{});
  EXPECT_EQ(ask("begin", spec("away, away")), R"({"id":"g"})");
  EXPECT_EQ(waiting(), (texts{"away", "away"}));
  // The same again is the same group; another one is none.
  EXPECT_EQ(ask("begin", spec("away, away")), R"({"id":"g"})");
  EXPECT_EQ(ask("begin", spec("away")), "idempotency_conflict none");
  EXPECT_EQ(waiting().size(), 2u);
}

TEST_F(group_service_test, what_is_wrong_is_refused) {
  std::string many;
  for (size_t i = 0; i <= defaults::work::group_calls_max; ++i)
    many += i == 0 ? "double 1" : ", double 1";
  for (auto body : {
         std::string{"{}"},
         std::string{"[]"},
         std::string{"x"},
         std::string{R"({"calls":[]})"},
         std::string{R"({"calls":{}})"},
         std::string{R"({"calls":[1]})"},
         std::string{R"({"calls":[{}]})"},
         std::string{R"({"calls":[{"target":"a b"}]})"},
         std::string{R"({"calls":[{"target":"f","colour":1}]})"},
         std::string{R"({"calls":[{"target":"f","inputBase64":"?"}]})"},
         std::string{R"({"calls":[{"target":"f","contentType":"x"}]})"},
         std::string{
           R"({"calls":[{"target":"f","input":1,"inputBase64":"AA=="}]})"},
         std::string{R"({"calls":[{"target":"s/k/m","routingKey":"k"}]})"},
         spec("f", R"(,"join":"some")"),
         spec("f", R"(,"then":["a","b","c","d","e"])"),
         spec("f", R"(,"then":7)"),
         spec("f", R"(,"then":"https://")"),
         spec("https://example.org/x"),
         spec("f", R"(,"priority":10)"),
         spec("f", R"(,"timeoutMs":0)"),
         spec("f", R"(,"colour":"red")"),
         spec(many),
       })
    EXPECT_EQ(ask("begin", body), "bad_request none") << body.substr(0, 200);
  EXPECT_EQ(store.commits, 0u);
  EXPECT_EQ(ask("begin", spec(many.substr(many.find(", ") + 2))),
            R"({"id":"g"})");
  advance(10s);
  ASSERT_EQ(followed.size(), 1u);
  EXPECT_EQ(parse_json(followed[0]).size(), defaults::work::group_calls_max);
}

// -- pipelines ---------------------------------------------------------------

TEST_F(group_service_test, those_that_follow_meet_again_at_a_join) {
  auto& policy = policies["same"];
  for (auto name : {"double", "inflate", "double"})
    policy.on_success.push_back(work_destination::parse(name).value());
  policy.join = group_join::all;
  policy.then.push_back(work_destination::parse("next").value());
  ASSERT_FALSE(policy.validate());
  work_request request;
  request.item.id = testing::work_id(7);
  request.item.target = {"same"};
  request.item.arguments = {"3", "application/json"};
  std::optional<work_accepted> accepted;
  work->accept(request, [&](auto x) { accepted = x.value(); });
  advance(5s);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(followed, texts{R"([6,"xxx",6])"});
  EXPECT_EQ(shown(to_string(accepted->id))["state"], "succeeded");
}

TEST_F(group_service_test, a_pipeline_whose_join_leads_back_into_it_ends) {
  auto& policy = policies["same"];
  policy.on_success.push_back(work_destination::parse("double").value());
  policy.join = group_join::any;
  policy.then.push_back(work_destination::parse("same").value());
  policy.on_failure.push_back(work_destination::parse("alarm").value());
  work_request request;
  request.item.id = testing::work_id(7);
  request.item.target = {"same"};
  request.item.arguments = {"0", "application/json"};
  work->accept(request, [](auto&&) {});
  advance(5min);
  EXPECT_EQ(dead() + told.size(), 1u);
  auto left = testing::list_work(store.queue, {});
  auto text = told.empty() ? left->front().answer.bytes : told.front();
  EXPECT_NE(text.find("steps"), text.npos) << text;
  EXPECT_EQ(waiting(), texts{});
}

TEST_F(group_service_test, a_call_of_a_group_may_lead_on_by_itself) {
  auto& policy = policies["double"];
  policy.on_success.push_back(work_destination::parse("alarm").value());
  ask("begin", spec("double 1"));
  advance(5s);
  EXPECT_EQ(followed, texts{"[2]"});
  EXPECT_EQ(told, texts{"2"});
}

} // namespace
} // namespace troupe
