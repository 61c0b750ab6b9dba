// What a supervisor knows and does: the private half of supervisor.hpp. Every
// step is a short member function that leaves the table consistent, for the
// actor waits for messages (DOWN, timers) between steps instead of blocking.

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/model/backoff.hpp"
#include "actors/model/restart_window.hpp"
#include "actors/supervision/child_table.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {

/// A description that waits for the answers of some children.
struct gathering;

class supervisor_state {
public:
  using handle_promise = caf::typed_response_promise<caf::actor>;
  using info_promise = caf::typed_response_promise<child_info>;

  static inline const char* name = "troupe.supervisor";

  explicit supervisor_state(supervisor_actor::pointer self);

  supervisor_state(const supervisor_state&) = delete;

  supervisor_state& operator=(const supervisor_state&) = delete;

  /// Kills what is still alive: the supervisor was killed itself.
  ~supervisor_state();

  void init(supervisor_options options, std::vector<child_spec> children);

  // -- requests ---------------------------------------------------------------

  void start_child(child_spec spec, handle_promise promise);

  void terminate_child(const std::string& id, info_promise promise);

  void restart_child(const std::string& id, handle_promise promise);

  void erase_child(const std::string& id, info_promise promise);

  std::vector<child_info> list_children();

  child_counts count_children();

  void describe(caf::typed_response_promise<tree_node> promise);

  // -- events -----------------------------------------------------------------

  void on_down(const caf::down_msg& msg);

  void on_exit(const caf::exit_msg& msg);

  void on_retry(uint64_t timer);

  void on_late(uint64_t timer);

private:
  /// The group that is being stopped now.
  struct group_restart {
    /// Whose crash it was.
    std::string trigger;
    /// To wait for after all have stopped; none if that is over.
    std::optional<std::chrono::nanoseconds> delay;
  };

  // -- start ------------------------------------------------------------------

  /// Calls the start function. Leaves the child up, or down without error if
  /// there is nothing to run.
  caf::error start(child& x);

  caf::expected<caf::actor> call_start(child& x);

  caf::expected<caf::actor> add_child(child_spec spec);

  caf::expected<caf::actor> start_again(const std::string& id);

  caf::expected<child_info> forget_child(const std::string& id);

  caf::expected<child*> find_down(const std::string& id);

  // -- the end of a child -----------------------------------------------------

  void child_ended(child& x, const caf::error& reason);

  /// It was stopped: answers those who wait for it.
  void child_stopped(child& x);

  /// It ended by itself.
  void child_gone(child& x, bool normal);

  /// It ended by itself and will not be restarted.
  void child_finished(child& x);

  /// Whether the end of `x` is the end of the supervisor.
  [[nodiscard]] bool ends_supervisor(const child& x);

  // -- restart ----------------------------------------------------------------

  /// Counts a restart and gets it under way, or gives up.
  void request_restart(child& x);

  std::chrono::nanoseconds next_delay(child& x);

  /// Sends the message that ends the wait of `x`.
  void wait(child& x, std::chrono::nanoseconds delay);

  void begin_group(child& trigger,
                   std::optional<std::chrono::nanoseconds> delay);

  /// Stops the next member, or goes on when all have stopped.
  void step_group();

  child* last_living_member();

  void drop_temporary_members();

  void wait_group(child& trigger, std::chrono::nanoseconds delay);

  void start_group();

  /// Starts one that was up before; a failure is another restart.
  void revive(child& x);

  /// Whether a request has to wait, for a group is being restarted.
  bool defer(std::function<void()> request);

  void run_deferred();

  // -- stop -------------------------------------------------------------------

  void stop(child& x);

  void kill(child& x);

  void give_up(child& x);

  /// Calls off the wait of `x`; in a group another one has to wait instead.
  void call_off(child& x);

  void shut_down(caf::error reason);

  void step_shutdown();

  // -- helpers ----------------------------------------------------------------

  void arm_late(child& x, std::chrono::nanoseconds delay);

  void report(supervisor_event::kind what, const std::string& id,
              std::string reason = {}, std::chrono::nanoseconds delay = {});

  std::string render(const caf::error& reason) const;

  child* find_timer(uint64_t timer);

  tree_node describe_child(const child& x) const;

  void ask(std::shared_ptr<gathering> all, size_t i, const caf::actor& keeper);

  supervisor_actor::pointer self_;
  supervisor_options options_;
  child_table children_;
  std::optional<restart_window> window_;
  std::optional<backoff> backoff_;
  std::mt19937_64 random_;
  uint64_t timers_ = 0;
  std::optional<group_restart> group_;
  /// A group has stopped and is started by the next message.
  bool group_due_ = false;
  /// Requests that came while a group was being restarted.
  std::deque<std::function<void()>> deferred_;
  /// Children that were given up and have not ended yet.
  std::map<caf::actor_addr, std::string> given_up_;
  /// Set once the supervisor stops.
  std::optional<caf::error> exit_reason_;
};

} // namespace troupe
