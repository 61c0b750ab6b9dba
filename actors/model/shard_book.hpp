// What a node knows of the table of shards, and which of them it may serve.
// Rows come late, twice and out of order, and moves are answered, or never are;
// the epoch of a row says which one is newer.
//
// A shard of this node is served unless it is being given away, or a move of it
// was asked for and not answered: that one may still happen at any time.
// Another move that is done settles it, since then no earlier one fits any
// more.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe {

class shard_book {
public:
  struct entry {
    /// An incarnation; empty: nobody.
    std::string owner;
    uint64_t epoch = 0;

    /// The number of the last question that was asked before the row was known.
    uint64_t learned = 0;

    /// It is being given away.
    bool leaving = false;

    /// A move of the row as it is was asked for, and nobody knows the end of
    /// it.
    bool unsettled = false;
  };

  explicit shard_book(uint32_t count) : entries_(count) {}

  uint32_t count() const noexcept {
    return static_cast<uint32_t>(entries_.size());
  }

  const entry& operator[](uint32_t shard) const { return entries_[shard]; }

  /// Called for each shard that this node may serve from now on, with the
  /// epoch, or may not, with 0.
  std::function<void(uint32_t, uint64_t)> on_change;

  /// A new incarnation of this node: it owns nothing.
  void begin(std::string self);

  /// The table had this row; true if it is news.
  bool learn(uint32_t shard, const std::string& owner, uint64_t epoch,
             uint64_t learned);

  /// This node begins to give `shard` away, or has thought better of it; nobody
  /// was asked to move it.
  void leaving(uint32_t shard, bool is_leaving);

  /// A move of `shard` was asked for; nobody knows what came of it.
  void doubt(uint32_t shard);

  /// It is this node's.
  bool is_mine(uint32_t shard) const {
    return !self_.empty() && entries_[shard].owner == self_;
  }

private:
  void refresh(uint32_t shard, bool was_served);

  bool is_served(uint32_t shard) const {
    auto& x = entries_[shard];
    return is_mine(shard) && !x.leaving && !x.unsettled;
  }

  std::string self_;
  std::vector<entry> entries_;
};

} // namespace troupe
