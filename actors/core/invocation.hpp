// One call on its way. It is made by a caller, carried to whatever runs it, and
// comes back to the caller's port exactly once: with a result, with an error, or
// because the caller gave it up. Who runs it and who waits for it may be on
// different threads, so the phase is atomic and decides who may still speak.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/make_counted.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/errors.hpp"
#include "actors/core/payload.hpp"
#include "actors/model/deadline_wheel.hpp"

namespace troupe {

class invocation;

using invocation_ptr = caf::intrusive_ptr<invocation>;

using time_point = std::chrono::steady_clock::time_point;

/// 128 bits that are the same for no two invocations.
struct invocation_id {
  uint64_t high = 0;
  uint64_t low = 0;

  friend bool operator==(const invocation_id&, const invocation_id&) = default;
};

/// 32 hexadecimal digits.
std::string to_string(const invocation_id& id);

/// Where a call goes that is for an entity rather than for a function.
struct entity_call {
  std::string service;
  std::string key;
  std::string method;

  /// The revisions of `If-Match`, `*` for any that exists; empty: no condition.
  std::string if_match;
};

/// The entities that wait for a call, the innermost first. A call into one of
/// them could never end: it is a `call_cycle`.
struct call_path {
  std::string service;
  std::string key;
  std::shared_ptr<const call_path> outer;

  /// How many there are, this one included.
  uint32_t depth = 1;
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

  // -- for whoever runs it: one owner at a time ------------------------------

  /// The call begins. False if the caller has given up: then drop it.
  bool start() noexcept;

  /// The caller still waits.
  bool wanted() const noexcept;

  /// Answers with the result that was set, or with `fail`'s error; drops it if
  /// the caller has given up.
  void finish(caf::execution_unit* host) noexcept;

  /// Answers with `reason`.
  void finish(error reason, caf::execution_unit* host) noexcept;

  /// Sets the error to answer with.
  void fail(error reason);

  /// `fail` was called.
  bool has_failed() const noexcept { return failure_ != nullptr; }

  /// If the caller's typed arguments and result are of exactly this signature
  /// (`R(As...)`, decayed): the `typed_call<R(As...)>`; else null.
  virtual void* typed(const std::type_info& signature) noexcept;

  /// The arguments as bytes. May be called once.
  virtual payload take_arguments() = 0;

  /// Sets the result from bytes.
  /// @throws error_exception if they do not fit what the caller expects
  virtual void set_result(payload bytes) = 0;

  /// The revision of the entity's state that the answer saw.
  std::optional<uint64_t> revision;

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

  void set_result(payload bytes) override { result_ = std::move(bytes); }

  /// @pre answered without an error
  payload& result() noexcept { return result_; }

private:
  payload arguments_;
  payload result_;
};

} // namespace troupe
