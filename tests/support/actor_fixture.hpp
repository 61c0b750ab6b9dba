// Actors under test run in virtual time, on the thread of the test: nothing
// happens between two statements of a test, time moves only when the test says
// so, and a test that passes once passes always. Every test of an actor uses
// this fixture.
//
//   class counter_test : public ::testing::Test, public actor_fixture {};
//
//   TEST_F(counter_test, counts) {
//     auto counter = own(system().spawn(make_counter));
//     EXPECT_EQ(request<int>(counter, atom::add::value, 2), 2);
//     advance(5s);                        // timers fire in their order
//     EXPECT_FALSE(ended(counter));
//   }
//
// Three ways to drive, from coarse to fine:
//
//   run()         delivers messages until nobody has one; time stands still
//   advance(d)    moves the clock from timer to timer, with a run() after each
//   expect<Ts...> a transcript: the next message of an actor has these types;
//                 delivers it alone, and hands back what it held
//
// At the end of a test the fixture kills what it owns, runs until all is quiet,
// and fails the test if an actor is left alive: an orphan is a bug.
//
// Detached and blocking actors have threads of their own; they do not run here.

#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/expected.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

namespace troupe {

/// The answer to a request, once there is one.
template <class T>
struct answer {
  std::optional<T> value;
  caf::error error;

  [[nodiscard]] bool ready() const { return value || error; }
};

class actor_fixture {
public:
  using clock = std::chrono::steady_clock;

  /// A run that delivers so many messages is taken for one that never ends.
  static constexpr size_t steps_max = 1'000'000;

  /// @param configure may set options and add message types before the actor
  ///        system starts.
  explicit actor_fixture(
    const std::function<void(caf::actor_system_config&)>& configure = {})
    : system_{prepare(config_, configure)},
      scheduler_{
        dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())} {
    // a clock at zero hides what forgets to set a time point
    scheduler_.clock().current_time += std::chrono::hours{1};
  }

  actor_fixture(const actor_fixture&) = delete;

  actor_fixture& operator=(const actor_fixture&) = delete;

  virtual ~actor_fixture() {
    stop_all();
    system_.await_actors_before_shutdown(false);
  }

  // -- properties -------------------------------------------------------------

  caf::actor_system& system() { return system_; }

  /// The virtual time.
  clock::time_point now() const { return scheduler_.clock().now(); }

  /// Whether a timer is set.
  bool has_timer() const { return scheduler_.clock().has_pending_timeout(); }

  // -- ownership --------------------------------------------------------------

  /// Keeps an actor alive until the end of the test, and kills it then.
  template <class Handle>
  Handle own(Handle x) {
    owned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(x));
    return x;
  }

  /// Lets go of all that was owned, as a program does that drops its handles.
  void disown_all() { owned_.clear(); }

  /// Kills what is owned, drops all timers, and runs until all is quiet; the
  /// test fails if somebody is still alive then. The end of every test.
  void stop_all() {
    for (auto& x : owned_)
      caf::anon_send_exit(x, caf::exit_reason::kill);
    owned_.clear();
    run();
    scheduler_.clock().cancel_all();
    run();
    EXPECT_EQ(system_.registry().running(), 0u)
      << "actors are alive after their owners were killed";
  }

  /// Why an actor ended; none while it lives. Learns of ends since the first
  /// call for that actor, or later; so call it early if the actor is not owned.
  template <class Handle>
  std::optional<caf::error> ended(const Handle& x) {
    auto& slot = ends_[caf::actor_cast<caf::actor_addr>(x)];
    if (!slot) {
      slot = std::make_shared<std::optional<caf::error>>();
      caf::actor_cast<caf::abstract_actor*>(x)->attach_functor(
        [slot = slot](const caf::error& reason) { slot->emplace(reason); });
    }
    return *slot;
  }

  // -- time and messages ------------------------------------------------------

  /// Delivers messages, one at a time, until nobody has one.
  /// @returns how many steps that took.
  size_t run() {
    size_t result = 0;
    while (scheduler_.try_run_once())
      if (++result == steps_max)
        throw std::runtime_error{"the actors never come to rest"};
    return result;
  }

  /// Delivers what waits, then moves the clock by `d`: to one timer after the
  /// other, delivering what each sets off before the next.
  void advance(clock::duration d) {
    run();
    auto& time = scheduler_.clock();
    auto end = time.current_time + d;
    while (auto due = next_timer()) {
      if (*due > end)
        break;
      time.advance_time(
        std::max(*due - time.current_time, clock::duration::zero()));
      run();
    }
    time.advance_time(end - time.current_time);
    run();
  }

  // -- requests ---------------------------------------------------------------

  /// Sends a request; the answer comes with `run` or `advance`. The request has
  /// no time-out: an answer that is never ready is one that was forgotten.
  template <class T, class Handle, class... Args>
  std::shared_ptr<answer<T>> ask(const Handle& to, Args... args) {
    auto result = std::make_shared<answer<T>>();
    system_.spawn<caf::hidden>([=](caf::event_based_actor* self) {
      self->request(to, caf::infinite, args...)
        .then([result](const T& x) { result->value = x; },
              [result](caf::error& x) { result->error = std::move(x); });
    });
    return result;
  }

  /// Sends a request, runs, and hands back the answer;
  /// `sec::request_timeout` if none came without time moving.
  template <class T, class Handle, class... Args>
  caf::expected<T> request(const Handle& to, Args... args) {
    auto result = ask<T>(to, std::move(args)...);
    run();
    if (result->value)
      return std::move(*result->value);
    if (result->error)
      return result->error;
    return caf::sec::request_timeout;
  }

  // -- transcripts ------------------------------------------------------------

  /// Whether the next message of `to` has exactly these types.
  template <class... Ts, class Handle>
  bool next_is(const Handle& to) {
    auto x = peek(to);
    return x != nullptr && x->content().template match_elements<Ts...>();
  }

  /// The next message of `to` has exactly these types. Delivers it, and hands
  /// back what it held; otherwise the test fails here.
  template <class... Ts, class Handle>
  std::tuple<Ts...> expect(const Handle& to) {
    if (!next_is<Ts...>(to))
      throw std::runtime_error{"unexpected next message: " + next_text(to)};
    auto result =
      unpack<Ts...>(peek(to)->content(), std::index_sequence_for<Ts...>{});
    deliver(to);
    return result;
  }

  /// As above, and the message comes from `from`.
  template <class... Ts, class From, class Handle>
  std::tuple<Ts...> expect_from(const From& from, const Handle& to) {
    auto x = peek(to);
    auto sender = caf::actor_cast<caf::strong_actor_ptr>(from);
    if (x != nullptr && x->sender != sender)
      throw std::runtime_error{"unexpected sender of " + next_text(to)};
    return expect<Ts...>(to);
  }

  /// The next message of `to` has other types, or there is none.
  template <class... Ts, class Handle>
  void disallow(const Handle& to) {
    EXPECT_FALSE(next_is<Ts...>(to)) << next_text(to);
  }

  /// Nobody sent `to` anything.
  template <class Handle>
  void expect_nothing(const Handle& to) {
    EXPECT_EQ(peek(to), nullptr) << next_text(to);
  }

  /// Delivers the next message of `to`, whatever it is. Also what starts an
  /// actor that was just spawned.
  template <class Handle>
  void deliver(const Handle& to) {
    if (!scheduler_.prioritize(to))
      throw std::runtime_error{"this actor has nothing to do"};
    scheduler_.run_once();
  }

private:
  static caf::actor_system_config&
  prepare(caf::actor_system_config& config,
          const std::function<void(caf::actor_system_config&)>& configure) {
    config.set("scheduler.policy", caf::atom("testing"));
    config.set("logger.file-verbosity", caf::atom("quiet"));
    config.set("logger.console", caf::atom("none"));
    if (configure)
      configure(config);
    return config;
  }

  std::optional<clock::time_point> next_timer() const {
    auto& schedule = scheduler_.clock().schedule();
    if (schedule.empty())
      return std::nullopt;
    return schedule.begin()->first;
  }

  template <class Handle>
  caf::scheduled_actor& deref(const Handle& x) {
    return dynamic_cast<caf::scheduled_actor&>(
      *caf::actor_cast<caf::abstract_actor*>(x));
  }

  template <class Handle>
  caf::mailbox_element* peek(const Handle& x) {
    return deref(x).peek_at_next_mailbox_element();
  }

  template <class Handle>
  std::string next_text(const Handle& x) {
    auto next = peek(x);
    return next != nullptr ? to_string(next->content()) : "none";
  }

  template <class... Ts, size_t... Is>
  static std::tuple<Ts...> unpack(const caf::type_erased_tuple& x,
                                  std::index_sequence<Is...>) {
    return {x.get_as<Ts>(Is)...};
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
  std::vector<caf::strong_actor_ptr> owned_;
  std::map<caf::actor_addr, std::shared_ptr<std::optional<caf::error>>> ends_;
};

} // namespace troupe
