// What a node's links are told. Values are the operator's; see nodes/options.hpp.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "actors/cluster/wire.hpp"
#include "actors/core/cluster_link.hpp"
#include "actors/model/backoff.hpp"
#include "nodes/link/tls.hpp"

namespace troupe::link {

struct link_options {
  /// This run of this node.
  peer_identity self;

  /// Nodes of different clusters refuse each other. One name for a cluster that
  /// shares a network with another.
  std::string cluster = "troupe";

  /// "address:port" to listen on; port 0: any.
  std::string listen = "127.0.0.1:0";

  /// What peers connect to, if that is not what is listened on: behind NAT, or
  /// when listening on all addresses. Empty: `listen` with the real port.
  std::string advertise;

  /// All three files, or none.
  tls_files tls;

  /// How often each side of a link says that it is alive, and after how long a
  /// silence the other one drops the link. The same on all nodes: they check.
  std::chrono::milliseconds heartbeat_interval{500};
  std::chrono::milliseconds heartbeat_timeout{2000};

  /// What a new connection may take, the TLS handshake and the greeting each.
  std::chrono::milliseconds connect_timeout{2000};

  /// Between two tries to reach a peer.
  backoff_options reconnect{std::chrono::milliseconds{100},
                            std::chrono::milliseconds{2000}};

  /// Calls and bytes of arguments that may be under way to one peer. Past one of
  /// them: too_many_requests. A peer that hangs costs no more than this.
  uint32_t in_flight_max = 8192;
  uint64_t bytes_in_flight_max = 64 * 1024 * 1024;

  /// Longer payloads go over the bulk connection, in chunks, so that small calls
  /// and heartbeats do not wait behind them.
  size_t bulk_threshold = 256 * 1024;
  size_t chunk_size = 64 * 1024;

  /// The wire versions that are offered. Only tests, and a cluster that is to be
  /// held back during an upgrade, set them.
  uint32_t version_min = wire::oldest_beside(wire::version);
  uint32_t version_max = wire::version;

  /// What is wrong with these options, if anything; does not read the files.
  [[nodiscard]] std::optional<std::string> validate() const;
};

} // namespace troupe::link
