// What clients of locks were granted and what they wrote under it, by their own
// accounts, and everything in it that cannot be:
//
//   a token that is not above those that were answered before it was asked for
//   two holders of one lock at one time, as each of them could count on it
//   a state that two writers made of the same one before it: a lost update
//   a write of an older holder after one of a later
//   anything done for a holder when there was a later one
//
// A holder counts on its lock from the answer until its time, begun when it
// asked, is over, or until it asks for the release; a millisecond less, which is
// what stores count in. What was not answered is no claim, and may have been
// done.

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// One lock and the state that it guards. Thread-safe.
class lock_log {
public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;
  using milliseconds = std::chrono::milliseconds;

  /// Who made a state.
  struct writer {
    uint64_t token = 0;
    uint32_t client = 0;

    friend bool operator==(const writer&, const writer&) = default;
  };

  explicit lock_log(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  // -- grants ----------------------------------------------------------------

  /// Somebody is about to ask. The token that it gets is above the result.
  uint64_t asks() {
    std::lock_guard guard{mutex_};
    return claims_.empty() ? 0 : claims_.rbegin()->first;
  }

  /// `token` was answered now to one that asked at `asked`, when `asks` was
  /// `before`.
  void granted(uint64_t token, uint64_t before, time_point asked,
               milliseconds ttl) {
    std::lock_guard guard{mutex_};
    if (token <= before)
      violated("token " + std::to_string(token) + " was granted after "
               + std::to_string(before));
    claim own{clock::now(), asked + ttl - slack};
    if (!claims_.emplace(token, own).second)
      violated("token " + std::to_string(token) + " was granted twice");
  }

  /// It asks for `ttl` from `asked` on, in place of what is left. Until it is
  /// answered it may have the one or the other, and counts on the shorter.
  void asks_to_renew(uint64_t token, time_point asked, milliseconds ttl) {
    std::lock_guard guard{mutex_};
    auto& x = claims_.at(token);
    x.end = std::min(x.end, asked + ttl - slack);
  }

  /// It was answered that it has what it asked for.
  void renewed(uint64_t token, time_point asked, milliseconds ttl) {
    std::lock_guard guard{mutex_};
    claims_.at(token).end = asked + ttl - slack;
  }

  /// From now on it may be somebody else's.
  void gives_up(uint64_t token) {
    std::lock_guard guard{mutex_};
    auto& x = claims_.at(token);
    x.end = std::min(x.end, clock::now());
  }

  // -- the state -------------------------------------------------------------

  /// A read is about to begin. It sees the result, or later.
  uint64_t reads() {
    std::lock_guard guard{mutex_};
    return states_.empty() ? 0 : states_.rbegin()->first;
  }

  /// It saw the `n`-th state, when `reads` was `before`.
  void read(uint64_t n, writer who, uint64_t before) {
    std::lock_guard guard{mutex_};
    if (n < before)
      violated("state " + std::to_string(n) + " was read after "
               + std::to_string(before));
    if (n > 0)
      is_there(n, who);
  }

  /// The `n`-th state was made of the one before, and answered.
  void written(uint64_t n, writer who) {
    std::lock_guard guard{mutex_};
    ++writes_;
    is_there(n, who);
  }

  /// What a holder that had lost its lock to another was answered.
  void came_late(const std::string& what, bool was_done, bool was_refused) {
    std::lock_guard guard{mutex_};
    if (was_done)
      violated(what + " of an old holder was done");
    refused_ += was_refused ? 1 : 0;
  }

  // -- what is to be said of it ----------------------------------------------

  /// Once all clients have ended.
  std::vector<std::string> violations() {
    std::lock_guard guard{mutex_};
    auto result = violations_;
    std::vector<std::pair<claim, uint64_t>> by_time;
    for (auto& [token, x] : claims_)
      if (x.begin < x.end)
        by_time.emplace_back(x, token);
    std::sort(by_time.begin(), by_time.end(),
              [](auto& x, auto& y) { return x.first.begin < y.first.begin; });
    for (size_t i = 1; i < by_time.size(); ++i)
      if (by_time[i].first.begin < by_time[i - 1].first.end)
        result.push_back(name_ + ": held with tokens "
                         + std::to_string(by_time[i - 1].second) + " and "
                         + std::to_string(by_time[i].second) + " at once");
    writer last;
    for (auto& [n, x] : states_) {
      if (x.token < last.token)
        result.push_back(name_ + ": state " + std::to_string(n)
                         + " is of token " + std::to_string(x.token)
                         + ", the one before of " + std::to_string(last.token));
      last = x;
    }
    return result;
  }

  size_t grants() {
    std::lock_guard guard{mutex_};
    return claims_.size();
  }

  size_t writes() {
    std::lock_guard guard{mutex_};
    return writes_;
  }

  /// Late holders that were told so.
  size_t refused() {
    std::lock_guard guard{mutex_};
    return refused_;
  }

private:
  /// What a clock of whole milliseconds may be off.
  static constexpr milliseconds slack{1};

  struct claim {
    time_point begin;
    time_point end;
  };

  void violated(std::string what) {
    violations_.push_back(name_ + ": " + std::move(what));
  }

  void is_there(uint64_t n, writer who) {
    auto [i, is_new] = states_.emplace(n, who);
    if (!is_new && i->second != who)
      violated("state " + std::to_string(n) + " was made by "
               + std::to_string(i->second.client) + " and by "
               + std::to_string(who.client));
  }

  const std::string name_;
  std::mutex mutex_;                  // guards what follows
  std::map<uint64_t, claim> claims_;  // by token
  std::map<uint64_t, writer> states_; // that are known to have been there
  std::vector<std::string> violations_;
  size_t writes_ = 0;
  size_t refused_ = 0;
};

} // namespace troupe::testing
