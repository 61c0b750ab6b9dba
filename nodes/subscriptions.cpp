#include "nodes/subscriptions.hpp"

#include <algorithm>
#include <thread>

#include "actors/messages/subscription_lease.hpp"
#include "nodes/assembly.hpp"
#include "nodes/mqtt/mqtt_source.hpp"
#include "nodes/nats/nats_source.hpp"
#include "nodes/secrets_folder.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe {

namespace {

intake_surroundings surroundings_of(assembly& actors, delay_line& delays) {
  intake_surroundings result;
  result.bury = [&work = actors.work()](work_request letter, error why,
                                        auto done) {
    work.bury(std::move(letter), why, std::move(done));
  };
  result.after = [&delays](auto time, auto what) {
    delays.after(time, std::move(what));
  };
  result.clock = [&work = actors.work()] { return work.now(); };
  return result;
}

std::unique_ptr<message_source>
make_source(const subscription& what, message_sink& sink, broker_log& log) {
  auto watch = [&log, name = what.name,
                broker = to_string(what.broker, what.kind)](
                 bool is_there, const std::string& why) {
    log.changed(broker, name, is_there, why);
  };
  switch (what.kind) {
  case broker_kind::mqtt:
    return std::make_unique<mqtt_source>(
      what, sink, watch, [&log](const std::string& x) { log.warn(x); });
  case broker_kind::nats:
  case broker_kind::jetstream:
    return std::make_unique<nats_source>(what, sink, watch);
  }
  return nullptr;
}

} // namespace

class subscriptions::entry : public std::enable_shared_from_this<entry> {
public:
  entry(assembly& actors, delay_line& delays, broker_log& log,
        const subscription& what, bool is_option)
    : delays_(delays), log_(log), intake_(std::make_shared<message_intake>(
                                    actors.system(), actors.environment(), what,
                                    surroundings_of(actors, delays))),
      locks_(actors.cluster() && what.has_one_owner() ? actors.store().locks()
                                                      : nullptr),
      is_option_(is_option) {}

  void start() {
    if (!locks_)
      return begin();
    lease_options options;
    options.after = [&delays = delays_](auto time, auto then) {
      delays.after(time, std::move(then));
    };
    // It may be over before its last step is.
    options.on_gained = [self = weak_from_this()] {
      if (auto x = self.lock())
        x->begin();
    };
    // Another node may have it already.
    options.on_lost = [self = weak_from_this()] {
      if (auto x = self.lock())
        x->end(std::chrono::milliseconds{0});
    };
    lease_ = std::make_shared<subscription_lease>(*locks_, what().name,
                                                  std::move(options));
    lease_->start();
  }

  void stop(std::chrono::milliseconds patience) {
    {
      std::lock_guard guard{mutex_};
      is_stopped_ = true;
    }
    end(patience);
    if (lease_)
      lease_->stop();
  }

  /// Its broker is to collect no more for it once it stops.
  void forget() {
    std::lock_guard guard{mutex_};
    is_forgotten_ = true;
  }

  const subscription& what() const noexcept { return intake_->what(); }

  bool is_option() const noexcept { return is_option_; }

  subscription_view view() const {
    subscription_view result;
    result.what = {intake_, &what()};
    result.is_option = is_option_;
    auto count = [](auto& x) { return x.load(std::memory_order_relaxed); };
    result.succeeded = count(intake_->counts().succeeded);
    result.retried = count(intake_->counts().retried);
    result.dead = count(intake_->counts().dead);
    result.last_failure = intake_->last_error();
    std::lock_guard guard{mutex_};
    result.is_here = source_ != nullptr;
    result.source = status();
    result.source.last_error =
      without_paths(std::move(result.source.last_error), what().broker);
    return result;
  }

private:
  /// It is this node's.
  void begin() {
    std::lock_guard guard{mutex_};
    if (is_stopped_ || source_)
      return;
    intake_->resume();
    source_ = make_source(intake_->what(), *intake_, log_);
    source_->start();
  }

  /// It is this node's no more.
  void end(std::chrono::milliseconds patience) {
    std::unique_ptr<message_source> source;
    {
      std::lock_guard guard{mutex_};
      source = std::move(source_);
      if (source)
        ending_ = source.get();
      // Before messages are given back, which would end the connection.
      if (source && is_forgotten_)
        source->unsubscribe();
    }
    intake_->pause();
    if (!source)
      return;
    source->stop(patience);
    std::lock_guard guard{mutex_};
    ending_ = nullptr;
    before_ = sum(before_, source->status());
  }

  /// With what sources before this one did. @pre the mutex is held
  source_status status() const {
    auto now = source_ ? source_.get() : ending_;
    return now ? sum(before_, now->status()) : before_;
  }

  static source_status sum(const source_status& before, source_status x) {
    x.delivered += before.delivered;
    x.redelivered += before.redelivered;
    x.acknowledged += before.acknowledged;
    x.given_back += before.given_back;
    x.connections += before.connections;
    if (x.last_error.empty() && x.state != source_state::connected)
      x.last_error = before.last_error;
    return x;
  }

  delay_line& delays_;
  broker_log& log_;
  const std::shared_ptr<message_intake> intake_;
  lock_table* const locks_; // null if it needs no owner
  const bool is_option_;
  std::shared_ptr<subscription_lease> lease_; // null before it starts, too
  mutable std::mutex mutex_;                  // guards what follows
  std::unique_ptr<message_source> source_;
  const message_source* ending_ = nullptr;
  source_status before_;
  bool is_stopped_ = false;
  bool is_forgotten_ = false;
};

subscriptions::subscriptions(assembly& actors,
                             const std::vector<subscription>& all,
                             log_writer write)
  : actors_(actors), delays_(std::make_unique<delay_line>()),
    log_(std::move(write), [this](auto time, auto what) {
      delays_->after(time, std::move(what));
    }) {
  for (auto& x : all)
    entries_.push_back(
      std::make_shared<entry>(actors, *delays_, log_, x, true));
}

subscriptions::~subscriptions() {
  stop(std::chrono::milliseconds{0});
}

void subscriptions::start() {
  for (auto& x : all())
    x->start();
}

void subscriptions::stop(std::chrono::milliseconds patience) {
  stop(all(), patience);
  // What is left of it is done now, and nobody is told of leases any more.
  delays_->end();
}

void subscriptions::stop(const entries& which,
                         std::chrono::milliseconds patience) {
  // All at once: their patience is one.
  std::vector<std::thread> threads;
  for (auto& x : which)
    threads.emplace_back([&x, patience] { x->stop(patience); });
  for (auto& x : threads)
    x.join();
}

std::vector<subscription_view> subscriptions::list() const {
  std::vector<subscription_view> result;
  for (auto& x : all())
    result.push_back(x->view());
  std::sort(result.begin(), result.end(),
            [](auto& x, auto& y) { return x.what->name < y.what->name; });
  return result;
}

bool subscriptions::is_option(const std::string& name) const {
  auto now = all();
  return std::any_of(now.begin(), now.end(), [&](auto& x) {
    return x->is_option() && x->what().name == name;
  });
}

void subscriptions::follow(const std::vector<subscription>& declared,
                           std::chrono::milliseconds patience) {
  auto before = all();
  entries kept;
  entries unwanted;
  for (auto& x : before) {
    auto is_wanted = x->is_option()
                     || std::find(declared.begin(), declared.end(), x->what())
                          != declared.end();
    (is_wanted ? kept : unwanted).push_back(x);
  }
  entries added;
  for (auto& what : declared)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](auto& x) { return x->what().name == what.name; }))
      added.push_back(
        std::make_shared<entry>(actors_, *delays_, log_, what, false));
  for (auto& x : unwanted) {
    auto goes_on = [&](auto& what) {
      return what.shares_session_with(x->what());
    };
    // One that goes on with its session must not lose what comes meanwhile.
    if (std::none_of(declared.begin(), declared.end(), goes_on))
      x->forget();
  }
  // One that has changed ends before it begins again, with its name.
  stop(unwanted, patience);
  kept.insert(kept.end(), added.begin(), added.end());
  {
    std::lock_guard guard{mutex_};
    entries_ = std::move(kept);
  }
  for (auto& x : added)
    x->start();
}

void subscriptions::pass_over(std::vector<passed_over_subscription> all) {
  std::lock_guard guard{mutex_};
  passed_over_ = std::move(all);
}

std::vector<passed_over_subscription> subscriptions::all_passed_over() const {
  std::lock_guard guard{mutex_};
  return passed_over_;
}

subscriptions::entries subscriptions::all() const {
  std::lock_guard guard{mutex_};
  return entries_;
}

json to_json(const passed_over_subscription& x) {
  auto result = declared_json(x.name, x.fields);
  for (auto name : {"broker", "topic"})
    if (auto i = x.fields.find(name); i != x.fields.end())
      result[name] = i->second;
  result["state"] = passed_over;
  result["brokerError"] = x.why;
  return result;
}

json to_json(const subscription_view& x) {
  auto& what = *x.what;
  auto& to = what.target;
  auto key = what.topic.has_key() ? "{key}" : to.key;
  auto target = to.is_entity() ? work_target{to.service, {}, key, to.method}
                               : work_target{to.function, to.qualifier};
  auto text_or_null = [](const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
  };
  auto state = x.is_here ? std::string{to_string(x.source.state)} : "standby";
  json result{{"name", what.name},
              {"declared", x.is_option ? "option" : "runtime"},
              {"kind", to_string(what.kind)},
              {"broker", to_string(what.broker, what.kind)},
              {"topic", what.topic.text()},
              {"target", to_string(target)},
              {"state", state},
              {"inFlight", x.source.in_flight},
              {"lag", nullptr},
              {"connections", x.source.connections},
              {"delivered", x.source.delivered},
              {"redelivered", x.source.redelivered},
              {"acknowledged", x.source.acknowledged},
              {"givenBack", x.source.given_back},
              {"succeeded", x.succeeded},
              {"retried", x.retried},
              {"deadLettered", x.dead},
              {"brokerError", text_or_null(x.source.last_error)},
              {"lastFailure", text_or_null(x.last_failure)}};
  if (x.source.lag)
    result["lag"] = *x.source.lag;
  return result;
}

} // namespace troupe
