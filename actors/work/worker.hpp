// The actor of a dispatcher: it begins what the dispatcher took, fetches what is
// due, and sees to what others have left behind. Every question to the store is
// asked once at a time, and its answer comes back as a message.

#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/event_based_actor.hpp>

#include "actors/core/route_table.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/starter.hpp"

namespace troupe {

class dispatcher::worker final : public caf::event_based_actor {
public:
  worker(caf::actor_config& cfg, dispatcher& front);

  const char* name() const override { return "dispatcher"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

private:
  using clock = std::chrono::steady_clock;

  /// A question that is asked now and then, and once at a time.
  struct chore {
    clock::time_point next{};
    bool asked = false;

    bool is_due(clock::time_point now) const noexcept {
      return !asked && now >= next;
    }
  };

  clock::time_point steady_now() const;

  void tick();
  void wake();
  void drain();

  /// Comes back at `due`, if nothing else makes it come before.
  void come_back(std::optional<work_time> due);

  // -- doing -----------------------------------------------------------------

  void report_again();

  // -- fetching --------------------------------------------------------------

  void look();
  void looked(const expected<std::vector<work_lane>>& found);
  bool is_here(const std::string& lane);
  void fetch();

  // -- what others have left behind ------------------------------------------

  void look_for_gone();
  void judge_claimants(const std::vector<std::string>& claimants);
  void give_back(const std::string& gone);
  void look_for_lost();
  void ask_for_claimed(std::optional<invocation_id> after);
  void take_claimed(const expected<std::vector<work_view>>& found);
  bool runs(const invocation_id& id) const;
  void let_go(const work_view& lost);
  void sweep();

  void forget(work_time now);
  void count();

  template <class T, class F>
  callback<T> come_home(F then);

  dispatcher& front_;
  route_view routes_;
  starter starter_;
  chore look_;
  chore claimants_;
  chore lost_;
  chore sweep_;
  chore count_;

  /// What the store had at the last look, for the next page of it.
  std::vector<work_lane> pages_;

  /// Who was there once: whoever is not any more is gone for ever.
  std::set<std::string> known_;

  /// Who claimed and was not there when the claimants were looked at last.
  std::set<std::string> strangers_;

  /// Claimed by this node, and not running, when that was looked at last.
  std::set<invocation_id> suspects_;
  std::set<invocation_id> suspects_now_;
  std::set<std::string> giving_back_;
  std::optional<work_time> alarm_;
};

} // namespace troupe
