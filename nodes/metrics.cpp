#include "nodes/metrics.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace troupe {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Bounds of the histogram that goes out: every second power of two from 1 µs
/// to 33 s.
constexpr size_t bucket_step = 2;

class families {
public:
  /// One row for each target, in the families below.
  void add(const std::string& name, const std::string& version,
           const call_target& target) {
    auto stats = target.stats();
    std::vector<ClientMetric::Label> labels{
      {"kind", std::string{target.kind()}}, {"name", name}};
    if (!version.empty())
      labels.push_back({"version", version});
    counter(calls_, labels, stats.calls);
    counter(failures_, labels, stats.failures);
    counter(rejected_, labels, stats.rejected);
    counter(late_, labels, stats.late);
    counter(restarts_, labels, stats.restarts);
    gauge(instances_, labels, stats.instances);
    gauge(in_flight_, labels, stats.in_flight);
    gauge(queued_, labels, stats.queued);
    gauge(quarantined_, labels, stats.quarantined ? 1 : 0);
    histogram(durations_, labels, stats.durations, stats.busy_ns);
  }

  void add_http(const http::statistics& http) {
    gauge(connections_, {}, static_cast<double>(http.connections));
    counter(requests_, {}, http.requests);
    counter(refused_, {}, http.refused);
    counter(turned_away_, {}, http.turned_away);
    counter(bytes_in_, {}, http.bytes_in);
    counter(bytes_out_, {}, http.bytes_out);
  }

  void add_locks(const lock_metrics& locks) {
    auto& x = locks.requests;
    one("troupe_locks_held",
        "Locks that this node granted, and that are held as far as it knows.",
        MetricType::Gauge, static_cast<double>(x.held));
    one("troupe_locks_awaited", "Requests that wait for a lock now.",
        MetricType::Gauge, static_cast<double>(x.waiting));
    count("troupe_lock_grants_total", "Locks that this node granted.",
          x.grants);
    count("troupe_lock_waits_total", "Requests that had to wait for a lock.",
          x.waits);
    count(
      "troupe_lock_timeouts_total",
      "Requests that did not get the lock in the time they had, be it none.",
      x.timeouts);
    count("troupe_lock_renewals_refused_total",
          "Renewals by one that did not hold the lock any more.",
          x.renewals_refused);
    count("troupe_lock_commits_refused_total",
          "Commits refused because a lock had moved on.",
          locks.commits_refused);
    auto waited =
      make("troupe_lock_wait_seconds",
           "From the request of a lock to its grant.", MetricType::Histogram);
    histogram(waited, {}, x.waited, x.waited_ns);
    others_.push_back(std::move(waited));
  }

  void add_work(const dispatcher& work) {
    auto& x = work.counts();
    count("troupe_queue_accepted_total", "Queued calls accepted by this node.",
          x.accepted);
    count("troupe_queue_begun_at_once_total",
          "Of them those that did not wait.", x.begun_at_once);
    count("troupe_queue_claimed_total",
          "Queued calls that this node took out of the queue.", x.claimed);
    auto attempts =
      make("troupe_queue_attempts_total",
           "Attempts at queued calls of this node, by what became of them.",
           MetricType::Counter);
    counter(attempts, {{"outcome", "succeeded"}}, x.succeeded);
    counter(attempts, {{"outcome", "retried"}}, x.retried);
    counter(attempts, {{"outcome", "failed"}}, x.failed);
    counter(attempts, {{"outcome", "dead_lettered"}}, x.dead);
    counter(attempts, {{"outcome", "claim_lost"}}, x.refused);
    others_.push_back(std::move(attempts));
    count("troupe_queue_given_back_total",
          "Queued calls of nodes that died which this one gave back.",
          x.given_back);
    count("troupe_queue_expired_total",
          "Queued calls that nobody could begin in time.", x.expired);
    std::array<uint64_t, call_stats::buckets> waits{};
    std::copy(x.waited.begin(), x.waited.end(), waits.begin());
    auto waited = make("troupe_queue_wait_seconds",
                       "From when a queued call was due to its first attempt.",
                       MetricType::Histogram);
    histogram(waited, {}, waits, x.waited_ms * 1'000'000);
    others_.push_back(std::move(waited));
    one("troupe_queue_running_here", "Queued calls that this node does now.",
        MetricType::Gauge, work.running());
    if (auto depth = work.depth())
      add_depth(*depth, work.now());
  }

  /// Of the whole cluster: its nodes share them.
  void add_schedules(const schedule_counts& x, work_time now) {
    auto all = make("troupe_schedules", "Schedules, of the whole cluster.",
                    MetricType::Gauge);
    gauge(all, {{"state", "active"}}, static_cast<double>(x.active));
    gauge(all, {{"state", "paused"}}, static_cast<double>(x.paused));
    gauge(all, {{"state", "ended"}}, static_cast<double>(x.ended));
    others_.push_back(std::move(all));
    one("troupe_schedule_firings", "Firings of all schedules that are there.",
        MetricType::Gauge, static_cast<double>(x.fired));
    one("troupe_schedule_skipped",
        "Missed firings of them that were not made up for.", MetricType::Gauge,
        static_cast<double>(x.skipped));
    if (!x.next)
      return;
    one("troupe_schedule_next_seconds",
        "Until the next firing of any; below zero if it is late.",
        MetricType::Gauge, static_cast<double>((*x.next - now).count()) * 1e-3);
  }

  void add_subscriptions(const std::vector<subscription_view>& all) {
    using view = const subscription_view&;
    auto each = [&](const char* name, const char* help, MetricType type,
                    auto value) {
      auto family = make(name, help, type);
      for (auto& x : all) {
        std::optional<uint64_t> number = value(x);
        if (!number)
          continue;
        labels_type labels{{"subscription", x.what->name}};
        if (type == MetricType::Counter)
          counter(family, labels, *number);
        else
          gauge(family, labels, static_cast<double>(*number));
      }
      others_.push_back(std::move(family));
    };
    constexpr auto level = MetricType::Gauge;
    constexpr auto sum = MetricType::Counter;
    each("troupe_subscription_owned",
         "1 while this node has the subscription, alone or with others.", level,
         [](view x) { return x.is_here ? 1 : 0; });
    each("troupe_subscription_connected",
         "1 while the broker sends its messages here.", level, [](view x) {
           return x.source.state == source_state::connected ? 1 : 0;
         });
    each("troupe_subscription_in_flight", "Messages under way.", level,
         [](view x) { return x.source.in_flight; });
    each("troupe_subscription_lag",
         "Messages that the broker has not sent yet, if it tells.", level,
         [](view x) { return x.source.lag; });
    each("troupe_subscription_connections_total",
         "Connections that were made to the broker.", sum,
         [](view x) { return x.source.connections; });
    each("troupe_subscription_delivered_total", "Messages that came.", sum,
         [](view x) { return x.source.delivered; });
    each("troupe_subscription_redelivered_total",
         "Messages that came again, as the broker says.", sum,
         [](view x) { return x.source.redelivered; });
    each("troupe_subscription_acknowledged_total",
         "Messages that the broker was told to forget.", sum,
         [](view x) { return x.source.acknowledged; });
    each("troupe_subscription_given_back_total",
         "Messages that the broker got back.", sum,
         [](view x) { return x.source.given_back; });
    each("troupe_subscription_done_total", "Messages whose call was answered.",
         sum, [](view x) { return x.succeeded; });
    each("troupe_subscription_retries_total",
         "Calls that failed and are made again.", sum,
         [](view x) { return x.retried; });
    each("troupe_subscription_dead_letters_total",
         "Messages that became dead letters.", sum,
         [](view x) { return x.dead; });
  }

  void add_events(const event_router& events) {
    auto calls = make("troupe_event_calls_total",
                      "Calls that events came to, by rule: accepted over HTTP, "
                      "known already, or published by handlers here.",
                      MetricType::Counter);
    for (size_t i = 0; i < events.rules().size(); ++i) {
      auto& x = events.counts(i);
      auto add = [&](const char* what, uint64_t value) {
        counter(calls, {{"rule", events.rules()[i].name}, {"what", what}},
                value);
      };
      add("accepted", x.accepted);
      add("repeated", x.repeated);
      add("published", x.published);
    }
    others_.push_back(std::move(calls));
  }

  void add_cluster(cluster_member& member) {
    auto& counts = member.state().counts;
    auto view = member.state().views.load();
    constexpr auto second = 1e-9;
    one("troupe_cluster_nodes", "Nodes of the cluster that are not down.",
        MetricType::Gauge, static_cast<double>(view->nodes.size()));
    one("troupe_cluster_shards_owned", "Shards that this node owns.",
        MetricType::Gauge, view->shards_of(view->self));
    one("troupe_cluster_lease_valid", "1 while this node may serve.",
        MetricType::Gauge, member.state().lease.valid() ? 1 : 0);
    one(
      "troupe_cluster_takeover_seconds_last",
      "From the last sign of life of a node to the moment when this one owned "
      "its shards.",
      MetricType::Gauge, static_cast<double>(counts.takeover_ns) * second);
    one("troupe_cluster_takeover_seconds_max", "The longest of those.",
        MetricType::Gauge,
        static_cast<double>(counts.takeover_ns_max) * second);
    count("troupe_cluster_shards_taken_total",
          "Shards that this node took from dead ones.", counts.taken);
    count("troupe_cluster_shards_got_total", "Shards that this node got.",
          counts.got);
    count("troupe_cluster_shards_given_total",
          "Shards that this node gave away.", counts.given);
    count("troupe_cluster_nodes_declared_dead_total",
          "Nodes that this one has declared dead.", counts.declared);
    count("troupe_cluster_fenced_total",
          "How often this node was declared dead.", counts.fenced);
    count("troupe_cluster_lease_renewals_total", "Renewals of its lease.",
          counts.renewals);
    count("troupe_cluster_lease_renewals_failed_total",
          "Renewals that the store did not do.", counts.renewals_failed);
    one("troupe_cluster_calls_held", "Calls that wait for an owner.",
        MetricType::Gauge, member.router().held());
    count("troupe_cluster_calls_held_total",
          "Calls that had to wait for an owner.", member.router().held_ever());
    add_links(member.links());
  }

  std::string text() const {
    auto all = others_;
    all.insert(all.begin(),
               {calls_, failures_, rejected_, late_, restarts_, instances_,
                in_flight_, queued_, quarantined_, durations_, connections_,
                requests_, refused_, turned_away_, bytes_in_, bytes_out_});
    return prometheus::TextSerializer{}.Serialize(all);
  }

private:
  using labels_type = std::vector<ClientMetric::Label>;

  static MetricFamily make(const char* name, const char* help,
                           MetricType type) {
    MetricFamily result;
    result.name = name;
    result.help = help;
    result.type = type;
    return result;
  }

  void one(const char* name, const char* help, MetricType type, double value) {
    auto family = make(name, help, type);
    if (type == MetricType::Gauge)
      gauge(family, {}, value);
    else
      counter(family, {}, static_cast<uint64_t>(value));
    others_.push_back(std::move(family));
  }

  void count(const char* name, const char* help, uint64_t value) {
    one(name, help, MetricType::Counter, static_cast<double>(value));
  }

  /// Of the whole cluster: it has one queue.
  void add_depth(const std::vector<work_count>& lanes, work_time now) {
    auto waiting =
      make("troupe_queue_waiting",
           "Queued calls that wait, of the whole cluster.", MetricType::Gauge);
    auto running =
      make("troupe_queue_running",
           "Queued calls that run, of the whole cluster.", MetricType::Gauge);
    auto dead = make("troupe_queue_dead_letters",
                     "Queued calls that failed for good and are kept.",
                     MetricType::Gauge);
    auto oldest = make("troupe_queue_oldest_seconds",
                       "How long ago the oldest of what waits was accepted.",
                       MetricType::Gauge);
    for (auto& x : lanes) {
      labels_type labels{{"lane", x.lane}};
      gauge(waiting, labels, static_cast<double>(x.waiting));
      gauge(running, labels, static_cast<double>(x.claimed));
      gauge(dead, labels, static_cast<double>(x.dead));
      auto age = x.oldest ? now - *x.oldest : now - now;
      gauge(oldest, labels, static_cast<double>(age.count()) * 1e-3);
    }
    for (auto family : {&waiting, &running, &dead, &oldest})
      others_.push_back(std::move(*family));
  }

  void add_links(const std::vector<peer_link_ptr>& links) {
    auto up = make("troupe_link_up", "1 while there is a link to that node.",
                   MetricType::Gauge);
    auto in_flight = make("troupe_link_calls_in_flight",
                          "Calls under way to that node.", MetricType::Gauge);
    auto calls = make("troupe_link_calls_total", "Calls sent to that node.",
                      MetricType::Counter);
    auto lost =
      make("troupe_link_calls_lost_total",
           "Calls under way when the link ended.", MetricType::Counter);
    auto version =
      make("troupe_link_wire_version",
           "The version of the wire that both nodes speak.", MetricType::Gauge);
    for (auto& link : links) {
      auto stats = link->stats();
      labels_type labels{{"node", link->where().who.node}};
      gauge(up, labels, stats.up ? 1 : 0);
      gauge(in_flight, labels, stats.in_flight);
      counter(calls, labels, stats.calls);
      counter(lost, labels, stats.lost);
      gauge(version, labels, stats.wire_version);
    }
    for (auto family : {&up, &in_flight, &calls, &lost, &version})
      others_.push_back(std::move(*family));
  }

  static void counter(MetricFamily& to, const labels_type& labels,
                      uint64_t value) {
    ClientMetric x;
    x.label = labels;
    x.counter.value = static_cast<double>(value);
    to.metric.push_back(std::move(x));
  }

  static void gauge(MetricFamily& to, const labels_type& labels, double value) {
    ClientMetric x;
    x.label = labels;
    x.gauge.value = value;
    to.metric.push_back(std::move(x));
  }

  using buckets = std::array<uint64_t, call_stats::buckets>;

  static void histogram(MetricFamily& to, const labels_type& labels,
                        const buckets& durations, uint64_t sum_ns) {
    ClientMetric x;
    x.label = labels;
    uint64_t below = 0;
    for (size_t i = 0; i + 1 < call_stats::buckets; ++i) {
      below += durations[i];
      if (i % bucket_step == 0)
        x.histogram.bucket.push_back(
          {below, static_cast<double>(uint64_t{1} << i) * 1e-6});
    }
    below += durations[call_stats::buckets - 1];
    x.histogram.bucket.push_back(
      {below, std::numeric_limits<double>::infinity()});
    x.histogram.sample_count = below;
    x.histogram.sample_sum = static_cast<double>(sum_ns) * 1e-9;
    to.metric.push_back(std::move(x));
  }

  MetricFamily calls_ =
    make("troupe_calls_total", "Calls that ran.", MetricType::Counter);
  MetricFamily failures_ =
    make("troupe_call_failures_total", "Calls that ran and failed.",
         MetricType::Counter);
  MetricFamily rejected_ =
    make("troupe_calls_rejected_total",
         "Calls refused by a full queue or a quarantine.", MetricType::Counter);
  MetricFamily late_ =
    make("troupe_calls_late_total",
         "Calls whose deadline passed before they began.", MetricType::Counter);
  MetricFamily restarts_ =
    make("troupe_restarts_total", "Instances that died and were replaced.",
         MetricType::Counter);
  MetricFamily instances_ =
    make("troupe_instances", "Instances, or activations of a service.",
         MetricType::Gauge);
  MetricFamily in_flight_ =
    make("troupe_calls_in_flight", "Calls that run now.", MetricType::Gauge);
  MetricFamily queued_ =
    make("troupe_calls_queued", "Calls that wait now.", MetricType::Gauge);
  MetricFamily quarantined_ = make(
    "troupe_quarantined", "1 while it is out of service.", MetricType::Gauge);
  MetricFamily durations_ =
    make("troupe_call_duration_seconds", "How long handlers ran.",
         MetricType::Histogram);
  MetricFamily connections_ = make("troupe_http_connections",
                                   "Open HTTP connections.", MetricType::Gauge);
  MetricFamily requests_ =
    make("troupe_http_requests_total", "HTTP requests that were understood.",
         MetricType::Counter);
  MetricFamily refused_ =
    make("troupe_http_requests_refused_total", "HTTP requests that were not.",
         MetricType::Counter);
  MetricFamily turned_away_ =
    make("troupe_http_connections_turned_away_total",
         "Connections past the limit.", MetricType::Counter);
  MetricFamily bytes_in_ = make("troupe_http_received_bytes_total",
                                "Bytes received.", MetricType::Counter);
  MetricFamily bytes_out_ =
    make("troupe_http_sent_bytes_total", "Bytes sent.", MetricType::Counter);

  std::vector<MetricFamily> others_;
};

} // namespace

std::string prometheus_text(const route_table& routes,
                            const http::statistics& http,
                            const lock_metrics& locks, const dispatcher& work,
                            const std::optional<schedule_counts>& schedules,
                            cluster_member* cluster,
                            const std::vector<subscription_view>& messages,
                            const event_router& events) {
  families all;
  for (auto& [name, route] : routes.functions)
    for (auto& [version, target] : route.versions)
      all.add(name, std::to_string(version), *target);
  for (auto& [name, route] : routes.services)
    all.add(name, {}, *route.host);
  all.add_http(http);
  all.add_locks(locks);
  all.add_work(work);
  if (schedules)
    all.add_schedules(*schedules, work.now());
  if (cluster)
    all.add_cluster(*cluster);
  if (!messages.empty())
    all.add_subscriptions(messages);
  if (!events.rules().empty())
    all.add_events(events);
  return all.text();
}

} // namespace troupe
