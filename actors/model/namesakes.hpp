// Whether another run of the same node is still there: two processes that were
// started with one id, or one that was started again after a crash whose lease
// has not run out yet.
//
// Of two runs the one that came later gives way. Views are taken in
// transactions, and the first view of a run is that of the one that has made
// its row: of two runs exactly one was in the other's first view. So it never
// happens that both go on. It may happen that both give way: if the first view
// was lost on its way, whoever is in the next one counts as older.
//
// An older run that is dead is declared so by its peers, as every node is. One
// whose counter has moved further than what a dead one may have left on its way
// to the store is alive, and then the younger one is there by mistake.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace troupe {

class namesakes {
public:
  /// @param under_way_most renewals of one run that may be on their way
  explicit namesakes(uint64_t under_way_most)
    : under_way_most_(under_way_most) {}

  /// Another run of the same node that is not down.
  struct sighting {
    std::string_view incarnation;
    uint64_t counter = 0;

    /// It is about to leave: there is nothing wrong with the next one.
    bool leaves = false;
  };

  /// A view came. Views are given in the order in which they were taken, and
  /// have all runs that are not down.
  void look(const std::vector<sighting>& others);

  /// One was declared dead since the last view.
  void gone(const std::string& incarnation);

  /// An older one may be alive: this one owns nothing yet.
  bool must_wait() const noexcept { return !older_.empty(); }

  /// An older one that is alive and does not leave: this one is not to be.
  const std::optional<std::string>& alive() const noexcept { return alive_; }

private:
  uint64_t under_way_most_;
  bool has_looked_ = false;
  std::unordered_map<std::string, uint64_t> older_; // and their first counters
  std::optional<std::string> alive_;
};

} // namespace troupe
