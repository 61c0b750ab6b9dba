#include "nodes/cluster_setup.hpp"

#include "nodes/link/caf_link.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

link::link_options make_link_options(const node_options& options,
                                     const peer_identity& self) {
  auto& from = options.cluster;
  link::link_options result;
  result.self = self;
  result.cluster = from.name;
  result.listen = from.listen->to_string();
  result.advertise = from.advertise;
  result.tls = {from.ca, from.certificate, from.key};
  result.version_min = wire::oldest_beside(from.wire_version);
  result.version_max = from.wire_version;
  return result;
}

std::string in_ms(std::chrono::nanoseconds x) {
  return std::to_string(
    std::chrono::duration_cast<std::chrono::milliseconds>(x).count());
}

/// What has to be the same on all nodes, as a text that is compared.
std::string settings_of(const cluster_options& x) {
  link::link_options links;
  return "lease=" + in_ms(x.lease)
         + " dead=" + in_ms(x.membership.watch.dead_after)
         + " heartbeat=" + in_ms(links.heartbeat_interval) + "/"
         + in_ms(links.heartbeat_timeout);
}

} // namespace

cluster_options make_cluster_options(const node_options& options,
                                     join_reports reports,
                                     cluster_observer& observer) {
  cluster_options result;
  auto& self = result.membership.self;
  self.node = options.id;
  self.capacity = options.cluster.capacity;
  self.zone = options.cluster.zone;
  self.version = TROUPE_VERSION;
  self.wire_version = options.cluster.wire_version;
  self.settings = settings_of(result);
  result.membership.refused = std::move(reports.refused);
  result.membership.turned_away = std::move(reports.turned_away);
  result.router.observer = &observer;
  result.membership.drain_limit = options.shutdown.timeout;
  result.shards = options.cluster.shards;
  result.make_link = [options](caf::actor_system& sys,
                               const peer_identity& self) {
    return link::make_caf_link(sys, make_link_options(options, self));
  };
  return result;
}

} // namespace troupe
