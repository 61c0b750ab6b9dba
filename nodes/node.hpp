// One process that serves: the composition root. It opens the store, puts the
// actors together, loads plugins, listens for HTTP, and owns the way down.

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <pthread.h>

#include "actors/core/expected.hpp"
#include "actors/core/module.hpp"
#include "actors/messages/event_router.hpp"
#include "nodes/assembly.hpp"
#include "nodes/cluster_log.hpp"
#include "nodes/http/gateway.hpp"
#include "nodes/http/server.hpp"
#include "nodes/options.hpp"
#include "nodes/schedule_watch.hpp"
#include "nodes/subscription_follower.hpp"
#include "nodes/subscriptions.hpp"

namespace spdlog {

class logger;

} // namespace spdlog

namespace troupe {

class outside_sender;
struct join_reports;

class node {
public:
  explicit node(node_options options);

  node(const node&) = delete;

  /// Stops at once if it was not stopped before.
  ~node();

  // -- start -----------------------------------------------------------------

  /// Opens the store and starts the actors. Errors are for the operator.
  expected<void> open();

  /// Makes a module of the program itself callable. @pre `open`
  expected<void> install(const std::string& owner, const module& content);

  /// Loads the plugins of the options. A plugin that cannot be loaded fails the
  /// start, so that nobody serves half of what was asked for.
  expected<void> load_plugins();

  /// Listens for HTTP, and joins the cluster if it is to be part of one.
  expected<void> listen();

  /// Joins the cluster; returns when this node is up, or has tried for long.
  /// For a node by itself there is nothing to wait for. Then messages come.
  /// @pre what it serves is installed
  expected<void> join();

  // -- while it runs ---------------------------------------------------------

  /// Loads each plugin whose file has changed; its functions get a new version.
  /// A plugin that is refused leaves the old one in service. Says what was done
  /// in the log.
  void reload_plugins();

  assembly& actors() noexcept { return *assembly_; }

  const node_options& options() const noexcept { return options_; }

  /// "http://127.0.0.1:8700"; empty before `listen`.
  std::string url() const;

  /// URL, store, what is served, three commands to try; to stdout.
  /// @param program how `troupe` was started; empty if this is another program
  void print_banner(const std::string& program) const;

  // -- the way down ----------------------------------------------------------

  /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those that it will
  /// start, for `serve`; ignores SIGPIPE.
  static void take_signals();

  /// Has `serve` do what it does on SIGTERM. Fails if nobody is in it: then the
  /// node belongs to a program that ends it itself.
  expected<void> leave();

  /// Waits for signals: SIGTERM or SIGINT drain, a second one ends the process
  /// at once, SIGHUP reloads the plugins. Returns the exit status.
  int serve();

  /// Refuses new work, lets what is in flight finish, and ends, all within the
  /// options' shutdown time. False if something was cut off.
  bool drain();

private:
  /// What callers of this node see of the cluster.
  std::shared_ptr<const cluster_view> view() const;
  bool is_up() const;
  join_reports reports_of_joins();
  expected<void> drain_node(const std::string& id);
  std::chrono::milliseconds grace() const;
  bool leave_cluster(std::chrono::milliseconds time);
  expected<std::string> owner_text(const std::string& service,
                                   const std::string& key) const;
  std::string cluster_json() const;
  std::vector<subscription_view> subscription_views() const;
  std::vector<passed_over_subscription> passed_over_subscriptions() const;
  std::string subscriptions_json() const;
  json subscription_json(const std::string& name) const;
  std::function<void(const std::string&)> log_of_faults() const;

  subscriptions::log_writer writer_of_brokers() const;

  void start_subscriptions();
  std::string metrics_text() const;
  std::optional<schedule_counts> schedule_counts_now() const;
  void ask_tree(std::function<void(expected<std::string>)> done);
  expected<void> join_cluster();
  void stop_subscriptions(std::chrono::milliseconds patience);
  expected<void> install_own();
  expected<void> load_plugin_file(const std::string& file);

  node_options options_;
  std::string incarnation_;
  std::shared_ptr<spdlog::logger> log_;
  cluster_log cluster_log_;
  event_router events_;
  std::unique_ptr<outside_sender> outside_; // outlives the actors
  std::unique_ptr<assembly> assembly_;
  std::atomic<assembly*> current_{nullptr};   // for the store's threads
  std::unique_ptr<schedule_watch> schedules_; // null if the store has none
  gateway_host host_;
  std::unique_ptr<subscriptions> subscriptions_; // null before they start
  std::unique_ptr<subscription_follower> follower_;
  std::atomic<subscriptions*> current_subscriptions_{nullptr}; // for HTTP
  std::unique_ptr<http::server> server_;
  std::map<std::string, uint64_t> fingerprints_; // by plugin file
  std::atomic<bool> ready_{false};
  std::mutex mutex_; // guards what follows
  std::string refused_;
  std::optional<pthread_t> serving_;
};

/// Runs a node until it is told to stop.
/// @returns the exit status: 0 after a clean shutdown, 1 if it could not start
///          or calls were cut off
int run_node(node_options options, const std::string& program = "troupe");

} // namespace troupe
