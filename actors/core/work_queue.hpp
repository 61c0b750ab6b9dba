// Work that waits in the store until somebody has done it: calls that were
// accepted and are answered later. It is a table in the database of the states
// of entities, so that work can be accepted, and what was done be recorded, in
// one transaction with a change of a state.
//
// One piece of work goes through these:
//
//   waiting -> claimed -> (waiting again) -> finished, or dead
//
// A node claims it, which counts as an attempt before it begins, so that work
// that kills its process cannot do so for ever. A claim has no time: it ends
// when the node says what became of it, or is down (membership knows, and
// somebody gives its claims back). A node that was given up and lives on cannot
// finish anything any more: its claim is not that of the row.
//
// Work is in lanes, one for each function and each service: a lane that is full
// or stuck does not hold up another. Within a lane higher priorities come first,
// and among equals what is due first.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/home_thread.hpp"
#include "actors/core/invocation.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

/// Times of work are of the wall clock: they outlive processes and machines.
using work_time = std::chrono::sys_time<std::chrono::milliseconds>;

/// Who does it: a function, or a method of an entity; or who is told of it:
/// somebody outside (core/outside.hpp).
struct work_target {
  /// Of the function or the service; scheme and host of somebody outside.
  std::string name;

  /// Of a function; may be empty.
  std::string qualifier{};

  /// Of an entity, or what follows the host of somebody outside; both empty for
  /// a function.
  std::string key{};
  std::string method{};

  bool is_entity() const noexcept { return !method.empty(); }

  bool is_outside() const noexcept { return name.find("://") != name.npos; }

  /// Its lane: `name/` of a service, `name` of all others.
  std::string lane() const { return is_entity() ? name + "/" : name; }

  friend bool operator==(const work_target&, const work_target&) = default;
};

/// What an operator reads: `add`, `add:live`, `counter/K/increment`,
/// `https://example.org/orders`.
std::string to_string(const work_target& x);

inline constexpr uint8_t work_priority_max = 9;
inline constexpr uint8_t work_priority_default = 4;

/// A piece of work, as it was accepted.
struct work_item {
  /// Rises with the time of its making; see `work_ids`.
  invocation_id id;

  work_target target;

  /// The arguments.
  payload arguments;

  /// See `invocation`.
  std::string routing_key{};
  std::string trace{};

  /// Goes with it, and is nothing to the queue: JSON, or empty.
  std::string notes{};

  /// 0 to `work_priority_max`; higher ones come first.
  uint8_t priority = work_priority_default;

  work_time accepted{};

  /// It does not begin before.
  work_time due{};

  /// No attempt begins later.
  work_time expires{};

  /// So many attempts at most, from 1.
  uint32_t attempts_max = 1;

  friend bool operator==(const work_item&, const work_item&) = default;
};

/// In the notes of a dead letter that is no call, as it could not be read as one:
/// why, as JSON of an `error`. Who has it tried again is told so.
inline constexpr std::string_view unreadable_name = "unreadable";

/// What repeats of a call with an idempotency key must have in common.
std::string fingerprint_of(const work_item& x);

/// Asks to accept work.
struct work_request {
  work_item item;

  /// Repeats with the same key for the same target, within
  /// `work_queue::key_retention`, are the same work; empty: it is new. At most
  /// 255 bytes.
  std::string idempotency_key{};

  /// Of what is asked for: a repeat with another one is a mistake.
  std::string fingerprint{};

  /// The incarnation of a node that begins it at once: it is accepted as
  /// claimed, in its first attempt. Empty: it waits.
  std::string claimed_by{};

  /// Where a store that can answers; null: anywhere.
  std::shared_ptr<home_thread> home{};
};

struct work_accepted {
  /// That of the item, or of the one before it with the same key.
  invocation_id id;

  /// It was not accepted before. Only then is it claimed.
  bool is_new = true;

  friend bool operator==(const work_accepted&, const work_accepted&) = default;
};

/// How much a node would do now.
struct work_quota {
  std::string lane;
  uint32_t most = 0;
};

/// What a node took to do.
struct claimed_work {
  work_item item;

  /// This one included, from 1; of what expired, those that there were.
  uint32_t attempt = 1;

  friend bool operator==(const claimed_work&, const claimed_work&) = default;
};

/// How work ended.
enum class work_end : uint8_t {
  /// With a result.
  succeeded,
  /// With an error, which somebody else was told of.
  failed,
  /// With an error, and an operator may want to see it: it is kept as a whole.
  dead,
};

/// What is kept of work that ended, beside what came of it.
struct work_origin {
  work_target target;
  uint8_t priority = work_priority_default;
  work_time accepted{};

  /// Bytes of its arguments.
  size_t length = 0;
};

/// What became of an attempt.
struct work_report {
  /// By which claim: row, incarnation and attempt.
  invocation_id id;
  std::string claimed_by;
  uint32_t attempt = 0;

  /// Nothing: it waits again, until `due`.
  std::optional<work_end> end{};
  work_time due{};

  /// It waits again as if it had not begun: the attempt does not count. Without
  /// an answer, that of the one before stays.
  bool uncounted = false;

  /// The result, or the error as JSON; also of an attempt that is repeated.
  payload answer{};

  /// What follows it; is accepted if and only if the report is. One whose key
  /// belongs to other work is passed over.
  std::vector<work_request> follow{};

  /// Of the work as it was claimed, if whoever reports has it: then a store need
  /// not look it up.
  std::optional<work_origin> origin{};

  /// Where a store that can answers; null: anywhere.
  std::shared_ptr<home_thread> home{};
};

/// What became of a report.
enum class work_outcome : uint8_t {
  /// Durable.
  done,
  /// The work is not claimed so, and nothing was written: somebody else may
  /// have it. A report that is repeated is `done` again while the work stands
  /// as it left it.
  refused,
  /// Nothing was written; the store does not answer.
  failed,
  /// Written or not; the same report again settles it.
  unknown,
};

enum class work_state : uint8_t { waiting, claimed, succeeded, failed, dead };

/// One piece of work as it stands.
struct work_view {
  invocation_id id;
  work_target target;
  work_state state = work_state::waiting;
  uint8_t priority = work_priority_default;
  uint32_t attempts = 0;
  work_time accepted{};

  /// Of waiting work.
  work_time due{};

  /// Of claimed work.
  std::string claimed_by{};

  /// Of work that ended.
  work_time finished{};

  /// The result, or the last error as JSON; both empty if there is none yet.
  /// `list` leaves out results, not errors.
  payload answer{};

  friend bool operator==(const work_view&, const work_view&) = default;
};

/// A lane that has waiting work.
struct work_lane {
  std::string name;

  /// When the first of it is due.
  work_time due{};

  friend bool operator==(const work_lane&, const work_lane&) = default;
};

/// How much there is of a lane.
struct work_count {
  std::string lane;
  uint64_t waiting = 0;
  uint64_t claimed = 0;
  uint64_t dead = 0;

  /// When the oldest of what waits was accepted; nothing if nothing waits.
  std::optional<work_time> oldest{};

  friend bool operator==(const work_count&, const work_count&) = default;
};

/// Some work, for an operator.
struct work_selection {
  /// `waiting`, `claimed` or `dead`.
  work_state state = work_state::dead;

  /// Empty: of all lanes.
  std::string lane{};

  /// One piece alone.
  std::optional<invocation_id> id{};

  /// In the order of ids, those after this one.
  std::optional<invocation_id> after{};

  size_t limit = 100;
};

/// The queue of a store. Thread-safe, never blocks: callbacks come from a thread
/// of the store, or from the asker's home (or before the function returns), exactly once each, and do not
/// block it. Failures are `store_unavailable`, or as it says; one with the
/// effect `unknown` may have had its effect all the same.
class work_queue {
public:
  virtual ~work_queue() = default;

  template <class T>
  using callback = std::function<void(expected<T>)>;

  /// Shared with the asker, who goes on with what is in it once he is answered:
  /// the queue does not look at it any more.
  using request_ptr = std::shared_ptr<const work_request>;
  using report_ptr = std::shared_ptr<const work_report>;

  /// How long an idempotency key is kept at least.
  static constexpr std::chrono::hours key_retention{24};

  // -- for nodes -------------------------------------------------------------

  /// Accepts work, durably. `idempotency_conflict` if the key belongs to other
  /// work. The same item again is the same work, whether it has a key or not.
  virtual void accept(request_ptr request, callback<work_accepted> done) = 0;

  void accept(work_request request, callback<work_accepted> done) {
    accept(std::make_shared<const work_request>(std::move(request)),
           std::move(done));
  }

  /// Accepts all of it in one transaction, or nothing. One whose key belongs to
  /// other work is passed over: it is answered as if it was accepted before.
  /// Keys that are there twice are the same work.
  virtual void accept_all(std::vector<work_request> requests,
                          callback<std::vector<work_accepted>> done) = 0;

  /// The lanes with waiting work, by name, `limit` at most from `after` on.
  virtual void lanes(std::string after, size_t limit,
                     callback<std::vector<work_lane>> done) = 0;

  /// Gives `claimed_by` what is due at `now`: of each lane so much at most, the
  /// highest priority first, then what was due first, then the lowest id.
  /// Durable when it is answered. Work that another claims in that moment is
  /// passed over.
  virtual void claim(std::string claimed_by, std::vector<work_quota> quotas,
                     work_time now,
                     callback<std::vector<claimed_work>> done) = 0;

  /// See `work_report`. `now` is when the attempt ended.
  virtual void report(report_ptr what, work_time now,
                      std::function<void(work_outcome)> done) = 0;

  void report(work_report what, work_time now,
              std::function<void(work_outcome)> done) {
    report(std::make_shared<const work_report>(std::move(what)), now,
           std::move(done));
  }

  /// Incarnations that have claims, each once.
  virtual void claimants(callback<std::vector<std::string>> done) = 0;

  /// `claimed_by` will not finish what it claimed: up to `limit` of it waits
  /// again, due at `now`; what has no attempts left has no time left either, so
  /// that nobody begins it. Answers how many there were.
  virtual void give_back(std::string claimed_by, work_time now, size_t limit,
                         callback<size_t> done) = 0;

  /// Gives `claimed_by` waiting work that expired before `now`, what expired
  /// first first, `limit` at most: nobody may begin it, and somebody has to say
  /// what becomes of it. That is no attempt: their number stays. Durable when it
  /// is answered.
  virtual void claim_expired(std::string claimed_by, work_time now,
                             size_t limit,
                             callback<std::vector<claimed_work>> done) = 0;

  /// Forgets what succeeded or failed before `finished`, what died before
  /// `died`, and keys that are older than they need be kept at `now`; `limit`
  /// of each at most. Answers how many there were.
  virtual void forget(work_time finished, work_time died, work_time now,
                      size_t limit, callback<size_t> done) = 0;

  // -- for everybody ---------------------------------------------------------

  /// Sees every change that was answered before.
  virtual void find(invocation_id id,
                    callback<std::optional<work_view>> done) = 0;

  /// As it is to be done, its arguments included: what waits, is claimed or dead.
  /// Nothing if there is no such work, or if it ended otherwise: then nobody
  /// will do it again.
  virtual void item(invocation_id id,
                    callback<std::optional<work_item>> done) = 0;

  /// By id.
  virtual void list(work_selection which,
                    callback<std::vector<work_view>> done) = 0;

  /// By lane; those that have nothing at all are left out. Takes a time that
  /// grows with what there is.
  virtual void count(callback<std::vector<work_count>> done) = 0;

  /// Dead work waits again, due at `now` and until `expires`, with all its
  /// attempts. Answers how many there were, `which.limit` at most.
  /// @pre which.state is `dead`
  virtual void redrive(work_selection which, work_time now, work_time expires,
                       callback<size_t> done) = 0;

  /// Removes waiting or dead work without a trace. Answers how many there were,
  /// `which.limit` at most.
  /// @pre which.state is `waiting` or `dead`
  virtual void purge(work_selection which, callback<size_t> done) = 0;
};

} // namespace troupe
