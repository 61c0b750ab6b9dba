// Begins what a dispatcher took. The dispatcher's actor has one; so has each thread
// of a gateway, which begins what it accepted itself, once it is durable: no other
// thread has to wake up for it.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>

#include "actors/core/route_table.hpp"
#include "actors/work/dispatcher.hpp"

namespace troupe {

class dispatcher::starter {
public:
  /// @param front outlives it
  /// @param home the thread that it is of, if that wants to be told by the store
  ///        what becomes of attempts
  starter(dispatcher& front, caf::actor_system& sys,
          std::shared_ptr<home_thread> home = nullptr);

  /// Begins what is to run next, up to a bound: the dispatcher's actor sees to the
  /// rest. Handlers that are short may run here.
  void begin_waiting(caf::execution_unit* here);

  void begin(claimed_work work, std::string claimed_by,
             caf::execution_unit* here);

  /// Ends what nobody can begin any more, and was claimed for that: it is told of
  /// as any failure is.
  void expire(std::vector<claimed_work> work, const std::string& claimed_by,
              caf::execution_unit* here);

private:
  caf::intrusive_ptr<attempt> make_attempt(claimed_work work,
                                           std::string claimed_by);

  expected<call_target_ptr> target_of(const work_target& to);

  /// Tells somebody outside.
  void send(claimed_work work, std::string claimed_by,
            caf::execution_unit* here);

  /// Says what it waited for.
  void finish_late(caf::intrusive_ptr<attempt> call);

  /// Its failure would be told to others.
  bool wants_arguments(const claimed_work& x) const;

  void refuse(claimed_work work, std::string claimed_by, const error& why,
              caf::execution_unit* here);

  dispatcher& front_;
  caf::actor_system& system_;
  route_view routes_;
  std::shared_ptr<home_thread> home_;

  /// Empty: memory for what the next turn begins.
  std::vector<std::pair<claimed_work, std::string>> next_;
};

} // namespace troupe
