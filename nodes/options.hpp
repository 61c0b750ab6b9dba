// Everything that can be set about a node, in one value: what `troupe node`
// takes on its command line, in its environment and in its file, and what a
// program that embeds a node fills in by hand. The command line wins over the
// environment, the environment over the file, the file over the defaults;
// config/troupe.ini lists every option with its default.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/defaults.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/limits.hpp"
#include "actors/core/wire_version.hpp"
#include "actors/messages/event_rule.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/events/receiver_login.hpp"
#include "nodes/listen_address.hpp"
#include "nodes/store/postgres_options.hpp"
#include "nodes/work_options.hpp"

namespace troupe {

/// What a client may take from the HTTP server: bytes, sockets and time.
struct http_options {
  /// Where HTTP is served. Default 127.0.0.1:8700; port 0 takes a free one.
  /// Change it to serve other machines, which needs `insecure` so far.
  listen_address listen{"127.0.0.1", 8700};

  /// Threads that read and answer requests. Default 1, which serves some
  /// 100,000 small requests a second; more help when cores are idle.
  uint32_t threads = 1;

  /// Open connections; one more is answered 429. Default 10,000. Raise it for
  /// more clients that keep theirs open, and the limit of open files with it.
  uint32_t connections_max = 10'000;

  /// Bytes of a request's line and header together. Default 32 KiB. Raise it
  /// for clients with large cookies or tokens.
  uint64_t head_bytes_max = 32 * 1024;

  /// Header fields of a request. Default 100. Raise it behind proxies that add
  /// many.
  uint32_t fields_max = 100;

  /// Bytes of a body. Default 6 MiB. Each call in flight may hold that much
  /// memory.
  uint64_t body_bytes_max = 6 * 1024 * 1024;

  /// From a request's first byte to the end of its head. Default 10 s. Raise
  /// it for clients on very slow links.
  std::chrono::milliseconds head_time{10'000};

  /// How long a body may make no progress. Default 10 s. As `head_time`.
  std::chrono::milliseconds body_progress_time{10'000};

  /// How long a client may take none of its answer. Default 75 s. Lower it when
  /// stuck clients hold too much memory.
  std::chrono::milliseconds write_progress_time{75'000};

  /// How long a connection may stay open between two requests. Default 75 s,
  /// longer than what most proxies keep theirs. Lower it when connections are
  /// scarce.
  std::chrono::milliseconds idle_time{75'000};

  friend bool operator==(const http_options&, const http_options&) = default;
};

/// How a node leaves.
struct shutdown_options {
  /// How long a node that is about to leave still takes new connections, so
  /// that load balancers see `/readyz` fail first. Default: nothing set, which
  /// is `grace_in_company`, and none for a cluster's only node. Raise it to
  /// what the balancer needs to notice.
  std::optional<std::chrono::milliseconds> grace;

  static constexpr std::chrono::milliseconds grace_in_company{2'000};

  /// What the whole shutdown may take; what runs then is cut off. Default 30 s.
  /// Raise it for long calls, and the service manager's limit with it.
  std::chrono::milliseconds timeout{30'000};

  friend bool operator==(const shutdown_options&,
                         const shutdown_options&) = default;
};

/// How a node keeps the state of entities in memory.
struct entity_options {
  /// Entities that are active at a time, of all services; past it those used
  /// longest ago are passivated. More only while calls keep all of them busy.
  /// Default 100,000. Raise it, at about 1.8 KB each plus their state, when
  /// more of them are in use and first calls wait for the store.
  uint32_t activations = defaults::service::activations;

  /// After how long without a call one is passivated. Default 5 min. Lower it
  /// to give memory back sooner.
  std::chrono::milliseconds idle_time = defaults::service::idle_time;

  friend bool operator==(const entity_options&,
                         const entity_options&) = default;
};

/// How a node is one of several.
struct member_options {
  /// Where other nodes connect. Default: none, a node by itself. Port 0 takes a
  /// free one. An address that other machines can reach needs TLS.
  std::optional<listen_address> listen;

  /// What others connect to, if it is not `listen`: "address:port". Default:
  /// empty. Set it behind NAT, or when `listen` is for all addresses.
  std::string advertise;

  /// Nodes of different clusters refuse each other. Default "troupe". Set it
  /// where several clusters share a network.
  std::string name = "troupe";

  /// PEM files of mutual TLS between nodes, all three or none: the cluster's CA,
  /// this node's certificate and its key. `troupe certs` makes them. Default:
  /// none, plain TCP.
  std::string ca;
  std::string certificate;
  std::string key;

  /// Nodes of one zone fail together. Default: empty. Set it to the rack or the
  /// data centre.
  std::string zone;

  /// How much it takes on, against other nodes. Default 1. Raise it for a
  /// larger machine.
  uint32_t capacity = 1;

  /// Parts into which the keys of all services are divided, for the life of a
  /// store. Default 1024. Raise it, before the first node starts, for more than
  /// a hundred nodes.
  uint32_t shards = 1024;

  /// What it speaks with other nodes, beside the version before. Default the
  /// newest. No option of the command line: for programs that stand in for
  /// another build.
  uint32_t wire_version = wire::version;

  friend bool operator==(const member_options&,
                         const member_options&) = default;
};

/// The least that is logged.
enum class log_level : uint8_t { trace, debug, info, warn, error, off };

std::string_view to_string(log_level level) noexcept;

/// Lines for people, or one JSON object a line for machines.
enum class log_format : uint8_t { text, json };

std::string_view to_string(log_format format) noexcept;

struct log_options {
  /// Default info. debug and trace are for finding defects.
  log_level level = log_level::info;

  /// Default text. json for log collectors.
  log_format format = log_format::text;

  friend bool operator==(const log_options&, const log_options&) = default;
};

/// What an operator sets in place of the limits in a function's module.
struct limit_override {
  std::optional<uint32_t> concurrency;
  std::optional<uint32_t> queue;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<bool> blocking;

  /// `limits` with what is set here.
  function_limits apply(function_limits limits) const;

  friend bool operator==(const limit_override&,
                         const limit_override&) = default;
};

struct node_options {
  http_options http;
  entity_options entities;
  member_options cluster;
  shutdown_options shutdown;
  log_options log;

  /// What listings call this node. Default: empty, which is the host's name.
  /// Set it where several nodes run on one host.
  std::string id;

  /// Where services keep their state: "sqlite:FOLDER", "postgresql://..." (a
  /// server that many machines share), "memory:" (gone at exit). Default: empty,
  /// which is `sqlite:` on `data_dir`; see `store_url`.
  std::string store;

  /// On how many servers' disks a commit must be, with PostgreSQL. Default
  /// single. sync where a server may be lost: one that does not wait for a
  /// standby is then refused.
  replication_mode replication = replication_mode::single;

  /// Folder of what the node keeps on disk; made if missing. Default
  /// ./troupe-data. Set it to a local disk: network file systems are refused.
  std::string data_dir = "./troupe-data";

  /// Shared objects with modules. A later one may not repeat a name.
  std::vector<std::string> plugins;

  /// Function name → limits in place of those of its module.
  std::map<std::string, limit_override> limits;

  /// Function, or service with a slash → how its queued calls are treated.
  std::map<std::string, work_override> queued;

  /// Scheme and host of destinations outside → how this node makes itself known
  /// there.
  std::map<std::string, receiver_login> destinations;

  queue_options queue;

  /// Messages of brokers that call functions and services. Default: none. Every
  /// node of a cluster has the same.
  std::vector<subscription> subscriptions;

  /// Where the files are that subscriptions of run time may name; empty: they may
  /// name none.
  std::string secrets_folder;

  /// Which CloudEvents call what. Default: none. Every node of a cluster has the
  /// same.
  std::vector<event_rule> events;

  /// Listen where other machines can connect, for HTTP without TLS and
  /// credentials, for nodes without TLS. Default no. Only for networks in which
  /// everybody is trusted.
  bool insecure = false;

  /// Threads that run actors. Default 0: one for each CPU, at least two. Lower
  /// it to leave CPUs to others.
  uint32_t scheduler_threads = 0;

  /// Whether these can be run with: `bad_request` for what makes no sense,
  /// `not_implemented` for what is not built yet.
  expected<void> validate() const;

  /// `store`, or what it is by default.
  std::string store_url() const;

  friend bool operator==(const node_options&, const node_options&) = default;
};

/// The environment, as name → value.
using environment = std::map<std::string, std::string>;

/// The environment of this process.
environment current_environment();

/// What a command line came to.
struct parsed_node_options {
  node_options options;

  /// The user asks for help; nothing else was looked at.
  bool help = false;

  /// To be shown to the operator: variables that look like options.
  std::vector<std::string> warnings;
};

/// Reads `arguments` (what follows `troupe node`), the variables `TROUPE_...`
/// of `env` and the file that `--config` names, then validates. An empty
/// variable counts as not set. The error says where the wrong value is.
expected<parsed_node_options>
parse_node_options(const std::vector<std::string>& arguments,
                   const environment& env);

/// The names of all options, without dashes: "http.listen", ...
std::vector<std::string> node_option_names();

/// What --help prints. @param program what is typed to run it
std::string node_options_help(const std::string& program = "troupe node");

} // namespace troupe
