#include "nodes/held_lock.hpp"

#include <utility>

#include "actors/cluster/lock_keeper.hpp"
#include "nodes/wait_for.hpp"

namespace troupe {

namespace {

/// What the store gets for its answer.
constexpr std::chrono::milliseconds patience{10'000};

constexpr auto too_late = "the store does not answer in time";

} // namespace

held_lock::held_lock(lock_keeper& keeper, lock_grant grant,
                     std::chrono::milliseconds ttl)
  : keeper_(&keeper), grant_(std::move(grant)), ttl_(ttl) {}

held_lock::held_lock(held_lock&& other) noexcept
  : keeper_(std::exchange(other.keeper_, nullptr)),
    grant_(std::move(other.grant_)), ttl_(other.ttl_) {}

held_lock& held_lock::operator=(held_lock&& other) noexcept {
  if (this != &other) {
    let_go();
    keeper_ = std::exchange(other.keeper_, nullptr);
    grant_ = std::move(other.grant_);
    ttl_ = other.ttl_;
  }
  return *this;
}

held_lock::~held_lock() {
  let_go();
}

void held_lock::let_go() noexcept {
  if (auto keeper = std::exchange(keeper_, nullptr))
    keeper->release(grant_.proof, [](const expected<void>&) {});
}

expected<void> held_lock::renew(std::optional<std::chrono::milliseconds> ttl) {
  if (!keeper_)
    return error{errc::lock_held, "it was released"};
  auto renewed = wait_for<lock_grant>(
    patience, too_late,
    [&](auto done) {
      keeper_->renew(grant_.proof, ttl.value_or(ttl_), std::move(done));
    },
    [](const expected<lock_grant>&) {});
  if (!renewed)
    return renewed.error();
  grant_ = std::move(*renewed);
  return {};
}

expected<void> held_lock::release() {
  auto keeper = std::exchange(keeper_, nullptr);
  if (!keeper)
    return {};
  return wait_for<void>(
    patience, too_late,
    [&](auto done) { keeper->release(grant_.proof, std::move(done)); },
    [](const expected<void>&) {});
}

expected<held_lock> acquire_lock(lock_keeper& keeper, std::string name,
                                 const lock_options& options) {
  if (auto valid = options.validate(); !valid)
    return valid.error();
  uint64_t id = 0;
  auto got = wait_for<lock_grant>(
    options.wait + patience, too_late,
    [&](auto done) {
      id = keeper.acquire(std::move(name), options, std::move(done));
    },
    [&keeper](const expected<lock_grant>& late) {
      if (late)
        keeper.release(late->proof, [](const expected<void>&) {});
    });
  if (got)
    return held_lock{keeper, std::move(*got), options.ttl};
  keeper.give_up(id);
  return got.error();
}

} // namespace troupe
