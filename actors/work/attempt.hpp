// One attempt at a piece of work: a call like any other, which nobody waits for
// but the dispatcher.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "actors/core/invocation.hpp"
#include "actors/work/dispatcher.hpp"

namespace troupe {

class dispatcher::attempt final : public raw_invocation, public reply_port {
public:
  /// @param by the incarnation that claimed it
  /// @param keep the arguments are wanted when it has failed
  /// @param home where what the store says of it goes; may be null
  attempt(dispatcher& owner, claimed_work work, std::string by, bool keep,
          std::shared_ptr<home_thread> home)
    : raw_invocation(keep ? work.item.arguments
                          : std::exchange(work.item.arguments, {})),
      owner_(owner), work_(std::move(work)), by_(std::move(by)),
      home_(std::move(home)) {
    port = this;
  }

  /// Without its arguments, unless they were to be kept.
  const claimed_work& work() const noexcept { return work_; }

  /// For the report of it.
  std::string take_claimed_by() noexcept { return std::move(by_); }

  const std::shared_ptr<home_thread>& home() const noexcept { return home_; }

  /// `length` bytes of arguments came with it, all that there were.
  void came_with(size_t length) noexcept { length_ = length; }

  /// For the report of it; nothing if it is not known how long it was.
  std::optional<work_origin> origin() const {
    if (!length_)
      return std::nullopt;
    auto& item = work_.item;
    return work_origin{item.target, item.priority, item.accepted, *length_};
  }

  /// Nobody begins it, nor gave it a place in its lane.
  void has_expired() noexcept { expired_ = true; }

  /// Whose place it has; empty if it has none.
  std::string lane() const {
    return expired_ ? std::string{} : work_.item.target.lane();
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    owner_.ended(*this);
  }

private:
  dispatcher& owner_;
  claimed_work work_;
  std::string by_;
  std::shared_ptr<home_thread> home_;
  std::optional<size_t> length_;
  bool expired_ = false;
};

} // namespace troupe
