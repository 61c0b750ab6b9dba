// Dynamic children: what a supervisor answers to start, terminate, restart,
// erase, children, count and describe; and what it refuses from the beginning.

#include <set>

#include "tests/support/supervised.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using enum restart_type;

class supervisor_children : public ::testing::Test, public supervision_fixture {
public:
  supervisor_options options(uint32_t intensity = 10) {
    supervisor_options result;
    result.name = "top";
    result.intensity = intensity;
    result.seed = 1;
    return result;
  }

  std::string start(const supervisor_actor& x, child_spec spec) {
    return error_of(request<caf::actor>(x, atom::start::value, spec));
  }

  std::string terminate(const supervisor_actor& x, const std::string& id) {
    return error_of(request<child_info>(x, atom::terminate::value, id));
  }

  std::string restart(const supervisor_actor& x, const std::string& id) {
    return error_of(request<caf::actor>(x, atom::restart::value, id));
  }

  std::string erase(const supervisor_actor& x, const std::string& id) {
    return error_of(request<child_info>(x, atom::erase::value, id));
  }

  tree_node describe(const supervisor_actor& x) {
    return request<tree_node>(x, atom::describe::value).value();
  }

  /// A supervisor with one child that is up, one that waits for its restart,
  /// one that is about to stop and one that is down.
  supervisor_actor one_of_each() {
    auto opts = options();
    opts.backoff = {1h, 1h};
    auto result = supervise(opts, {worker("up"), worker("waiting"),
                                   worker("stopping", permanent, stubborn),
                                   worker("down", transient)});
    end_child(result, "waiting", "kill");
    end_child(result, "down", "normal");
    ask<child_info>(result, atom::terminate::value, std::string{"stopping"});
    run();
    EXPECT_EQ(states(result),
              "up waiting(waiting) stopping(stopping) down(down)");
    return result;
  }
};

/// Kinds, names and states, as text.
std::string outline(const tree_node& x) {
  auto result = x.kind + " " + x.name + " " + x.state;
  if (x.children.empty())
    return result;
  result += " [";
  for (auto& child : x.children)
    result += outline(child) + (&child == &x.children.back() ? "]" : ", ");
  return result;
}

// -- start --------------------------------------------------------------------

TEST_F(supervisor_children, starts_a_child_after_the_others) {
  auto parent = supervise(options(), {worker("a")});
  auto handle = request<caf::actor>(parent, atom::start::value, worker("b"));
  ASSERT_TRUE(handle);
  EXPECT_EQ(*handle, child(parent, "b"));
  shut_down(parent);
  EXPECT_EQ(take_log(), "+a +b -b -a");
}

TEST_F(supervisor_children, restarts_a_child_that_was_added) {
  auto parent = supervise(options(), {});
  EXPECT_EQ(start(parent, worker("a")), "ok");
  end_child(parent, "a", "kill");
  EXPECT_EQ(take_log(), "+a -a +a");
}

TEST_F(supervisor_children, refuses_an_id_that_is_taken) {
  auto parent = one_of_each();
  EXPECT_EQ(start(parent, worker("up")), "already_started: up");
  EXPECT_EQ(start(parent, worker("waiting")), "already_started: waiting");
  EXPECT_EQ(start(parent, worker("stopping")), "already_started: stopping");
  EXPECT_EQ(start(parent, worker("down")), "already_present: down");
}

TEST_F(supervisor_children, refuses_a_specification_that_is_wrong) {
  auto parent = supervise(options(), {});
  EXPECT_EQ(start(parent, worker("")), "bad_spec: a child needs an id");
  EXPECT_EQ(states(parent), "");
}

TEST_F(supervisor_children, keeps_nothing_of_a_child_that_failed_to_start) {
  auto failing = std::make_shared<int>(1);
  auto parent = supervise(options(0), {});
  auto spec = flaky(worker("a"), failing);
  EXPECT_EQ(start(parent, spec).find("start_failed: 'a': "), 0u);
  EXPECT_EQ(states(parent), "");
  EXPECT_EQ(start(parent, spec), "ok");
  EXPECT_EQ(end_of(parent), "alive");
}

TEST_F(supervisor_children, keeps_a_child_with_nothing_to_run) {
  auto parent = supervise(options(), {});
  auto idle = worker("a");
  idle.start = [](caf::local_actor*) -> caf::expected<caf::actor> {
    return caf::actor{};
  };
  auto handle = request<caf::actor>(parent, atom::start::value, idle);
  ASSERT_TRUE(handle);
  EXPECT_FALSE(*handle);
  EXPECT_EQ(states(parent), "a(down)");
  idle.id = "b";
  idle.restart = temporary;
  EXPECT_EQ(start(parent, idle), "ok");
  EXPECT_EQ(states(parent), "a(down)");
}

// -- terminate ----------------------------------------------------------------

TEST_F(supervisor_children, stops_a_child_and_keeps_its_specification) {
  auto parent = supervise(options(), {worker("a"), worker("b")});
  auto info =
    request<child_info>(parent, atom::terminate::value, std::string{"a"});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->state, child_state::down);
  EXPECT_FALSE(info->handle);
  EXPECT_EQ(info->last_reason, "user_shutdown");
  EXPECT_EQ(states(parent), "a(down) b");
  EXPECT_EQ(take_log(), "+a +b -a");
}

TEST_F(supervisor_children, forgets_a_temporary_child_that_it_stopped) {
  auto parent = supervise(options(), {worker("a", temporary)});
  EXPECT_EQ(terminate(parent, "a"), "ok");
  EXPECT_EQ(states(parent), "");
}

TEST_F(supervisor_children, answers_when_the_child_has_ended_and_not_before) {
  auto parent = supervise(options(), {worker("a", permanent, stubborn)});
  auto one = ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  auto other =
    ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  advance(4s);
  EXPECT_FALSE(one->ready());
  EXPECT_FALSE(other->ready());
  advance(1s);
  EXPECT_TRUE(one->value);
  EXPECT_TRUE(other->value);
}

TEST_F(supervisor_children, restarts_others_while_it_waits_for_one_to_stop) {
  auto parent =
    supervise(options(), {worker("a"), worker("b", permanent, stubborn)});
  ask<child_info>(parent, atom::terminate::value, std::string{"b"});
  run();
  end_child(parent, "a", "kill");
  EXPECT_EQ(states(parent), "a b(stopping)");
}

TEST_F(supervisor_children, takes_a_stop_of_what_is_not_up_for_done) {
  auto parent = one_of_each();
  EXPECT_EQ(terminate(parent, "down"), "ok");
  EXPECT_EQ(terminate(parent, "waiting"), "ok");
  EXPECT_EQ(terminate(parent, "nobody"), "not_found: nobody");
  EXPECT_EQ(states(parent), "up waiting(down) stopping(stopping) down(down)");
}

// -- restart and erase --------------------------------------------------------

TEST_F(supervisor_children, starts_a_stopped_child_again_where_it_was) {
  auto parent = supervise(options(), {worker("a"), worker("b")});
  terminate(parent, "a");
  EXPECT_EQ(restart(parent, "a"), "ok");
  EXPECT_EQ(states(parent), "a b");
}

TEST_F(supervisor_children, does_not_count_a_restart_that_was_asked_for) {
  auto parent = supervise(options(0), {worker("a")});
  terminate(parent, "a");
  EXPECT_EQ(restart(parent, "a"), "ok");
  EXPECT_EQ(end_of(parent), "alive");
}

TEST_F(supervisor_children, restarts_only_what_is_down) {
  auto parent = one_of_each();
  EXPECT_EQ(restart(parent, "up"), "running: up");
  EXPECT_EQ(restart(parent, "waiting"), "restarting: waiting");
  EXPECT_EQ(restart(parent, "stopping"), "running: stopping");
  EXPECT_EQ(restart(parent, "nobody"), "not_found: nobody");
  EXPECT_EQ(restart(parent, "down"), "ok");
}

TEST_F(supervisor_children, leaves_a_child_down_that_fails_to_start_again) {
  auto failing = std::make_shared<int>(0);
  auto parent = supervise(options(0), {flaky(worker("a"), failing)});
  terminate(parent, "a");
  *failing = 1;
  EXPECT_EQ(restart(parent, "a").find("start_failed: 'a': "), 0u);
  EXPECT_EQ(states(parent), "a(down)");
  EXPECT_EQ(end_of(parent), "alive");
  EXPECT_EQ(restart(parent, "a"), "ok");
}

TEST_F(supervisor_children, erases_only_what_is_down) {
  auto parent = one_of_each();
  EXPECT_EQ(erase(parent, "up"), "running: up");
  EXPECT_EQ(erase(parent, "waiting"), "restarting: waiting");
  EXPECT_EQ(erase(parent, "stopping"), "running: stopping");
  EXPECT_EQ(erase(parent, "nobody"), "not_found: nobody");
  EXPECT_EQ(erase(parent, "down"), "ok");
  EXPECT_EQ(states(parent), "up waiting(waiting) stopping(stopping)");
  EXPECT_EQ(start(parent, worker("down")), "ok");
}

// -- a supervisor that stops --------------------------------------------------

TEST_F(supervisor_children, refuses_requests_while_it_stops) {
  auto parent =
    supervise(options(), {worker("a", permanent, stubborn), worker("b")});
  terminate(parent, "b");
  shut_down(parent);
  EXPECT_EQ(start(parent, worker("c")), "shutting_down");
  EXPECT_EQ(terminate(parent, "a"), "shutting_down");
  EXPECT_EQ(restart(parent, "b"), "shutting_down");
  EXPECT_EQ(erase(parent, "b"), "shutting_down");
  EXPECT_EQ(states(parent), "a(stopping)");
  EXPECT_EQ(describe(parent).state, "stopping");
}

TEST_F(supervisor_children, answers_a_pending_stop_when_it_stops_itself) {
  auto parent = supervise(options(), {worker("a", permanent, stubborn),
                                      worker("b", permanent, stubborn)});
  auto stopped =
    ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  run();
  shut_down(parent);
  advance(5s);
  EXPECT_TRUE(stopped->value);
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_children, refuses_what_waited_for_a_group_when_it_stops) {
  auto opts = options();
  opts.strategy = restart_strategy::one_for_all;
  auto parent =
    supervise(opts, {worker("a"), worker("b", permanent, stubborn)});
  end_child(parent, "a", "kill");
  auto started = ask<caf::actor>(parent, atom::start::value, worker("c"));
  run();
  EXPECT_FALSE(started->ready());
  shut_down(parent);
  ASSERT_TRUE(started->ready());
  EXPECT_TRUE(is(started->error, errc::shutting_down));
}

// -- lists --------------------------------------------------------------------

TEST_F(supervisor_children, lists_what_it_knows_of_a_child) {
  auto parent = supervise(options(), {worker("a", transient)});
  end_child(parent, "a", "kill");
  auto x = info(parent, "a");
  EXPECT_EQ(x.id, "a");
  EXPECT_EQ(x.kind, child_kind::worker);
  EXPECT_EQ(x.restart, transient);
  EXPECT_EQ(x.state, child_state::up);
  EXPECT_EQ(x.handle, newest("a"));
  EXPECT_EQ(x.restarts, 1u);
  EXPECT_EQ(x.last_reason, "kill");
}

TEST_F(supervisor_children, counts_children) {
  auto parent = one_of_each();
  start(parent, supervisor_child("inner", options(), {}));
  auto x = request<child_counts>(parent, atom::count::value);
  ASSERT_TRUE(x);
  EXPECT_EQ(x->specs, 5u);
  EXPECT_EQ(x->active, 3u);
  EXPECT_EQ(x->supervisors, 1u);
  EXPECT_EQ(x->workers, 4u);
}

// -- describe -----------------------------------------------------------------

TEST_F(supervisor_children, describes_the_whole_tree) {
  auto router = worker("r");
  router.role = "router";
  auto parent = supervise(
    options(),
    {router, supervisor_child("inner", options(), {worker("x"), worker("y")}),
     worker("z")});
  EXPECT_EQ(outline(describe(parent)),
            "supervisor top up [router r up, "
            "supervisor inner up [worker x up, worker y up], worker z up]");
}

TEST_F(supervisor_children, describes_how_each_child_is) {
  EXPECT_EQ(outline(describe(one_of_each())),
            "supervisor top up [worker up up, worker waiting waiting, "
            "worker stopping stopping, worker down down]");
}

TEST_F(supervisor_children, describes_the_past_of_a_supervisor_below) {
  auto parent = supervise(
    options(), {supervisor_child("inner", options(0), {worker("x")})});
  kill_newest("x");
  auto inner = describe(parent).children.at(0);
  EXPECT_EQ(inner.restarts, 1u);
  EXPECT_EQ(inner.last_reason, "intensity_exceeded: 'x': kill");
  EXPECT_EQ(outline(inner), "supervisor inner up [worker x up]");
}

/// A keeper that never answers.
caf::behavior silent(caf::event_based_actor* self) {
  auto promises = std::make_shared<std::vector<caf::response_promise>>();
  return {[=](atom::describe) {
    promises->push_back(self->make_response_promise());
    return promises->back();
  }};
}

TEST_F(supervisor_children, lists_a_keeper_that_does_not_answer_in_time) {
  auto keeper = worker("mute", permanent, silent);
  keeper.kind = child_kind::supervisor;
  keeper.role = "pool";
  auto brief = options();
  brief.describe_timeout = 400ms;
  auto opts = options();
  opts.describe_timeout = 1s;
  auto parent = supervise(
    opts, {keeper, supervisor_child("inner", brief, {worker("x"), keeper})});
  auto tree = ask<tree_node>(parent, atom::describe::value);
  advance(1s - 1ns);
  EXPECT_FALSE(tree->ready());
  advance(1ns);
  ASSERT_TRUE(tree->value);
  EXPECT_EQ(outline(*tree->value),
            "supervisor top up [pool mute silent, "
            "supervisor inner up [worker x up, pool mute silent]]");
}

TEST_F(supervisor_children, lists_a_keeper_that_cannot_describe_itself) {
  auto keeper = worker("plain");
  keeper.kind = child_kind::supervisor;
  auto parent = supervise(options(), {keeper});
  EXPECT_EQ(outline(describe(parent)),
            "supervisor top up [supervisor plain up]");
}

TEST_F(supervisor_children, answers_who_waits_for_a_description_when_it_ends) {
  auto keeper = worker("mute", permanent, silent);
  keeper.kind = child_kind::supervisor;
  auto parent = supervise(options(), {keeper});
  auto tree = ask<tree_node>(parent, atom::describe::value);
  run();
  EXPECT_FALSE(tree->ready());
  shut_down(parent);
  EXPECT_TRUE(tree->ready());
}

// -- refusals -----------------------------------------------------------------

TEST_F(supervisor_children, is_not_spawned_with_wrong_options) {
  auto refused = [&](auto change) {
    auto opts = options();
    change(opts);
    auto result = supervisor(system(), opts);
    return !result && is(result.error(), errc::bad_spec);
  };
  EXPECT_FALSE(options().validate());
  EXPECT_TRUE(refused([](auto& x) { x.period = 0s; }));
  EXPECT_TRUE(refused([](auto& x) { x.backoff = {2s, 1s}; }));
  EXPECT_TRUE(refused([](auto& x) { x.backoff_reset = 0s; }));
  EXPECT_TRUE(refused([](auto& x) { x.kill_limit = 0s; }));
  EXPECT_TRUE(refused([](auto& x) { x.describe_timeout = 0s; }));
}

TEST_F(supervisor_children, is_not_spawned_with_wrong_specifications) {
  auto opts = options();
  opts.significance = auto_shutdown::any_significant;
  auto refusal = [&](auto change) {
    auto spec = worker("a", transient);
    change(spec);
    auto result = supervisor(system(), opts, {spec});
    if (!result)
      return render_reason(system(), result.error());
    caf::anon_send_exit(*result, caf::exit_reason::kill);
    return std::string{"ok"};
  };
  EXPECT_EQ(refusal([](auto& x) { x.significant = true; }), "ok");
  EXPECT_EQ(refusal([](auto& x) { x.id = ""; }),
            "bad_spec: a child needs an id");
  EXPECT_EQ(refusal([](auto& x) { x.start = nullptr; }),
            "bad_spec: child 'a' has no start function");
  EXPECT_EQ(refusal([](auto& x) { x.stop = stop_policy::infinity(); }),
            "bad_spec: child 'a' is a worker: it needs a limit to stop");
  EXPECT_EQ(refusal([](auto& x) { x.stop = stop_policy::within(0s); }),
            "bad_spec: child 'a' needs a positive limit to stop");
  EXPECT_EQ(refusal([](auto& x) {
              x.significant = true;
              x.restart = permanent;
            }),
            "bad_spec: child 'a' is permanent: it cannot be significant");
  opts.significance = auto_shutdown::never;
  EXPECT_EQ(refusal([](auto& x) { x.significant = true; }),
            "bad_spec: child 'a' is significant under a supervisor that never "
            "shuts down by itself");
}

TEST_F(supervisor_children, is_not_spawned_with_an_id_twice) {
  auto result = supervisor(system(), options(), {worker("a"), worker("a")});
  ASSERT_FALSE(result);
  EXPECT_EQ(render_reason(system(), result.error()),
            "bad_spec: two children have the id 'a'");
  EXPECT_EQ(take_log(), "");
}

TEST_F(supervisor_children, stops_by_default_as_otp_does) {
  EXPECT_EQ(worker("a").effective_stop().how, stop_policy::mode::limit);
  EXPECT_EQ(worker("a").effective_stop().limit, 5s);
  EXPECT_EQ(supervisor_child("a", options(), {}).effective_stop().how,
            stop_policy::mode::infinite);
}

// Every code has a name of its own, and is told apart from the others.
TEST(supervisor_errc_test, every_code_has_a_name) {
  std::set<std::string> names;
  for (uint8_t code = 1; code <= 9; ++code) {
    auto x = static_cast<supervisor_errc>(code);
    names.insert(to_string(x));
    EXPECT_TRUE(is(make_error(x), x));
    EXPECT_FALSE(is(make_error(x), static_cast<supervisor_errc>(code % 9 + 1)));
  }
  EXPECT_EQ(names.size(), 9u);
  EXPECT_EQ(names.count(""), 0u);
}

} // namespace
} // namespace troupe
