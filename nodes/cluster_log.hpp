// What happens to the cluster, as lines of a node's log: who came, who went, what
// was taken over, which links do not work. It compares each view with the one
// before, and says in one line what has changed at once: hundreds of nodes may
// start together, and a network that breaks breaks all links of it.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/cluster_observer.hpp"

namespace troupe {

/// Thread-safe. What it keeps is bounded by the nodes of a view, and by constants.
class cluster_log final : public cluster_observer {
public:
  enum class level : uint8_t { info, warning };

  using time_point = std::chrono::steady_clock::time_point;

  /// @param write called under a lock, with one line
  /// @param now for a test
  explicit cluster_log(
    std::function<void(level, const std::string&)> write,
    std::function<time_point()> now = std::chrono::steady_clock::now);

  // -- bounds ----------------------------------------------------------------

  /// What goes on being wrong is said again only after this.
  static constexpr std::chrono::seconds repeat_after{30};

  /// Names and reasons in one line; of more, the number.
  static constexpr size_t names_max = 10;
  static constexpr size_t reasons_max = 3;

  /// Addresses whose refusal is remembered; of more, nothing is said.
  static constexpr size_t addresses_max = 64;

  /// Lines about links that come and go in `link_window`; more are only counted.
  static constexpr uint32_t link_lines_max = 10;
  static constexpr std::chrono::seconds link_window{10};

  // -- cluster_observer ------------------------------------------------------

  void seen(const cluster_view& view,
            const cluster_counts& counts) noexcept override;
  void waits(const link_wait& what) noexcept override;
  void leaves(const peer_identity& peer) noexcept override;
  void declared(const peer_identity& peer) noexcept override;
  void link_up(const peer_identity& peer) noexcept override;
  void link_down(const peer_identity& peer,
                 std::string_view why) noexcept override;
  void link_refused(std::string_view address,
                    std::string_view why) noexcept override;

private:
  /// Another node, as it was in the last view.
  struct peer {
    std::string node;
    bool was_up = false;
    bool leaves = false;
    bool declared = false;
    bool linked = false;
    bool lost = false;
  };

  void see_joined(const cluster_view& view);
  void see_end(const cluster_view& view);
  void see_gone(const cluster_view& view);
  void see_own(const cluster_view& view);
  void see_counts(const cluster_view& view, const cluster_counts& counts);
  void say(level x, const std::string& line);
  void say_of_link(level x, std::string line);

  const std::function<void(level, const std::string&)> write_;
  const std::function<time_point()> now_;
  std::mutex mutex_;                  // guards what follows
  std::map<std::string, peer> peers_; // by incarnation
  std::string up_as_;                 // this node's run that was up
  bool saw_end_ = false;              // of another node
  uint64_t fenced_ = 0;
  uint64_t taken_ = 0;
  time_point waits_next_{};
  std::map<std::string, time_point> refused_; // when, by host
  time_point window_end_{};
  uint32_t window_lines_ = 0;
  uint64_t left_out_ = 0;
};

} // namespace troupe
