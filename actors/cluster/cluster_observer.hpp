// What an operator wants to hear of the cluster, told by those who see it. A node
// writes it into its log (nodes/cluster_log.hpp).

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/cluster_state.hpp"
#include "actors/core/cluster_link.hpp"

namespace troupe {

/// A node that joins has waited for links for longer than it should take.
struct link_wait {
  struct missing_link {
    std::string node;

    /// "address:port" of its cluster port.
    std::string address;

    /// Why the last try failed; empty if none has ended yet.
    std::string why;
  };

  /// The other nodes that are up.
  size_t nodes = 0;

  /// Those to which there is no link.
  std::vector<missing_link> missing;
};

/// Called from any thread; must neither throw nor wait.
class cluster_observer {
public:
  virtual ~cluster_observer() = default;

  /// There is a new view; some may be left out.
  virtual void seen(const cluster_view& view,
                    const cluster_counts& counts) noexcept = 0;

  /// Comes again and again while it waits.
  virtual void waits(const link_wait& what) noexcept = 0;

  /// That node has said that it leaves in order.
  virtual void leaves(const peer_identity& peer) noexcept = 0;

  /// This node has declared that one dead.
  virtual void declared(const peer_identity& peer) noexcept = 0;

  /// As `link_listener` has them.
  virtual void link_up(const peer_identity& peer) noexcept = 0;
  virtual void link_down(const peer_identity& peer,
                         std::string_view why) noexcept = 0;
  virtual void link_refused(std::string_view address,
                            std::string_view why) noexcept = 0;
};

} // namespace troupe
