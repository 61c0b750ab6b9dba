// The order in which a group of requests is done, in one transaction: steps, each
// one statement. Requests of the same work, or with the same key, keep their
// order; of the others as many as can be share a step.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "nodes/store/postgres_work_group.hpp"

namespace troupe {

class postgres_work_steps {
public:
  /// Where the answer to a request is to be found.
  struct place {
    size_t step = 0;

    /// Among the requests of the step.
    size_t index = 0;
  };

  /// Whether `x` can be added: what follows a report must be able to tell what
  /// that did from what one before it did.
  bool has_room_for(const work_report& x) const {
    return !reported_.contains(x.id);
  }

  // What is added outlives this.

  place add(const work_request& x);

  /// For a transaction that begins with commits: only if that of `committed` was
  /// done.
  place add(const work_request& x, const entity_id& committed);

  /// With what follows it.
  place add(const work_report& x, work_time now);

  /// Nothing that comes later is done before, or with, these.
  place add(std::vector<postgres_call> calls);

  postgres_transaction transaction() const;

  // -- answers, of the rows of `transaction` ---------------------------------

  class answers {
  public:
    answers(const postgres_work_steps& steps, std::vector<postgres_rows> rows);

    const expected<work_accepted>& accepted(place x) const {
      return accepted_[x.step][x.index];
    }

    work_outcome reported(place x) const { return reported_[x.step][x.index]; }

    /// Of calls.
    std::vector<postgres_rows> rows(place x) const { return rows_[x.step]; }

  private:
    std::vector<std::vector<expected<work_accepted>>> accepted_;
    std::vector<std::vector<work_outcome>> reported_;
    std::vector<std::vector<postgres_rows>> rows_;
  };

private:
  using accepts = std::vector<postgres_work_accepts::request>;
  using reports = std::vector<postgres_work_reports::request>;
  using calls = std::vector<postgres_call>;
  using step = std::variant<accepts, reports, calls>;

  struct id_hash {
    size_t operator()(const invocation_id& x) const noexcept {
      return x.low ^ (x.high * 0x9E37'79B9'7F4A'7C15);
    }
  };

  place add(const postgres_work_accepts::request& x, size_t first);

  /// Adds to the first step of its kind from `first` on.
  template <class Step>
  place put(typename Step::value_type x, size_t first);

  /// The first step in which the work may have a request.
  size_t first_of(const invocation_id& id) const;

  std::vector<step> steps_;

  /// Those before it are complete.
  size_t open_ = 0;

  /// By work and by key of a target: the first step that comes after it.
  std::unordered_map<invocation_id, size_t, id_hash> after_work_;
  std::map<std::pair<std::string, std::string>, size_t> after_key_;
  std::unordered_map<invocation_id, bool, id_hash> reported_;
};

} // namespace troupe
