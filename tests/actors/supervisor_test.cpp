// How a supervisor starts, restarts, waits, gives up and stops. Who is
// restarted for which reason is in supervisor_matrix_test.cpp, the messages for
// dynamic children in supervisor_children_test.cpp.

#include <random>

#include <caf/actor_companion.hpp>

#include "tests/support/supervised.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using enum restart_strategy;
using enum restart_type;

supervisor_options options(restart_strategy strategy, uint32_t intensity = 1) {
  supervisor_options result;
  result.strategy = strategy;
  result.intensity = intensity;
  result.seed = 1;
  return result;
}

class supervisor_test : public ::testing::Test, public supervision_fixture {
public:
  /// A child that does nothing with what it is sent, a kill included: it stands
  /// for an actor whose handler does not return. If it is started again, it is
  /// an ordinary worker.
  child_spec stuck(std::string id) {
    auto spec = worker(id);
    spec.start = [this, ordinary = spec.start](
                   caf::local_actor* parent) -> caf::expected<caf::actor> {
      if (std::exchange(was_stuck_, true))
        return ordinary(parent);
      stuck_ =
        caf::actor_cast<caf::actor>(parent->spawn<caf::actor_companion>());
      return stuck_;
    };
    return spec;
  }

  /// The handler of the stuck child returns, and the kill takes effect.
  void release_stuck() {
    auto ptr = caf::actor_cast<caf::abstract_actor*>(stuck_);
    dynamic_cast<caf::actor_companion&>(*ptr).cleanup(caf::exit_reason::kill,
                                                      nullptr);
    stuck_ = nullptr;
    run();
  }

private:
  caf::actor stuck_;
  bool was_stuck_ = false;
};

// -- start and stop -----------------------------------------------------------

TEST_F(supervisor_test, starts_in_order_and_stops_in_reverse) {
  auto parent =
    supervise(options(one_for_one), {worker("a"), worker("b"), worker("c")});
  EXPECT_EQ(take_log(), "+a +b +c");
  shut_down(parent);
  EXPECT_EQ(take_log(), "-c -b -a");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, exits_with_the_reason_it_was_told) {
  auto parent = supervise(options(one_for_one), {worker("a")});
  caf::anon_send_exit(parent, caf::exit_reason::out_of_workers);
  run();
  EXPECT_EQ(end_of(parent), "out_of_workers");
  EXPECT_EQ(take_log(), "+a -a");
}

TEST_F(supervisor_test, stops_a_child_only_after_the_one_after_it_has_ended) {
  auto parent = supervise(options(one_for_one),
                          {worker("a"), worker("b", permanent, stubborn)});
  take_log();
  shut_down(parent);
  advance(4999ms);
  EXPECT_EQ(take_log(), "");
  advance(1ms);
  EXPECT_EQ(take_log(), "-b -a");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, kills_a_child_that_does_not_stop_within_its_limit) {
  auto spec = worker("a", permanent, stubborn);
  spec.stop = stop_policy::within(300ms);
  auto parent = supervise(options(one_for_one), {spec});
  auto a = child(parent, "a");
  ended(a);
  shut_down(parent);
  advance(299ms);
  EXPECT_EQ(end_of(a), "alive");
  EXPECT_EQ(end_of(parent), "alive");
  advance(1ms);
  EXPECT_EQ(end_of(a), "kill");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, tells_a_child_to_shut_down_before_it_kills) {
  auto parent = supervise(options(one_for_one), {worker("a")});
  auto a = child(parent, "a");
  ended(a);
  shut_down(parent);
  EXPECT_EQ(end_of(a), "user_shutdown");
}

TEST_F(supervisor_test, kills_a_brutal_child_at_once) {
  auto spec = worker("a", permanent, stubborn);
  spec.stop = stop_policy::brutal_kill();
  auto parent = supervise(options(one_for_one), {spec});
  auto a = child(parent, "a");
  ended(a);
  shut_down(parent);
  EXPECT_EQ(end_of(a), "kill");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, waits_for_a_supervisor_without_limit) {
  auto slow = worker("leaf", permanent, stubborn);
  slow.stop = stop_policy::within(1h);
  auto parent =
    supervise(options(one_for_one),
              {supervisor_child("inner", options(one_for_one), {slow})});
  shut_down(parent);
  advance(1h - 1ms);
  EXPECT_EQ(end_of(parent), "alive");
  advance(1ms);
  EXPECT_EQ(end_of(parent), "user_shutdown");
  EXPECT_EQ(take_log(), "+leaf -leaf");
}

TEST_F(supervisor_test, serves_a_kill_before_what_waits_in_a_mailbox) {
  auto spec = worker("a");
  spec.stop = stop_policy::brutal_kill();
  auto parent = supervise(options(one_for_one), {spec});
  auto a = child(parent, "a");
  for (auto i = 0; i < 3; ++i)
    caf::anon_send(a, std::string{"ignored"});
  caf::anon_send_exit(parent, caf::exit_reason::user_shutdown);
  deliver(parent);
  deliver(a);
  EXPECT_EQ(end_of(a), "kill");
}

TEST_F(supervisor_test, does_not_restart_a_child_that_ends_while_it_stops) {
  auto parent = supervise(options(one_for_one),
                          {worker("a"), worker("b", permanent, stubborn)});
  take_log();
  shut_down(parent);
  kill_newest("a");
  advance(1min);
  EXPECT_EQ(take_log(), "-a -b");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test,
       does_not_prolong_the_limit_of_a_child_it_stops_already) {
  auto parent =
    supervise(options(one_for_one), {worker("a", permanent, stubborn)});
  ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  advance(3s);
  shut_down(parent);
  advance(2s);
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, goes_on_without_a_child_that_survives_its_kill) {
  auto events = std::make_shared<std::string>();
  auto opts = options(one_for_one);
  opts.kill_limit = 2s;
  opts.on_event = [=](const supervisor_event& x) {
    *events += std::string{to_string(x.what)} + " " + x.id + "; ";
  };
  auto parent = supervise(opts, {worker("a"), stuck("b")});
  shut_down(parent);
  advance(5s);
  EXPECT_EQ(end_of(parent), "alive");
  advance(2s);
  EXPECT_EQ(end_of(parent), "user_shutdown");
  EXPECT_EQ(*events, "started a; started b; stopping ; killed b; given_up b; "
                     "ended b; ended a; ");
  release_stuck();
}

TEST_F(supervisor_test, restarts_a_group_without_a_member_it_gave_up) {
  auto parent = supervise(options(one_for_all), {worker("a"), stuck("b")});
  end_child(parent, "a", "throw");
  EXPECT_EQ(states(parent), "a(down) b(stopping)");
  advance(10s);
  EXPECT_EQ(states(parent), "a b");
  release_stuck();
  EXPECT_EQ(end_of(parent), "alive");
  EXPECT_EQ(states(parent), "a b");
}

TEST_F(supervisor_test, ignores_a_normal_exit_message) {
  auto parent = supervise(options(one_for_one), {worker("a")});
  caf::anon_send_exit(parent, caf::exit_reason::normal);
  run();
  EXPECT_EQ(end_of(parent), "alive");
}

TEST_F(supervisor_test, is_not_stopped_by_an_exit_message_of_a_child) {
  auto spec = worker("a");
  spec.start = [](caf::local_actor* parent) -> caf::expected<caf::actor> {
    auto sup = caf::actor_cast<caf::strong_actor_ptr>(parent);
    return parent->spawn([sup](caf::event_based_actor* self) -> caf::behavior {
      return {[=](const std::string&) {
        self->send_exit(sup, caf::exit_reason::out_of_workers);
      }};
    });
  };
  auto parent = supervise(options(one_for_one), {spec});
  end_child(parent, "a", "exit");
  EXPECT_EQ(end_of(parent), "alive");
}

TEST_F(supervisor_test, kills_its_children_when_it_is_killed) {
  auto parent =
    supervise(options(one_for_one),
              {worker("a", permanent, stubborn),
               supervisor_child("inner", options(one_for_one),
                                {worker("b", permanent, stubborn)})});
  caf::anon_send_exit(parent, caf::exit_reason::kill);
  run();
  EXPECT_EQ(end_of(parent), "kill");
  EXPECT_EQ(take_log(), "+a +b -a -b");
}

TEST_F(supervisor_test, kills_its_children_when_nobody_holds_it) {
  {
    auto parent = supervise(options(one_for_one),
                            {worker("a"), worker("b", permanent, stubborn)});
    take_log();
    disown_all();
  }
  run();
  EXPECT_EQ(take_log(), "-a -b");
}

TEST_F(supervisor_test, forgets_what_was_running_when_it_was_killed_in_a_stop) {
  auto parent =
    supervise(options(one_for_one), {worker("a", permanent, stubborn)});
  auto stopped =
    ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  run();
  caf::anon_send_exit(parent, caf::exit_reason::kill);
  run();
  ASSERT_TRUE(stopped->ready());
  EXPECT_TRUE(is(stopped->error, errc::shutting_down));
  EXPECT_EQ(take_log(), "+a -a");
}

// -- groups -------------------------------------------------------------------

TEST_F(supervisor_test, one_for_one_starts_only_what_ended) {
  auto parent =
    supervise(options(one_for_one), {worker("a"), worker("b"), worker("c")});
  take_log();
  end_child(parent, "b", "throw");
  EXPECT_EQ(take_log(), "-b +b");
}

TEST_F(supervisor_test, one_for_all_stops_in_reverse_and_starts_in_order) {
  auto parent =
    supervise(options(one_for_all), {worker("a"), worker("b"), worker("c")});
  take_log();
  end_child(parent, "b", "throw");
  EXPECT_EQ(take_log(), "-b -c -a +a +b +c");
}

TEST_F(supervisor_test, rest_for_one_leaves_what_was_started_before) {
  auto parent = supervise(options(rest_for_one),
                          {worker("a"), worker("b"), worker("c"), worker("d")});
  take_log();
  end_child(parent, "b", "throw");
  EXPECT_EQ(take_log(), "-b -d -c +b +c +d");
}

TEST_F(supervisor_test, counts_the_restarts_of_every_member) {
  auto parent = supervise(options(rest_for_one, 3), {worker("a"), worker("b")});
  end_child(parent, "a", "throw");
  end_child(parent, "b", "throw");
  EXPECT_EQ(info(parent, "a").restarts, 1u);
  EXPECT_EQ(info(parent, "b").restarts, 2u);
}

TEST_F(supervisor_test, forgets_temporary_members_of_a_group) {
  auto parent = supervise(options(one_for_all),
                          {worker("a"), worker("b", temporary), worker("c")});
  take_log();
  end_child(parent, "a", "throw");
  EXPECT_EQ(take_log(), "-a -c -b +a +c");
  EXPECT_EQ(states(parent), "a c");
}

TEST_F(supervisor_test, starts_members_that_were_down_with_their_group) {
  auto parent = supervise(options(one_for_all),
                          {worker("a", transient), worker("b"), worker("c")});
  end_child(parent, "a", "normal");
  request<child_info>(parent, atom::terminate::value, std::string{"b"});
  EXPECT_EQ(states(parent), "a(down) b(down) c");
  end_child(parent, "c", "throw");
  EXPECT_EQ(states(parent), "a b c");
}

TEST_F(supervisor_test, does_not_count_a_member_that_ends_while_others_stop) {
  auto parent =
    supervise(options(one_for_all, 1),
              {worker("a"), worker("b"), worker("c", permanent, stubborn)});
  auto b = child(parent, "b");
  end_child(parent, "a", "throw");
  end_child(b, "throw");
  run();
  EXPECT_EQ(states(parent), "a(down) b(down) c(stopping)");
  advance(5s);
  EXPECT_EQ(states(parent), "a b c");
}

TEST_F(supervisor_test, widens_a_group_when_an_earlier_child_ends_meanwhile) {
  auto parent =
    supervise(options(rest_for_one, 2),
              {worker("a"), worker("b"), worker("c", permanent, stubborn)});
  auto a = child(parent, "a");
  take_log();
  end_child(parent, "b", "throw");
  end_child(a, "throw");
  advance(5s);
  EXPECT_EQ(take_log(), "-b -a -c +a +b +c");
}

TEST_F(supervisor_test, lets_requests_wait_while_a_group_stops) {
  auto parent = supervise(options(one_for_all),
                          {worker("a"), worker("b", permanent, stubborn)});
  end_child(parent, "a", "throw");
  take_log();
  auto started = ask<caf::actor>(parent, atom::start::value, worker("c"));
  auto stopped =
    ask<child_info>(parent, atom::terminate::value, std::string{"a"});
  run();
  EXPECT_FALSE(started->ready());
  EXPECT_FALSE(stopped->ready());
  advance(5s);
  EXPECT_TRUE(started->value);
  EXPECT_TRUE(stopped->value);
  EXPECT_EQ(take_log(), "-b +a +b +c -a");
  EXPECT_EQ(states(parent), "a(down) b c");
}

TEST_F(supervisor_test, lets_a_request_wait_until_a_stopped_group_is_started) {
  auto parent = supervise(options(one_for_all), {worker("a")});
  auto a = child(parent, "a");
  take_log();
  end_child(a, "kill");
  deliver(a);
  // behind the news of the end, ahead of the message that starts the group
  caf::anon_send(parent, atom::start::value, worker("b"));
  run();
  EXPECT_EQ(take_log(), "-a +a +b");
}

// -- intensity ----------------------------------------------------------------

TEST_F(supervisor_test, survives_as_many_restarts_as_its_intensity) {
  auto parent = supervise(options(one_for_one, 3), {worker("a")});
  for (auto i = 0; i < 3; ++i)
    end_child(parent, "a", "throw");
  EXPECT_EQ(end_of(parent), "alive");
  EXPECT_EQ(states(parent), "a");
}

TEST_F(supervisor_test, gives_up_past_its_intensity_and_stops_in_reverse) {
  auto parent =
    supervise(options(one_for_one, 2), {worker("a"), worker("b"), worker("c")});
  for (auto i = 0; i < 2; ++i)
    end_child(parent, "b", "error");
  take_log();
  end_child(parent, "b", "error");
  EXPECT_EQ(take_log(), "-b -c -a");
  EXPECT_EQ(end_of(parent).find("intensity_exceeded: 'b': "), 0u)
    << end_of(parent);
}

TEST_F(supervisor_test, of_intensity_zero_gives_up_at_the_first_crash) {
  auto parent = supervise(options(one_for_one, 0), {worker("a")});
  end_child(parent, "a", "kill");
  EXPECT_EQ(end_of(parent), "intensity_exceeded: 'a': kill");
}

TEST_F(supervisor_test, counts_restarts_of_all_children_together) {
  auto parent = supervise(options(one_for_one, 1), {worker("a"), worker("b")});
  end_child(parent, "a", "kill");
  end_child(parent, "b", "kill");
  EXPECT_EQ(end_of(parent), "intensity_exceeded: 'b': kill");
}

TEST_F(supervisor_test, counts_a_group_once) {
  auto parent =
    supervise(options(one_for_all, 1), {worker("a"), worker("b"), worker("c")});
  end_child(parent, "a", "kill");
  EXPECT_EQ(end_of(parent), "alive");
}

TEST_F(supervisor_test, forgets_restarts_that_are_older_than_its_period) {
  auto parent = supervise(options(one_for_one, 1), {worker("a")});
  for (auto i = 0; i < 10; ++i) {
    end_child(parent, "a", "kill");
    advance(5s + 1ns);
  }
  EXPECT_EQ(end_of(parent), "alive");
  end_child(parent, "a", "kill");
  advance(5s);
  end_child(parent, "a", "kill");
  EXPECT_EQ(end_of(parent), "intensity_exceeded: 'a': kill");
}

TEST_F(supervisor_test, does_not_count_ends_that_lead_to_no_restart) {
  auto parent = supervise(options(one_for_one, 0),
                          {worker("a", transient), worker("b", temporary)});
  end_child(parent, "a", "normal");
  end_child(parent, "b", "throw");
  EXPECT_EQ(end_of(parent), "alive");
}

// -- escalation ---------------------------------------------------------------

// The leaf dies at every chance. Each inner supervisor survives one restart and
// gives up at the second; so does the middle one, and so does the root: a start
// plus a restart on each of three levels is 2 * 2 * 2 lives of the leaf.
TEST_F(supervisor_test, escalates_through_two_levels) {
  auto inner =
    supervisor_child("inner", options(one_for_one, 1), {worker("leaf")});
  auto middle = supervisor_child("middle", options(one_for_one, 1),
                                 {worker("bystander"), inner});
  auto root = supervise(options(one_for_one, 1), {middle});
  auto lives = 0;
  while (end_of(root) == "alive" && lives < 100) {
    auto log = take_log();
    ASSERT_NE(log.find("+leaf"), std::string::npos) << "life " << lives;
    ++lives;
    kill_newest("leaf");
  }
  EXPECT_EQ(lives, 8);
  EXPECT_EQ(end_of(root).find("intensity_exceeded: 'middle': "
                              "intensity_exceeded: 'inner': "
                              "intensity_exceeded: 'leaf': kill"),
            0u)
    << end_of(root);
}

TEST_F(supervisor_test, restarts_a_transient_supervisor_that_gave_up) {
  auto inner =
    supervisor_child("inner", options(one_for_one, 0), {worker("leaf")});
  inner.restart = transient;
  auto root = supervise(options(one_for_one, 1), {inner});
  kill_newest("leaf");
  EXPECT_EQ(take_log(), "+leaf -leaf +leaf");
  EXPECT_EQ(info(root, "inner").restarts, 1u);
}

TEST_F(supervisor_test, leaves_a_transient_supervisor_that_was_told_to_stop) {
  auto inner =
    supervisor_child("inner", options(one_for_one), {worker("leaf")});
  inner.restart = transient;
  auto root = supervise(options(one_for_one), {inner});
  caf::anon_send_exit(child(root, "inner"), caf::exit_reason::user_shutdown);
  run();
  EXPECT_EQ(states(root), "inner(down)");
  EXPECT_EQ(take_log(), "+leaf -leaf");
}

TEST_F(supervisor_test, stops_a_tree_from_its_leaves) {
  auto root = supervise(options(one_for_one),
                        {worker("a"),
                         supervisor_child("inner", options(one_for_one),
                                          {worker("b"), worker("c")}),
                         worker("d")});
  EXPECT_EQ(take_log(), "+a +d +b +c");
  shut_down(root);
  EXPECT_EQ(take_log(), "-d -c -b -a");
}

// -- backoff ------------------------------------------------------------------

supervisor_options with_backoff(restart_strategy strategy, uint64_t seed = 1) {
  auto result = options(strategy, 100);
  result.backoff = {1s, 8s};
  result.seed = seed;
  return result;
}

class supervisor_backoff : public supervisor_test,
                           public ::testing::WithParamInterface<unsigned> {};

TEST_P(supervisor_backoff, waits_with_full_jitter_below_a_doubling_ceiling) {
  auto delays = std::make_shared<std::vector<std::chrono::nanoseconds>>();
  auto opts = with_backoff(one_for_one, GetParam());
  opts.on_event = [=](const supervisor_event& x) {
    if (x.what == supervisor_event::kind::restart_due)
      delays->push_back(x.delay);
  };
  auto parent = supervise(opts, {worker("a")});
  for (auto ceiling : {1s, 2s, 4s, 8s, 8s}) {
    end_child(parent, "a", "kill");
    ASSERT_LE(delays->back(), ceiling);
    if (delays->back() > 0ns) {
      EXPECT_EQ(states(parent), "a(waiting)");
      advance(delays->back() - 1ns);
      EXPECT_EQ(states(parent), "a(waiting)");
      advance(1ns);
    }
    EXPECT_EQ(states(parent), "a");
  }
  EXPECT_EQ(delays->size(), 5u);
}

TEST_P(supervisor_backoff, keeps_the_order_when_a_group_widens_during_a_wait) {
  auto parent = supervise(with_backoff(rest_for_one, GetParam()),
                          {worker("a"), worker("b"), worker("c")});
  take_log();
  end_child(parent, "c", "kill");
  end_child(parent, "a", "kill");
  advance(1min);
  EXPECT_EQ(take_log(), "-c -a -b +a +b +c");
}

INSTANTIATE_TEST_SUITE_P(seeds, supervisor_backoff, ::testing::Range(1u, 11u));

TEST_F(supervisor_test, waits_longer_after_many_restarts_in_a_row) {
  auto total = std::make_shared<std::chrono::nanoseconds>(0);
  auto opts = with_backoff(one_for_one);
  opts.on_event = [=](const supervisor_event& x) { *total += x.delay; };
  auto parent = supervise(opts, {worker("a")});
  for (auto i = 0; i < 50; ++i) {
    kill_newest("a");
    advance(8s);
  }
  // evenly from 0 to 8 s, but for the first three: 4 s on average
  EXPECT_GT(*total / 50, 3s);
  EXPECT_LT(*total / 50, 5s);
}

TEST_F(supervisor_test, without_backoff_restarts_without_time_passing) {
  auto parent = supervise(options(one_for_one), {worker("a")});
  end_child(parent, "a", "kill");
  EXPECT_EQ(states(parent), "a");
  EXPECT_FALSE(has_timer());
}

TEST_F(supervisor_test, starts_from_the_first_delay_after_a_healthy_time) {
  auto longest = std::make_shared<std::chrono::nanoseconds>(0);
  auto opts = with_backoff(one_for_one);
  opts.backoff_reset = 30s;
  opts.on_event = [=](const supervisor_event& x) {
    *longest = std::max(*longest, x.delay);
  };
  auto parent = supervise(opts, {worker("a")});
  for (auto i = 0; i < 40; ++i) {
    end_child(parent, "a", "kill");
    advance(1s + 30s);
  }
  EXPECT_GT(*longest, 0s);
  EXPECT_LE(*longest, 1s);
}

TEST_F(supervisor_test, stops_a_group_at_once_and_starts_it_after_the_delay) {
  auto parent = supervise(with_backoff(one_for_all),
                          {worker("a"), worker("b"), worker("c")});
  take_log();
  end_child(parent, "b", "kill");
  EXPECT_EQ(take_log(), "-b -c -a");
  EXPECT_EQ(states(parent), "a(waiting) b(waiting) c(waiting)");
  advance(1s);
  EXPECT_EQ(take_log(), "+a +b +c");
}

TEST_F(supervisor_test, stops_what_was_started_during_the_wait_of_its_group) {
  auto parent = supervise(with_backoff(one_for_all), {worker("a")});
  end_child(parent, "a", "kill");
  request<caf::actor>(parent, atom::start::value, worker("b"));
  take_log();
  advance(1s);
  EXPECT_EQ(take_log(), "-b +a +b");
}

TEST_F(supervisor_test, calls_off_a_restart_when_told_to_stop_the_child) {
  auto parent = supervise(with_backoff(one_for_one), {worker("a")});
  end_child(parent, "a", "kill");
  request<child_info>(parent, atom::terminate::value, std::string{"a"});
  advance(1min);
  EXPECT_EQ(states(parent), "a(down)");
  EXPECT_EQ(take_log(), "+a -a");
}

TEST_F(supervisor_test,
       starts_the_rest_of_a_group_whose_trigger_was_called_off) {
  auto parent = supervise(with_backoff(rest_for_one),
                          {worker("a"), worker("b"), worker("c")});
  end_child(parent, "a", "kill");
  request<child_info>(parent, atom::terminate::value, std::string{"a"});
  EXPECT_EQ(states(parent), "a(down) b(waiting) c(waiting)");
  advance(1s);
  EXPECT_EQ(states(parent), "a(down) b c");
}

TEST_F(supervisor_test, stops_at_once_while_children_wait) {
  auto parent =
    supervise(with_backoff(one_for_all), {worker("a"), worker("b")});
  end_child(parent, "a", "kill");
  shut_down(parent);
  EXPECT_EQ(end_of(parent), "user_shutdown");
  advance(1min);
  EXPECT_EQ(take_log(), "+a +b -a -b");
}

// -- failed starts ------------------------------------------------------------

TEST_F(supervisor_test, stops_what_it_started_when_a_first_start_fails) {
  auto failing = std::make_shared<int>(1);
  auto parent =
    supervise(options(one_for_one), {worker("a"), worker("b"),
                                     flaky(worker("c"), failing), worker("d")});
  EXPECT_EQ(take_log(), "+a +b !c -b -a");
  EXPECT_EQ(end_of(parent).find("start_failed: 'c': "), 0u) << end_of(parent);
}

TEST_F(supervisor_test, takes_an_exception_of_a_start_function_for_a_failure) {
  auto spec = worker("a");
  spec.start = [](caf::local_actor*) -> caf::expected<caf::actor> {
    throw std::runtime_error{"no such file"};
  };
  auto parent = supervise(options(one_for_one), {spec});
  EXPECT_EQ(end_of(parent), "start_failed: 'a': start_failed: no such file");
}

TEST_F(supervisor_test, takes_an_empty_handle_for_nothing_to_run) {
  auto idle = worker("b");
  idle.start = [](caf::local_actor*) -> caf::expected<caf::actor> {
    return caf::actor{};
  };
  auto never = idle;
  never.id = "c";
  never.restart = temporary;
  auto parent = supervise(options(one_for_one), {worker("a"), idle, never});
  EXPECT_EQ(states(parent), "a b(down)");
}

TEST_F(supervisor_test, tries_a_failed_restart_again_and_counts_it) {
  auto failing = std::make_shared<int>(0);
  auto parent =
    supervise(options(one_for_one, 3), {flaky(worker("a"), failing)});
  *failing = 2;
  end_child(parent, "a", "kill");
  EXPECT_EQ(take_log(), "+a -a !a !a +a");
  EXPECT_EQ(info(parent, "a").restarts, 1u);
  end_child(parent, "a", "kill");
  EXPECT_EQ(end_of(parent), "intensity_exceeded: 'a': kill");
}

TEST_F(supervisor_test, gives_up_when_a_restart_fails_too_often) {
  auto failing = std::make_shared<int>(0);
  auto parent =
    supervise(options(one_for_one, 3), {flaky(worker("a"), failing)});
  *failing = 100;
  end_child(parent, "a", "kill");
  EXPECT_EQ(take_log(), "+a -a !a !a !a");
  EXPECT_EQ(end_of(parent).find("intensity_exceeded: 'a': "), 0u);
}

TEST_F(supervisor_test, serves_a_shutdown_between_two_tries) {
  auto failing = std::make_shared<int>(0);
  auto parent =
    supervise(options(one_for_one, 1000), {flaky(worker("a"), failing)});
  *failing = 1000;
  end_child(child(parent, "a"), "kill");
  caf::anon_send_exit(parent, caf::exit_reason::user_shutdown);
  run();
  EXPECT_EQ(end_of(parent), "user_shutdown");
  EXPECT_GT(*failing, 990);
}

TEST_F(supervisor_test, one_for_all_starts_again_from_the_first) {
  auto failing = std::make_shared<int>(0);
  auto parent =
    supervise(options(one_for_all, 5),
              {worker("a"), flaky(worker("b"), failing), worker("c")});
  take_log();
  *failing = 1;
  end_child(parent, "c", "kill");
  EXPECT_EQ(take_log(), "-c -b -a +a !b -a +a +b +c");
}

TEST_F(supervisor_test, rest_for_one_goes_on_from_the_one_that_failed) {
  auto failing = std::make_shared<int>(0);
  auto parent =
    supervise(options(rest_for_one, 5),
              {worker("a"), flaky(worker("b"), failing), worker("c")});
  take_log();
  *failing = 2;
  end_child(parent, "a", "kill");
  EXPECT_EQ(take_log(), "-a -c -b +a !b !b +b +c");
}

TEST_F(supervisor_test, counts_a_crash_in_the_first_behavior_as_a_crash) {
  auto parent = supervise(
    options(one_for_one, 2),
    {worker("a", permanent, [](caf::event_based_actor*) -> caf::behavior {
      throw std::runtime_error{"cannot start"};
    })});
  EXPECT_EQ(take_log(), "+a -a +a -a +a -a");
  EXPECT_EQ(end_of(parent).find("intensity_exceeded: 'a': "), 0u);
}

// -- significant children -----------------------------------------------------

child_spec significant(child_spec spec) {
  spec.significant = true;
  return spec;
}

TEST_F(supervisor_test, shuts_down_with_any_significant_child) {
  auto opts = options(one_for_one);
  opts.significance = auto_shutdown::any_significant;
  auto parent =
    supervise(opts, {worker("a"), significant(worker("b", transient)),
                     significant(worker("c", transient))});
  take_log();
  end_child(parent, "b", "throw");
  EXPECT_EQ(end_of(parent), "alive") << "a restart is no end";
  end_child(parent, "b", "normal");
  EXPECT_EQ(end_of(parent), "user_shutdown");
  EXPECT_EQ(take_log(), "-b +b -b -c -a");
}

TEST_F(supervisor_test, shuts_down_with_the_last_significant_child) {
  auto opts = options(one_for_one);
  opts.significance = auto_shutdown::all_significant;
  auto parent = supervise(opts, {worker("a", transient),
                                 significant(worker("b", temporary)),
                                 significant(worker("c", transient))});
  end_child(parent, "a", "normal");
  end_child(parent, "b", "throw");
  EXPECT_EQ(end_of(parent), "alive");
  end_child(parent, "c", "shutdown");
  EXPECT_EQ(end_of(parent), "user_shutdown");
}

TEST_F(supervisor_test, does_not_shut_down_when_it_stopped_the_child_itself) {
  auto opts = options(one_for_one);
  opts.significance = auto_shutdown::any_significant;
  auto parent = supervise(opts, {significant(worker("a", transient))});
  request<child_info>(parent, atom::terminate::value, std::string{"a"});
  EXPECT_EQ(end_of(parent), "alive");
}

} // namespace
} // namespace troupe
