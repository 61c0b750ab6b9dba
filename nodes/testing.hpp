// A module under test: the actors that a node would run, in virtual time, on the
// thread of the test, without sockets and files.
//
//   TEST(shop, counts_visits) {
//     troupe::testing::bench t{shop()};
//     EXPECT_EQ(t.call<int>("visit", 4), 4);
//     t.refuse_next_commit();
//     EXPECT_EQ(t.call<int>("visit", 4).error(), troupe::errc::not_owner);
//   }
//
// Nothing happens between two calls of the bench, and a call that waits (for a
// sleep, a time-out) takes no real time.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "actors/core/lender.hpp"
#include "actors/core/lock_grant.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/call_options.hpp"
#include "nodes/stored_entities.hpp"
#include "nodes/testing_caller.hpp"

namespace troupe {

class assembly;

std::ostream& operator<<(std::ostream& out, const error& x);

std::ostream& operator<<(std::ostream& out, errc x);

template <class T>
std::ostream& operator<<(std::ostream& out, const expected<T>& x) {
  if (!x)
    return out << x.error();
  if constexpr (std::is_void_v<T>)
    return out << "done";
  else
    return out << dump_json(detail::to_json_value(*x));
}

} // namespace troupe

namespace troupe::testing {

/// Runs one module.
class bench final : public caller {
public:
  /// @throws error_exception if the module cannot be installed
  explicit bench(const module& content);

  bench(const bench&) = delete;

  ~bench() override;

  // -- stored entities -------------------------------------------------------

  /// As `runtime::keys`.
  expected<entity_page> keys(const std::string& service, key_query query = {});

  /// As `runtime::state`.
  expected<stored_state> state(const std::string& service,
                               const std::string& key);

  /// As `runtime::replace`: what an older build has left, say.
  expected<void> replace(const std::string& service, const std::string& key,
                         const stored_state& state,
                         const call_options& options = {});

  /// As `runtime::erase`.
  expected<void> erase(const std::string& service, const std::string& key,
                       const call_options& options = {});

  // -- locks -----------------------------------------------------------------

  /// As `runtime::lock`, in virtual time; nothing releases it by itself:
  /// `t.call_entity({.locks = {*t.lock("door")}}, &counter::increment, "k", 2)`.
  expected<lock_proof> lock(std::string name, const lock_options& options = {});

  /// `lock_held` if it was lost.
  expected<void> release(const lock_proof& held);

  // -- time ------------------------------------------------------------------

  /// Lets virtual time pass.
  void advance(std::chrono::nanoseconds time);

  std::chrono::steady_clock::time_point now() const;

  /// What the wall clock shows: it begins with the year 2026, in UTC. What is
  /// sent and what reminds goes by it.
  work_time wall_time() const;

  // -- faults ----------------------------------------------------------------

  /// The next commit finds that another node has changed the entity.
  void refuse_next_commit();

  /// The next commit fails: the store does not answer.
  void fail_next_commit();

  /// Nobody learns what became of the next commit; it did happen.
  void lose_next_outcome();

  // -- what is under it ------------------------------------------------------

  caf::actor_system& system();

private:
  class faulty_store;

  expected<void> run(const invocation_ptr& call,
                     std::string_view name) override;

  expected<void> drive(const invocation_ptr& call, call_target& target);

  /// Lets messages and time go on until `is_done`; an error if nothing is left
  /// that could happen.
  expected<void> go_on_until(const std::function<bool()>& is_done);

  expected<void> change(entity_call to, std::string body,
                        const call_options& options);

  const service_definition* find_class(const std::type_info& type) override;

  faulty_store* store_ = nullptr; // owned by the assembly
  std::unique_ptr<assembly> assembly_;
  std::unique_ptr<call_port> port_;
};

} // namespace troupe::testing
