#include "nodes/node.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <future>
#include <random>
#include <thread>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "actors/core/codec.hpp"
#include "actors/core/outside.hpp"
#include "actors/messages/subscription_book.hpp"
#include "actors/work/group_service.hpp"
#include "actors/work/schedule_service.hpp"
#include "nodes/banner.hpp"
#include "nodes/cluster_report.hpp"
#include "nodes/cluster_setup.hpp"
#include "nodes/events/outside_sender.hpp"
#include "nodes/link/caf_link.hpp"
#include "nodes/log_line.hpp"
#include "nodes/metrics.hpp"
#include "nodes/plugin.hpp"
#include "nodes/store/store_url.hpp"
#include "nodes/target_check.hpp"
#include "nodes/time_zones.hpp"
#include "nodes/tree_report.hpp"
#include "nodes/units.hpp"
#include "nodes/work_warnings.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// How long a start waits for the cluster.
constexpr auto join_limit = 10s;

/// How long a node that has left still tells others where their calls belong:
/// longer than they need to see that it has.
constexpr auto farewell = 1s;

/// How long messages that are under way get when a node leaves; what is not done
/// by then is the broker's again.
constexpr auto message_limit = 5s;

/// Between two looks at something that is waited for.
constexpr auto poll_interval = 5ms;

std::string random_id() {
  std::random_device entropy;
  invocation_id id{uint64_t{entropy()} << 32 | entropy(),
                   uint64_t{entropy()} << 32 | entropy()};
  return to_string(id);
}

std::string host_name() {
  utsname info{};
  return ::uname(&info) == 0 ? info.nodename : "node";
}

/// How queued calls of what the node brings along are treated: a schedule that
/// gives up would never fire again, a group never end.
work_policy policy_of_own(const std::string& lane) {
  auto result = default_policy(lane);
  for (std::string_view service : {schedules_service, groups_service})
    if (lane.size() == service.size() + 1 && lane.starts_with(service)
        && lane.back() == '/') {
      result.attempts_max = defaults::work::attempts_max;
      result.age_max = defaults::work::age_max_max;
    }
  return result;
}

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
  case log_level::trace:
    return spdlog::level::trace;
  case log_level::debug:
    return spdlog::level::debug;
  case log_level::info:
    return spdlog::level::info;
  case log_level::warn:
    return spdlog::level::warn;
  case log_level::error:
    return spdlog::level::err;
  case log_level::off:
    return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger(const log_options& options) {
  auto result = std::make_shared<spdlog::logger>(
    "troupe", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  result->set_level(to_spdlog(options.level));
  if (options.format == log_format::json)
    result->set_pattern(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l","message":"%v"})",
      spdlog::pattern_time_type::utc);
  else
    result->set_pattern("%H:%M:%S.%e %l: %v");
  return result;
}

expected<store_set> open_own_store(const std::string& url,
                                   postgres_options postgres) {
  auto opened = open_store(url, std::move(postgres));
  if (!opened)
    return opened.error();
  return store_set{std::move(*opened)};
}

/// Text that becomes part of a JSON string in a log line.
std::string escaped(const std::string& text, log_format format) {
  if (format == log_format::text)
    return text;
  auto quoted = dump_json(json(text));
  return quoted.substr(1, quoted.size() - 2);
}

} // namespace

node::node(node_options options)
  : options_(std::move(options)), incarnation_(random_id()),
    log_(make_logger(options_.log)),
    cluster_log_([log = log_, format = options_.log.format](
                   cluster_log::level level, const std::string& line) {
      auto is_warning = level == cluster_log::level::warning;
      log->log(is_warning ? spdlog::level::warn : spdlog::level::info, "{}",
               escaped(line, format));
    }),
    events_(options_.events) {
  if (options_.id.empty())
    options_.id = host_name();
}

node::~node() {
  ready_ = false;
  stop_subscriptions(0ms);
  if (server_)
    server_->stop();
  if (outside_)
    outside_->stop(0ms);
}

// -- start -------------------------------------------------------------------

expected<void> node::open() {
  if (auto valid = options_.validate(); !valid)
    return valid.error();
  host_.secrets = secrets_folder{options_.secrets_folder};
  if (auto good = host_.secrets.check(); !good)
    return good.error();
  postgres_options postgres;
  postgres.replication = options_.replication;
  postgres.log = [log = log_, format = options_.log.format](
                   postgres_notice kind, const std::string& text) {
    auto level =
      kind == postgres_notice::news ? spdlog::level::info : spdlog::level::warn;
    log->log(level, "{}", escaped(text, format));
  };
  postgres.on_new_timeline = [this](auto&, auto&) {
    if (auto actors = current_.load())
      actors->begin_anew();
  };
  auto is_member = options_.cluster.listen.has_value();
  auto store = is_member
                 ? open_shared_store(options_.store_url(), std::move(postgres))
                 : open_own_store(options_.store_url(), std::move(postgres));
  if (!store)
    return store.error();
  assembly_options actors;
  actors.scheduler_threads = options_.scheduler_threads;
  actors.incarnation = incarnation_;
  actors.service.idle_time = options_.entities.idle_time;
  actors.service.events = &events_;
  actors.service.budget =
    std::make_shared<activation_budget>(options_.entities.activations);
  actors.adjust_limits = [this](const std::string& name,
                                function_limits limits) {
    auto i = options_.limits.find(name);
    return i != options_.limits.end() ? i->second.apply(limits) : limits;
  };
  actors.work.room.node_max = options_.queue.concurrency;
  actors.work.keep_results = options_.queue.keep_results;
  actors.work.keep_dead = options_.queue.keep_dead;
  actors.work.policy = [this](const std::string& lane) {
    auto i = options_.queued.find(lane);
    auto own = policy_of_own(lane);
    return i != options_.queued.end() ? i->second.apply(own) : own;
  };
  outside_ = std::make_unique<outside_sender>(
    options_.queue.send_timeout, options_.destinations, log_of_faults());
  actors.work.sender = outside_.get();
  if (is_member) {
    actors.prepare = link::prepare;
    actors.cluster =
      make_cluster_options(options_, reports_of_joins(), cluster_log_);
  }
  try {
    assembly_ =
      std::make_unique<assembly>(std::move(actors), std::move(*store));
    current_ = assembly_.get();
  } catch (const error_exception& e) {
    return e.reason();
  } catch (const std::exception& e) {
    return error{errc::bad_request, e.what()}; // certificates, ports
  }
  if (auto done = install_own(); !done)
    return done;
  if (auto cluster = assembly_->cluster())
    cluster->router().on_drain([this] { static_cast<void>(leave()); });
  host_.cluster = [this] { return cluster_json(); };
  host_.metrics = [this] { return metrics_text(); };
  host_.tree = [this](auto done) { ask_tree(std::move(done)); };
  host_.ready = [this] { return ready_.load() && is_up(); };
  host_.shards = [this] { return dump_json(shards_json(*view())); };
  host_.owner = [this](auto& service, auto& key) {
    return owner_text(service, key);
  };
  host_.drain = [this](auto& id) { return drain_node(id); };
  host_.subscriptions = [this] { return subscriptions_json(); };
  host_.subscription = [this](auto& name) { return subscription_json(name); };
  host_.store = &assembly_->store();
  host_.locks = &assembly_->locks();
  host_.work = &assembly_->work();
  host_.events = &events_;
  return {};
}

expected<void> node::install_own() {
  if (auto done =
        assembly_->install("troupe subscriptions", subscriptions_module());
      !done)
    return done;
  if (!assembly_->store().commits_work())
    return {};
  schedules_ = std::make_unique<schedule_watch>(assembly_->store());
  if (auto done =
        assembly_->install("troupe", schedules_module(load_time_zone));
      !done)
    return done;
  return assembly_->install(
    "troupe groups",
    groups_module({options_.queue.keep_results, options_.queue.keep_dead}));
}

expected<void> node::install(const std::string& owner, const module& content) {
  return assembly_->install(owner, content);
}

expected<void> node::load_plugins() {
  for (auto& file : options_.plugins)
    if (auto loaded = load_plugin_file(file); !loaded)
      return loaded.error();
  auto routes = assembly_->routes();
  for (auto& [name, limits] : options_.limits)
    if (!routes->functions.contains(name))
      log_->warn("--limit: there is no function '{}'", name);
  for (auto& line : warnings_of(options_.queued, *routes))
    log_->warn("--queued: {}", escaped(line, options_.log.format));
  auto check = [&](const char* option, auto& x) {
    if (auto good = check_target(*routes, x.target); !good)
      log_->warn("{} {}: this node cannot call it: {}", option, x.name,
                 escaped(good.error().message(), options_.log.format));
  };
  for (auto& line : warnings_of(options_.destinations))
    log_->warn("--destination {}", escaped(line, options_.log.format));
  for (auto& x : options_.events)
    if (!x.outside)
      check("--event", x);
  for (auto& x : options_.subscriptions)
    check("--subscribe", x);
  return {};
}

expected<void> node::load_plugin_file(const std::string& file) {
  auto plugin = load_plugin(file);
  if (!plugin)
    return plugin.error();
  auto installed = assembly_->install("plugin " + file, plugin->content);
  if (!installed)
    return error{installed.error().code(),
                 "plugin " + file + ": " + installed.error().message()};
  fingerprints_[file] = plugin->fingerprint;
  return {};
}

expected<void> node::listen() {
  auto& from = options_.http;
  http::options to;
  to.address = from.listen.host;
  to.port = from.listen.port;
  to.threads = from.threads;
  to.connections_max = from.connections_max;
  to.head_bytes_max = from.head_bytes_max;
  to.fields_max = from.fields_max;
  to.body_bytes_max = from.body_bytes_max;
  to.head_time = from.head_time;
  to.body_progress_time = from.body_progress_time;
  to.idle_time = from.idle_time;
  to.write_progress_time = from.write_progress_time;
  server_ = std::make_unique<http::server>(to, [this](http::io_thread& io) {
    return std::make_unique<gateway>(io, assembly_->port(), host_);
  });
  try {
    server_->start();
  } catch (const std::exception& e) {
    server_.reset();
    return error{errc::bad_request, e.what()};
  }
  if (auto joined = join(); !joined) {
    server_->stop();
    server_.reset();
    return joined.error();
  }
  ready_ = true;
  return {};
}

join_reports node::reports_of_joins() {
  join_reports result;
  result.refused = [this](const std::string& why) {
    std::lock_guard guard{mutex_};
    if (std::exchange(refused_, why) != why)
      log_->error("cannot join the cluster: {}",
                  escaped(why, options_.log.format));
  };
  result.turned_away = [this](const std::string& why) {
    log_->warn("a node cannot join the cluster: {}",
               escaped(why, options_.log.format));
  };
  return result;
}

expected<void> node::join() {
  if (assembly_->cluster())
    if (auto joined = join_cluster(); !joined)
      return joined.error();
  start_subscriptions();
  return {};
}

expected<void> node::join_cluster() {
  if (auto begun = assembly_->join(url()); !begun)
    return begun.error();
  auto until = std::chrono::steady_clock::now() + join_limit;
  while (!is_up()) {
    {
      std::lock_guard guard{mutex_};
      if (!refused_.empty())
        return error{errc::bad_request, refused_};
    }
    if (std::chrono::steady_clock::now() >= until) {
      log_->warn("still joining the cluster: the store or other nodes do not "
                 "answer; it goes on trying");
      break;
    }
    std::this_thread::sleep_for(poll_interval);
  }
  // So that they need not wait for their next look.
  assembly_->cluster()->router().notify_all(notice_topic::shards);
  return {};
}

// -- while it runs -----------------------------------------------------------

void node::reload_plugins() {
  for (auto& file : options_.plugins) {
    auto current = fingerprint_of(file);
    if (current && fingerprints_[file] == *current) {
      log_->info("plugin {} has not changed",
                 escaped(file, options_.log.format));
      continue;
    }
    if (auto loaded = load_plugin_file(file); loaded)
      log_->info("plugin {} is loaded again",
                 escaped(file, options_.log.format));
    else
      log_->error("{}; the version before stays in service",
                  escaped(loaded.error().message(), options_.log.format));
  }
}

std::string node::url() const {
  if (!server_)
    return {};
  auto at = options_.http.listen;
  at.port = server_->port();
  return "http://" + at.to_string();
}

std::shared_ptr<const cluster_view> node::view() const {
  if (auto cluster = assembly_->cluster())
    return cluster->state().views.load();
  lease_row self;
  self.node = options_.id;
  self.incarnation = incarnation_;
  self.http_url = url();
  self.version = TROUPE_VERSION;
  self.wire_version = options_.cluster.wire_version;
  self.state = ready_ ? node_state::up : node_state::draining;
  return std::make_shared<cluster_view>(
    alone(std::move(self), options_.cluster.shards));
}

bool node::is_up() const {
  auto now = view();
  auto own = now->own();
  return own && own->state == node_state::up;
}

expected<std::string> node::owner_text(const std::string& service,
                                       const std::string& key) const {
  auto found = owner_json(*view(), service, key);
  if (!found)
    return found.error();
  return dump_json(*found);
}

std::string node::cluster_json() const {
  auto routes = assembly_->routes();
  return dump_json({{"nodes", nodes_json(*view())},
                    {"functions", functions_json(*routes)},
                    {"services", services_json(*routes)}});
}

std::string node::metrics_text() const {
  return prometheus_text(*assembly_->routes(), server_->stats(),
                         {assembly_->locks().stats(), assembly_->locks_lost()},
                         assembly_->work(), schedule_counts_now(),
                         assembly_->cluster(), subscription_views(), events_);
}

std::optional<schedule_counts> node::schedule_counts_now() const {
  return schedules_ ? schedules_->ask() : std::nullopt;
}

std::vector<subscription_view> node::subscription_views() const {
  auto all = current_subscriptions_.load();
  return all ? all->list() : std::vector<subscription_view>{};
}

std::vector<passed_over_subscription> node::passed_over_subscriptions() const {
  if (auto all = current_subscriptions_.load())
    return all->all_passed_over();
  return {};
}

std::string node::subscriptions_json() const {
  auto list = json::array();
  for (auto& x : subscription_views())
    list.push_back(to_json(x));
  for (auto& x : passed_over_subscriptions())
    list.push_back(to_json(x));
  return dump_json({{"node", options_.id}, {"subscriptions", std::move(list)}});
}

json node::subscription_json(const std::string& name) const {
  for (auto& x : subscription_views())
    if (x.what->name == name)
      return to_json(x);
  for (auto& x : passed_over_subscriptions())
    if (x.name == name)
      return to_json(x);
  return nullptr;
}

void node::ask_tree(std::function<void(expected<std::string>)> done) {
  beside_the_tree more{assembly_->work().running(), {}};
  for (auto& x : subscription_views())
    more.subscriptions.push_back(describe(x));
  assembly_->ask_tree(
    [more = std::move(more), done = std::move(done)](expected<tree_node> tree) {
      if (tree)
        done(dump_json(tree_json(std::move(*tree), more)));
      else
        done(tree.error());
    });
}

// -- the way down ------------------------------------------------------------

expected<void> node::leave() {
  std::lock_guard guard{mutex_};
  if (!serving_)
    return error{errc::not_implemented,
                 "this node is part of a program that ends it itself"};
  ::pthread_kill(*serving_, SIGTERM);
  return {};
}

expected<void> node::drain_node(const std::string& id) {
  if (id == options_.id)
    return leave();
  auto now = view();
  for (auto& x : now->nodes) {
    if (x.node != id)
      continue;
    assembly_->cluster()->router().notify(x.incarnation, notice_topic::drain);
    return {};
  }
  return error{errc::not_found, "there is no node '" + id + "'"};
}

std::chrono::milliseconds node::grace() const {
  if (options_.shutdown.grace)
    return *options_.shutdown.grace;
  auto is_alone = view()->nodes.size() < 2;
  return is_alone ? 0ms : shutdown_options::grace_in_company;
}

std::function<void(const std::string&)> node::log_of_faults() const {
  return [log = log_, format = options_.log.format](const std::string& text) {
    log->warn("could not tell somebody outside: {}",
              escaped(log_line(text), format));
  };
}

subscriptions::log_writer node::writer_of_brokers() const {
  return [log = log_, format = options_.log.format](broker_log::level level,
                                                    const std::string& line) {
    auto is_warning = level == broker_log::level::warning;
    log->log(is_warning ? spdlog::level::warn : spdlog::level::info, "{}",
             escaped(line, format));
  };
}

void node::start_subscriptions() {
  auto& name = options_.cluster.name;
  auto cluster = name == member_options{}.name ? "" : name;
  auto of_options = options_.subscriptions;
  for (auto& x : of_options)
    x.cluster = cluster;
  subscriptions_ = std::make_unique<subscriptions>(*assembly_, of_options,
                                                   writer_of_brokers());
  subscriptions_->start();
  current_subscriptions_ = subscriptions_.get();
  follower_options options;
  options.patience = message_limit;
  options.cluster = cluster;
  options.secrets = host_.secrets;
  options.on_fault = [this](auto& name, auto& why) {
    log_->warn("the subscription '{}' is passed over: {}",
               escaped(name, options_.log.format),
               escaped(why, options_.log.format));
  };
  follower_ = std::make_unique<subscription_follower>(
    assembly_->store(), *subscriptions_, std::move(options));
  follower_->start();
}

void node::stop_subscriptions(std::chrono::milliseconds patience) {
  if (follower_)
    follower_->stop();
  if (subscriptions_)
    subscriptions_->stop(patience);
}

bool node::leave_cluster(std::chrono::milliseconds time) {
  auto left = std::make_shared<std::promise<void>>();
  auto has_left = left->get_future();
  assembly_->cluster()->router().notify_all(notice_topic::leaving);
  assembly_->cluster()->drain([left] { left->set_value(); });
  auto is_clean = has_left.wait_for(time) == std::future_status::ready;
  assembly_->cluster()->router().notify_all(notice_topic::shards);
  return is_clean;
}

bool node::drain() {
  auto until = std::chrono::steady_clock::now() + options_.shutdown.timeout;
  auto left = [&] {
    return std::max(0ms, std::chrono::duration_cast<std::chrono::milliseconds>(
                           until - std::chrono::steady_clock::now()));
  };
  log_->info("leaving: no new work, at most {} for what is in flight",
             format_duration(options_.shutdown.timeout));
  ready_ = false;
  std::this_thread::sleep_for(std::min(grace(), left()));
  // Before the shards go, so that what is under way finds its entities here.
  stop_subscriptions(
    std::min<std::chrono::milliseconds>(message_limit, left()));
  assembly_->locks().stop_waiting();
  assembly_->work().stop_claiming();
  // Those who are cut off are told by another node, or by this one next time.
  outside_->stop(std::min<std::chrono::milliseconds>(message_limit, left()));
  auto clean = true;
  if (auto cluster = assembly_->cluster()) {
    auto is_alone = view()->nodes.size() < 2;
    clean = leave_cluster(left());
    if (!is_alone)
      std::this_thread::sleep_for(
        std::min<std::chrono::milliseconds>(farewell, left()));
    // Before HTTP, so that who sees that refused may start the next node here.
    cluster->accept_no_more();
  }
  if (server_) {
    server_->stop_accepting();
    clean = server_->drain(left()) && clean;
  }
  clean = assembly_->drain(left()) && clean;
  if (server_)
    server_->stop();
  return clean;
}

// -- the program -------------------------------------------------------------

namespace {

int fail_start(const error& reason) {
  std::fprintf(stderr, "error: %s: the node cannot start: %s (effect: none)\n",
               std::string{reason.type()}.c_str(), reason.message().c_str());
  return 1;
}

sigset_t control_signals() {
  sigset_t result;
  sigemptyset(&result);
  for (auto x : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&result, x);
  return result;
}

/// Ends the process at once if a second SIGTERM or SIGINT comes.
class second_signal {
public:
  second_signal()
    : thread_([this] {
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGINT);
        timespec slice{0, 50'000'000};
        while (!done_)
          if (sigtimedwait(&wanted, nullptr, &slice) > 0)
            ::_exit(1);
      }) {}

  ~second_signal() {
    done_ = true;
    thread_.join();
  }

private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

} // namespace

void node::print_banner(const std::string& program) const {
  auto text = banner({url(), assembly_->store().describe(),
                      json::parse(cluster_json()), program});
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

int node::serve() {
  auto signals = control_signals();
  {
    std::lock_guard guard{mutex_};
    serving_ = ::pthread_self();
  }
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0)
      continue;
    if (signal == SIGHUP) {
      reload_plugins();
      continue;
    }
    second_signal watch;
    auto clean = drain();
    return clean ? 0 : 1;
  }
}

void node::take_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN); // the write fails, as on a full disk
  auto signals = control_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int run_node(node_options options, const std::string& program) {
  // Before any thread is made, so that all of them leave signals to `serve`.
  node::take_signals();
  node self{std::move(options)};
  if (auto done = self.open(); !done)
    return fail_start(done.error());
  if (auto done = self.load_plugins(); !done)
    return fail_start(done.error());
  if (auto done = self.listen(); !done)
    return fail_start(done.error());
  self.print_banner(program);
  return self.serve();
}

} // namespace troupe
