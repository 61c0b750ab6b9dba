// What the methods of an entity send with their commits, and its reminders: in
// virtual time, with a dispatcher, over a store that fails as the test says.

#include <optional>

#include "actors/core/event_routes.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/work_id.hpp"
#include "actors/core/work_policy.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/work/dispatcher.hpp"
#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

using std::chrono::milliseconds;
using testing::test_store;
using fate = test_store::fate;

/// A kitchen: it sends, and is reminded.
struct kitchen {
  int orders = 0;
  std::vector<std::string> rang;
  std::string promised;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(kitchen, orders, rang, promised)

  /// Tells the waiter, by name and by type.
  int order(context& ctx, std::string what) {
    ctx.send({"waiter"}, arguments_of(what));
    return ++orders;
  }

  void only_tell(context& ctx, std::string what) {
    ctx.function<void(std::string)>("waiter").send(what);
  }

  void later(context& ctx, int ms) {
    ctx.send({"waiter"}, arguments_of(std::string{"later"}),
             {.delay = milliseconds{ms}, .priority = 9});
  }

  void ask_other(context& ctx, std::string key, std::string what) {
    ctx.entity<kitchen>(key).with({.delay = 1s}).send(&kitchen::ring, what);
  }

  void burn(context& ctx) {
    ctx.send({"waiter"}, arguments_of(std::string{"fire"}));
    ctx.remind("fire", 1s, &kitchen::ring, "fire");
    throw std::runtime_error("it burns");
  }

  void look(context& ctx) const { ctx.send({"waiter"}); }

  void many(context& ctx, int count, int bytes) {
    for (int i = 0; i < count; ++i)
      ctx.send({"waiter"}, {std::string(static_cast<size_t>(bytes), 'x'), ""});
  }

  void once(context& ctx, std::string key, std::string what) {
    ctx.send({"waiter"}, arguments_of(what), {.idempotency_key = key});
  }

  void promise(context& ctx) {
    auto id = ctx.send({"waiter"}, arguments_of(std::string{"promised"}),
                       {.delay = 5s});
    promised = to_string(id);
  }

  void take_back(context& ctx) {
    ctx.withdraw(*parse_invocation_id(promised));
    promised.clear();
  }

  void promise_nothing(context& ctx) { ctx.withdraw(ctx.send({"waiter"})); }

  void close(context& ctx) {
    orders = 99; // nobody will see it
    ctx.send({"waiter"}, arguments_of(std::string{"closed"}));
    ctx.erase();
  }

  void close_and_fail(context& ctx) {
    ctx.erase();
    throw std::runtime_error("it does not close");
  }

  void look_and_close(context& ctx) const { ctx.erase(); }

  /// Tells of an event, then maybe fails.
  size_t tell_all(context& ctx, std::string type, int fails) {
    auto calls = ctx.publish({.source = "/kitchen", .type = type});
    if (fails > 0)
      throw std::runtime_error("it burns");
    return calls;
  }

  /// Two of them where there is room for one; goes on.
  int tell_too_many(context& ctx, int before) {
    many(ctx, before, 1);
    try {
      ctx.publish({.id = "1", .source = "/kitchen", .type = "two"});
    } catch (const error_exception&) {
      return -1;
    }
    return 0;
  }

  // -- reminders -------------------------------------------------------------

  void set(context& ctx, std::string name, int seconds) {
    ctx.remind(name, std::chrono::seconds{seconds}, &kitchen::ring, name);
  }

  void set_many(context& ctx, int count) {
    for (int i = 0; i < count; ++i)
      ctx.remind("r" + std::to_string(i), 1s, "ring", arguments_of("r"));
  }

  void set_to(context& ctx, std::string method) {
    ctx.remind("to", 1s, method);
  }

  void set_two(context& ctx) {
    ctx.remind("tea", 5s, &kitchen::ring, "first");
    ctx.remind("tea", 9s, &kitchen::ring, "second");
    ctx.remind("soup", 5s, &kitchen::ring, "soup");
    ctx.forget("soup");
  }

  bool stop(context& ctx, std::string name) { return ctx.forget(name); }

  /// In how many seconds it is due; -1 if it is not set.
  int left(context& ctx, std::string name) const {
    auto due = ctx.reminder(name);
    return due ? static_cast<int>((*due - ctx.now()) / 1s) : -1;
  }

  void ring(std::string what) { rang.push_back(what); }

  void again(context& ctx) {
    rang.push_back("again");
    if (rang.size() < 3)
      ctx.remind("again", 10s, &kitchen::again);
  }

  /// Fails the first two times.
  void stumble() {
    static thread_local int times = 0;
    if (++times % 3 != 0)
      throw std::runtime_error("it stumbles");
    rang.push_back("stumbled");
  }
};

/// The waiter is called for events of the type "one", and twice for "two".
class kitchen_rules final : public event_routes {
public:
  std::vector<cloud_event> seen;

  expected<std::vector<work_request>> calls_of(const cloud_event& x) override {
    seen.push_back(x);
    if (auto good = x.validate(); !good)
      return good.error();
    std::vector<work_request> result;
    for (size_t i = x.type == "two" ? 2 : x.type == "one" ? 1 : 0; i > 0; --i) {
      auto& next = result.emplace_back();
      next.item.target = {"waiter"};
      next.item.arguments = {x.id, "text/plain"};
    }
    return result;
  }
};

struct service_work_outside {
  std::vector<std::string> told;
  std::optional<dispatcher> work;
};

module kitchen_module(service_work_outside& outside) {
  module m;
  m.function("waiter",
             [&outside](std::string what) { outside.told.push_back(what); });
  m.function("sender", [](context& ctx) { ctx.send({"waiter"}); });
  m.service<kitchen>("kitchen")
    .method("order", &kitchen::order)
    .method("only_tell", &kitchen::only_tell)
    .method("later", &kitchen::later)
    .method("ask_other", &kitchen::ask_other)
    .method("burn", &kitchen::burn)
    .method("look", &kitchen::look)
    .method("many", &kitchen::many)
    .method("once", &kitchen::once)
    .method("promise", &kitchen::promise)
    .method("take_back", &kitchen::take_back)
    .method("promise_nothing", &kitchen::promise_nothing)
    .method("close", &kitchen::close)
    .method("close_and_fail", &kitchen::close_and_fail)
    .method("look_and_close", &kitchen::look_and_close)
    .method("tell_all", &kitchen::tell_all)
    .method("tell_too_many", &kitchen::tell_too_many)
    .method("set", &kitchen::set)
    .method("set_many", &kitchen::set_many)
    .method("set_to", &kitchen::set_to)
    .method("set_two", &kitchen::set_two)
    .method("stop", &kitchen::stop)
    .method("left", &kitchen::left)
    .method("ring", &kitchen::ring)
    .method("again", &kitchen::again)
    .method("stumble", &kitchen::stumble);
  return m;
}

class service_work_test : public service_work_outside, public service_fixture {
protected:
  service_work_test() : service_fixture(kitchen_module(*this)) {}

  void SetUp() override {
    dispatcher_options options;
    options.clock = [this] { return wall(); };
    options.seed = 1;
    work.emplace(
      &store.queue,
      work_peers{
        [this] { return self; },
        [this] {
          return std::optional{std::vector<std::string>{"me", "other"}};
        }},
      env, std::move(options));
    own(system().spawn([this](caf::event_based_actor* me) {
      own(work->start(me));
      return caf::behavior{[](int) {}};
    }));
    serve({.idle_time = 2s, .outlet = &*work});
  }

  work_time wall() const {
    return std::chrono::floor<milliseconds>(work_time{1'700'000'000s}
                                            + (now() - clock::time_point{}));
  }

  std::string ask(std::string method, std::string body = {},
                  std::string key = "a") {
    return call(entity_call{"kitchen", std::move(key), std::move(method)},
                std::move(body));
  }

  /// What the kitchen `key` keeps of what rang.
  std::string rang(const std::string& key = "a") {
    auto& x = store.entities[{"kitchen", key}];
    return x.exists() ? nlohmann::json::parse(x.state)["rang"].dump() : "-";
  }

  std::vector<work_view> list(work_state state) {
    std::vector<work_view> result;
    work_selection which;
    which.state = state;
    which.limit = 1000;
    store.queue.list(which, [&](auto found) { result = *found; });
    return result;
  }

  using texts = std::vector<std::string>;

  std::string self = "me";
};

// -- sending -----------------------------------------------------------------

TEST_F(service_work_test, a_call_leaves_when_the_change_is_durable) {
  store.held = true;
  auto x = begin({"kitchen", "a", "order"}, "soup");
  run();
  store.release(1); // the claim
  run();
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(x->text(), "-");
  store.release();
  run();
  EXPECT_EQ(x->text(), "1");
  EXPECT_EQ(told, texts{"soup"});
}

TEST_F(service_work_test, a_call_is_sent_though_the_state_stays) {
  EXPECT_EQ(ask("only_tell", "hello"), "null");
  EXPECT_EQ(told, texts{"hello"});
  EXPECT_EQ(store.commits, 1u);
  EXPECT_FALSE((store.entities[{"kitchen", "a"}].exists()));
}

TEST_F(service_work_test, calls_of_one_commit_all_leave) {
  store.held = true;
  for (int i = 0; i < 20; ++i)
    begin({"kitchen", "a", "order"}, std::to_string(i));
  run();
  while (told.size() < 20 && store.held) {
    store.release(1);
    store.held = store.commits < 2;
    run();
  }
  store.release();
  run();
  EXPECT_EQ(told.size(), 20u);
  EXPECT_LE(store.commits, 3u);
}

TEST_F(service_work_test, a_method_that_fails_sends_nothing) {
  EXPECT_EQ(ask("burn"), "std::runtime_error ran");
  advance(3s);
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(list(work_state::waiting).empty());
  EXPECT_EQ(rang(), "-");
}

TEST_F(service_work_test, what_was_not_committed_was_not_sent) {
  store.fates = {fate::failed};
  EXPECT_EQ(ask("order", "a"), "store_unavailable none");
  store.fates = {fate::overtaken};
  EXPECT_EQ(ask("order", "b"), "not_owner none");
  store.fates = {fate::unknown_lost};
  EXPECT_EQ(ask("order", "c"), "store_unavailable none");
  advance(3s);
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(ask("order", "d"), "1");
  EXPECT_EQ(told, texts{"d"});
}

TEST_F(service_work_test, an_unknown_commit_that_was_done_sends_once) {
  for (auto method : {"order", "only_tell"}) {
    told.clear();
    store.fates = {fate::unknown_written};
    auto answer = ask(method, "x");
    EXPECT_EQ(answer, method == std::string{"order"} ? "1" : "null");
    advance(3s);
    EXPECT_EQ(told, texts{"x"}) << method;
  }
}

TEST_F(service_work_test, a_call_may_be_for_later) {
  EXPECT_EQ(ask("later", "1500"), "null");
  advance(1400ms);
  EXPECT_TRUE(told.empty());
  ASSERT_EQ(list(work_state::waiting).size(), 1u);
  EXPECT_EQ(list(work_state::waiting)[0].priority, 9);
  advance(200ms);
  EXPECT_EQ(told, texts{"later"});
}

TEST_F(service_work_test, a_call_of_an_entity_has_its_effect_once) {
  EXPECT_EQ(ask("ask_other", R"(["b","hi"])"), "null");
  advance(2s);
  EXPECT_EQ(rang("b"), R"(["hi"])");
  auto done = list(work_state::waiting);
  EXPECT_TRUE(done.empty());
}

TEST_F(service_work_test, a_call_with_a_key_is_sent_once) {
  EXPECT_EQ(ask("once", R"(["k","one"])"), "null");
  EXPECT_EQ(ask("once", R"(["k","one"])", "b"), "null");
  EXPECT_EQ(ask("once", R"(["k","other"])"), "null");
  EXPECT_EQ(ask("once", R"(["l","two"])"), "null");
  advance(3s);
  EXPECT_EQ(told, (texts{"one", "two"}));
  EXPECT_EQ(ask("once", R"(["a b","x"])"), "bad_request none");
}

TEST_F(service_work_test, who_has_no_commit_cannot_send) {
  EXPECT_EQ(ask("look"), "bad_request none");
  auto x = std::make_shared<outcome>("");
  x->call->submitted = now();
  x->call->deadline = now() + 1s;
  outcomes.push_back(x);
  submit_nested(env, *routes.load(), x->call, "sender", system(), nullptr);
  run();
  EXPECT_EQ(x->text(), "not_implemented ran");
  serve({});
  EXPECT_EQ(ask("order", "x"), "not_implemented none");
  EXPECT_EQ(ask("set", R"(["tea",1])"), "not_implemented none");
}

TEST_F(service_work_test, an_event_calls_what_the_rules_say) {
  kitchen_rules rules;
  serve({.idle_time = 2s, .outlet = &*work, .events = &rules});
  EXPECT_EQ(ask("tell_all", R"(["two",0])"), "2");
  ASSERT_EQ(rules.seen.size(), 1u);
  auto& id = rules.seen[0].id;
  EXPECT_EQ(told, (texts{id, id}));
  EXPECT_EQ(id.size(), 32u) << "it had none";
  EXPECT_EQ(rules.seen[0].time,
            to_rfc3339(std::chrono::floor<std::chrono::seconds>(wall())));
  // Nobody listens.
  EXPECT_EQ(ask("tell_all", R"(["none",0])"), "0");
  // It goes with what the call did, or not at all.
  EXPECT_EQ(ask("tell_all", R"(["one",1])"), "std::runtime_error ran");
  EXPECT_EQ(ask("tell_all", R"(["",0])"), "bad_request none");
  EXPECT_EQ(told.size(), 2u);
  serve({.idle_time = 2s, .outlet = &*work});
  EXPECT_EQ(ask("tell_all", R"(["one",0])"), "not_implemented none");
}

TEST_F(service_work_test, an_event_calls_all_or_none) {
  kitchen_rules rules;
  self = ""; // nobody takes it
  serve({.idle_time = 2s, .outlet = &*work, .events = &rules});
  auto room = defaults::service::sends - 1;
  EXPECT_EQ(ask("tell_too_many", std::to_string(room)), "-1");
  EXPECT_EQ(list(work_state::waiting).size(), room);
  EXPECT_EQ(ask("tell_too_many", std::to_string(room - 1)), "0");
}

TEST_F(service_work_test, one_call_sends_so_much_and_no_more) {
  auto most = defaults::service::sends;
  EXPECT_EQ(ask("many", "[" + std::to_string(most + 1) + ",4]"),
            "bad_request none");
  EXPECT_TRUE(list(work_state::waiting).empty());
  EXPECT_EQ(ask("many", "[5,1048576]"), "payload_too_large none");
  EXPECT_EQ(ask("many", "[1,1048577]"), "payload_too_large none");
  EXPECT_EQ(store.commits, 0u);
  EXPECT_EQ(ask("many", "[4,1048576]"), "null");
}

// A commit does not grow without an end: calls wait until it has taken along what
// was sent before them.
TEST_F(service_work_test, calls_wait_while_much_is_to_be_sent) {
  self = ""; // nobody takes it
  store.held = true;
  for (int i = 0; i < 10; ++i)
    begin({"kitchen", "a", "many"}, "[200,1]");
  run();
  size_t most = 0;
  size_t before = 0;
  for (int i = 0; i < 30; ++i) {
    store.release(1);
    store.held = true;
    run();
    work_selection all;
    all.state = work_state::waiting;
    all.limit = 100'000;
    size_t count = 0;
    store.queue.list(all, [&](auto found) { count = found->size(); });
    most = std::max(most, count - before);
    before = count;
  }
  EXPECT_EQ(before, 2000u);
  EXPECT_LE(most, 2 * defaults::service::sends);
  store.release();
  store.held = false;
  run();
}

// -- taking back, and leaving --------------------------------------------------

TEST_F(service_work_test, what_was_sent_and_waits_can_be_taken_back) {
  EXPECT_EQ(ask("promise"), "null");
  EXPECT_EQ(list(work_state::waiting).size(), 1u);
  store.fates = {fate::failed};
  EXPECT_EQ(ask("take_back"), "store_unavailable none");
  EXPECT_EQ(list(work_state::waiting).size(), 1u);
  EXPECT_EQ(ask("take_back"), "null");
  EXPECT_TRUE(list(work_state::waiting).empty());
  advance(6s);
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(ask("promise_nothing"), "null");
  advance(1s);
  EXPECT_TRUE(told.empty());
}

TEST_F(service_work_test, what_has_begun_cannot_be_taken_back) {
  EXPECT_EQ(ask("promise"), "null");
  advance(6s);
  EXPECT_EQ(told, texts{"promised"});
  EXPECT_EQ(ask("take_back"), "null");
  EXPECT_EQ(told, texts{"promised"});
}

TEST_F(service_work_test, an_entity_may_leave) {
  EXPECT_EQ(ask("order", "x"), "1");
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  EXPECT_EQ(ask("close_and_fail"), "std::runtime_error ran");
  EXPECT_EQ(ask("look_and_close"), "bad_request none");
  EXPECT_EQ(rang(), "[]");
  EXPECT_EQ(ask("close"), "null");
  EXPECT_EQ(rang(), "-");
  advance(10s);
  EXPECT_EQ(told, (texts{"x", "closed"}));
  EXPECT_TRUE(list(work_state::waiting).empty());
  EXPECT_EQ(rang(), "-");
  // It begins anew.
  EXPECT_EQ(ask("order", "y"), "1");
  // And leaves without a trace when it had none.
  EXPECT_EQ(ask("close", "", "new"), "null");
  EXPECT_EQ(rang("new"), "-");
}

// -- reminders ---------------------------------------------------------------

TEST_F(service_work_test, a_reminder_calls_when_it_is_due) {
  EXPECT_EQ(ask("set", R"(["tea",240])"), "null");
  EXPECT_EQ(ask("left", "tea"), "240");
  EXPECT_EQ(ask("left", "soup"), "-1");
  advance(239s);
  EXPECT_EQ(rang(), "-");
  EXPECT_EQ(target("kitchen").stats().instances, 0u) << "it did not sleep";
  advance(2s);
  EXPECT_EQ(rang(), R"(["tea"])");
  EXPECT_EQ(ask("left", "tea"), "-1");
  EXPECT_EQ((store.entities[{"kitchen", "a"}].reminders), "");
}

TEST_F(service_work_test, one_of_the_same_name_takes_its_place) {
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  EXPECT_EQ(ask("set", R"(["tea",10])"), "null");
  EXPECT_EQ(list(work_state::waiting).size(), 1u);
  advance(8s);
  EXPECT_EQ(rang(), "-");
  advance(3s);
  EXPECT_EQ(rang(), R"(["tea"])");
  EXPECT_EQ(ask("set_two", "", "b"), "null");
  EXPECT_EQ(list(work_state::waiting).size(), 1u);
  advance(20s);
  EXPECT_EQ(rang("b"), R"(["second"])");
}

TEST_F(service_work_test, one_that_was_forgotten_does_not_call) {
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  EXPECT_EQ(ask("stop", "tea"), "true");
  EXPECT_EQ(ask("stop", "tea"), "false");
  EXPECT_TRUE(list(work_state::waiting).empty());
  advance(10s);
  EXPECT_EQ(rang(), "-");
}

// Its work was claimed by another node before it was replaced: it cannot be
// removed any more.
TEST_F(service_work_test, one_that_was_replaced_under_way_does_not_call) {
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  auto id = list(work_state::waiting).at(0).id;
  self = "";
  advance(5s);
  store.queue.claim("other", {{"kitchen/", 1}}, wall(), [](auto) {});
  ASSERT_EQ(list(work_state::claimed).size(), 1u);
  EXPECT_EQ(ask("set", R"(["tea",60])"), "null");
  entity_call late{"kitchen", "a", "ring"};
  late.idempotency_key = reminder_key(id);
  EXPECT_EQ(call(late, "late"), "null");
  EXPECT_EQ(rang(), "-");
  self = "me";
  advance(61s);
  EXPECT_EQ(rang(), R"(["tea"])");
}

TEST_F(service_work_test, one_that_comes_again_has_no_effect) {
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  auto id = list(work_state::waiting).at(0).id;
  self = "";
  advance(5s);
  entity_call due{"kitchen", "a", "ring"};
  due.idempotency_key = reminder_key(id);
  store.fates = {fate::failed};
  EXPECT_EQ(call(due, "tea"), "store_unavailable none");
  EXPECT_EQ(rang(), "-");
  store.fates = {fate::unknown_written};
  EXPECT_EQ(call(due, "tea"), "null");
  EXPECT_EQ(call(due, "tea"), "null");
  advance(10s); // it sleeps
  EXPECT_EQ(call(due, "tea"), "null");
  EXPECT_EQ(rang(), R"(["tea"])");
}

TEST_F(service_work_test, one_that_fails_is_tried_again) {
  EXPECT_EQ(ask("set_to", "stumble"), "null");
  advance(10s);
  EXPECT_EQ(rang(), R"(["stumbled"])");
  EXPECT_EQ((store.entities[{"kitchen", "a"}].reminders), "");
}

// Pauses grow with the age of work: that of a reminder begins when it is due.
TEST_F(service_work_test, one_that_finds_no_store_comes_soon_after) {
  EXPECT_EQ(ask("set", R"(["tea",3600])"), "null");
  EXPECT_EQ(ask("later", "3600000", "b"), "null");
  advance(1h - 1s);
  store.fates = {fate::failed, fate::failed};
  advance(3s);
  EXPECT_TRUE(store.fates.empty());
  EXPECT_EQ(rang(), R"(["tea"])");
}

TEST_F(service_work_test, one_may_set_itself_again) {
  EXPECT_EQ(ask("again"), "null");
  advance(11s);
  EXPECT_EQ(rang(), R"(["again","again"])");
  advance(60s);
  EXPECT_EQ(rang(), R"(["again","again","again"])");
}

TEST_F(service_work_test, nobody_is_away_for_too_long) {
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  self = "";
  advance(7h); // the greatest age of other work is 6 h
  self = "me";
  advance(2s);
  EXPECT_EQ(rang(), R"(["tea"])");
}

TEST_F(service_work_test, reminders_go_with_their_entity) {
  EXPECT_EQ(ask("order", "x"), "1");
  EXPECT_EQ(ask("set", R"(["tea",5])"), "null");
  entity_call gone{"kitchen", "a"};
  gone.operation = entity_operation::erase;
  EXPECT_EQ(call(gone), "null");
  EXPECT_TRUE(list(work_state::waiting).empty());
  advance(10s);
  EXPECT_EQ(rang(), "-");
}

TEST_F(service_work_test, wrong_reminders_are_refused) {
  EXPECT_EQ(ask("set_to", "nothing"), "bad_request none");
  EXPECT_EQ(ask("set_to", "look"), "bad_request none");
  EXPECT_EQ(ask("set", R"(["a b",5])"), "bad_request none");
  EXPECT_EQ(ask("set", R"(["tea",-1])"), "bad_request none");
  auto most = defaults::service::reminders;
  EXPECT_EQ(ask("set_many", std::to_string(most + 1)), "bad_request none");
  EXPECT_TRUE(list(work_state::waiting).empty());
  EXPECT_EQ(ask("set_many", std::to_string(most)), "null");
  EXPECT_EQ(ask("set", R"(["r0",9])"), "null");
  EXPECT_EQ(ask("set", R"(["other",9])"), "bad_request none");
}

} // namespace
} // namespace troupe
