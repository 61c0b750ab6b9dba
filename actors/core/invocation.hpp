// One call on its way. It is made by a caller, carried to whatever runs it, and
// comes back to the caller's port exactly once: with a result, with an error, or
// because the caller gave it up. Who runs it and who waits for it may be on
// different threads, so the phase is atomic and decides who may still speak.

#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <vector>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/make_counted.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/errors.hpp"
#include "actors/core/lock_proof.hpp"
#include "actors/core/payload.hpp"
#include "actors/model/deadline_wheel.hpp"

namespace troupe {

class call_target;
class invocation;

using invocation_ptr = caf::intrusive_ptr<invocation>;

using time_point = std::chrono::steady_clock::time_point;

/// 128 bits that are the same for no two invocations.
struct invocation_id {
  uint64_t high = 0;
  uint64_t low = 0;

  friend bool operator==(const invocation_id&, const invocation_id&) = default;

  friend auto operator<=>(const invocation_id&, const invocation_id&) = default;
};

/// 32 hexadecimal digits.
std::string to_string(const invocation_id& id);

/// The same, appended to `text`.
void append(std::string& text, const invocation_id& id);

/// What an entity is asked to do.
enum class entity_operation : uint8_t {
  /// Run a method.
  call,
  /// Take the arguments, JSON, for its state.
  replace,
  /// Be gone: its state, not its revision.
  erase,
};

/// Where a call goes that is for an entity rather than for a function.
struct entity_call {
  std::string service;
  std::string key;

  /// Empty unless a method is to run.
  std::string method{};

  /// The revisions of `If-Match`, `*` for any that exists; empty: no condition.
  std::string if_match{};

  /// Repeats with the same key get the answer of the first; empty: each call is
  /// a new one.
  std::string idempotency_key{};

  entity_operation operation = entity_operation::call;

  /// The schema of the state that replaces; 0: the newest.
  uint32_t schema = 0;

  /// The call has its effect only if its caller holds these; see
  /// `checked_lock_proofs`.
  std::vector<lock_proof> locks{};
};

/// Who began a chain of calls, and when: the older one goes first when two
/// chains meet.
struct call_root {
  time_point began;
  invocation_id id;

  friend bool operator==(const call_root&, const call_root&) = default;

  friend auto operator<=>(const call_root&, const call_root&) = default;
};

/// The entities that wait for a call, the innermost first. A call into one of
/// them could never end: it is a `call_cycle`.
struct call_path {
  std::string service;
  std::string key;
  std::shared_ptr<const call_path> outer;

  /// How many there are, this one included.
  uint32_t depth = 1;

  /// The call that the outermost of them serves.
  call_root root;
};

/// Gets answered invocations back.
class reply_port {
public:
  virtual ~reply_port() = default;

  /// `call` was answered. Comes once for each invocation that was not
  /// abandoned, on whichever thread answered it; must not block.
  /// @param host the execution unit of that thread, or null
  virtual void answered(invocation& call,
                        caf::execution_unit* host) noexcept = 0;
};

/// Ends calls at their deadline for callers that have no thread to do it.
class deadline_watch {
public:
  virtual ~deadline_watch() = default;

  /// `call` was answered or given up; its deadline is of no interest any more.
  virtual void forget(invocation& call) noexcept = 0;
};

/// A call: who is called, with what, until when, and what came of it.
class invocation : public caf::ref_counted, public wheel_hook {
public:
  invocation();

  ~invocation() override;

  // -- what the caller sets before it submits the call -----------------------

  invocation_id id;

  /// When the caller made the call, and until when it waits. By the clock of
  /// the actor system.
  time_point submitted;
  time_point deadline;

  /// Calls with the same key go to the same place; may be empty.
  std::string routing_key;

  /// W3C traceparent; may be empty.
  std::string trace;

  /// Set for calls of a service.
  std::unique_ptr<entity_call> entity;

  /// Who waits for it; null if no entity does.
  std::shared_ptr<const call_path> path;

  /// Gets the answer; outlives the call unless it abandons it.
  reply_port* port = nullptr;

  // -- for whoever places it -------------------------------------------------

  /// Who places it anew if it is turned away; null: nobody does.
  caf::intrusive_ptr<call_target> placed_by;

  /// How often it was placed anew.
  uint32_t redirects = 0;

  // -- for whoever runs it: one owner at a time ------------------------------

  /// The call begins. False if the caller has given up: then drop it.
  bool start() noexcept;

  /// It did not begin after all, and waits again. False if the caller has given
  /// up: then drop it. @pre it was started
  bool unstart() noexcept;

  /// The caller still waits.
  bool wanted() const noexcept;

  /// Answers with the result that was set, or with `fail`'s error; drops it if
  /// the caller has given up.
  void finish(caf::execution_unit* host) noexcept;

  /// Answers with `reason`.
  void finish(error reason, caf::execution_unit* host) noexcept;

  /// It did not begin, and its arguments are as they came: whoever placed it
  /// here may place it elsewhere. Else it is answered with `reason`.
  virtual void turn_away(error reason, caf::execution_unit* host) noexcept;

  /// Sets the error to answer with.
  void fail(error reason);

  /// `fail` was called.
  bool has_failed() const noexcept { return failure_ != nullptr; }

  /// The error that it will be answered with; null if with a result.
  const error* pending_failure() const noexcept { return failure_.get(); }

  /// If the caller's typed arguments and result are of exactly this signature
  /// (`R(As...)`, decayed): the `typed_call<R(As...)>`; else null.
  virtual void* typed(const std::type_info& signature) noexcept;

  /// The arguments as bytes. May be called once.
  virtual payload take_arguments() = 0;

  /// What was taken comes back untouched: somebody else is to run the call.
  virtual void give_back(payload arguments) = 0;

  /// The same, without taking them. @pre nobody took them
  virtual payload copy_arguments() const = 0;

  /// Sets the result from bytes.
  /// @throws error_exception if they do not fit what the caller expects
  virtual void set_result(payload bytes) = 0;

  /// The result as bytes. @pre it was set
  virtual payload copy_result() const = 0;

  /// The revision of the entity's state that the answer saw.
  std::optional<uint64_t> revision;

  /// Who began the chain of calls that this one is a part of.
  call_root root() const noexcept {
    return path ? path->root : call_root{submitted, id};
  }

  // -- for the caller --------------------------------------------------------

  /// Gives the call up: its port will not hear of it. Returns what may have
  /// happened, or nothing if it was answered already (then the port hears of
  /// it, or has).
  std::optional<effect> abandon() noexcept;

  /// Gives the call up if it was not started yet.
  bool abandon_waiting() noexcept;

  /// Gives the call up and tells the port so, with the error for a deadline
  /// that passed. Nothing happens if it was answered already.
  void expire(caf::execution_unit* host) noexcept;

  /// The answer is there.
  bool answered() const noexcept;

  /// The error, if it was answered with one.
  const error* failure() const noexcept;

  /// Lets `watch` know when the answer comes. @pre it was submitted
  void watched_by(deadline_watch& watch) noexcept;

private:
  enum class phase : uint8_t {
    waiting,
    running,
    answered,
    abandoned,
    expired,
  };

  std::atomic<phase> phase_{phase::waiting};
  std::atomic<deadline_watch*> watch_{nullptr};
  std::unique_ptr<error> failure_; // written by the owner only
  std::unique_ptr<error> expiry_;  // written by the caller's side only
};

/// A call whose arguments and result are bytes.
class raw_invocation : public invocation {
public:
  explicit raw_invocation(payload arguments)
    : arguments_(std::move(arguments)) {}

  /// Sets the arguments. @pre it was not submitted yet
  void arguments(payload bytes) { arguments_ = std::move(bytes); }

  payload take_arguments() override { return std::move(arguments_); }

  void give_back(payload bytes) override { arguments_ = std::move(bytes); }

  payload copy_arguments() const override { return arguments_; }

  void set_result(payload bytes) override { result_ = std::move(bytes); }

  payload copy_result() const override { return result_; }

  /// @pre answered without an error
  payload& result() noexcept { return result_; }

private:
  payload arguments_;
  payload result_;
};

} // namespace troupe
