#include "nodes/subscriptions.hpp"

#include <algorithm>
#include <thread>

#include "nodes/assembly.hpp"
#include "nodes/mqtt/mqtt_source.hpp"
#include "nodes/nats/nats_source.hpp"

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

std::unique_ptr<message_source> make_source(const subscription& what,
                                            message_sink& sink) {
  switch (what.kind) {
  case broker_kind::mqtt:
    return std::make_unique<mqtt_source>(what, sink);
  case broker_kind::nats:
  case broker_kind::jetstream:
    return std::make_unique<nats_source>(what, sink);
  }
  return nullptr;
}

} // namespace

class subscriptions::entry {
public:
  entry(assembly& actors, delay_line& delays, const subscription& what)
    : intake_(
      std::make_shared<message_intake>(actors.system(), actors.environment(),
                                       what, surroundings_of(actors, delays))) {
  }

  void start() {
    std::lock_guard guard{mutex_};
    source_ = make_source(intake_->what(), *intake_);
    source_->start();
  }

  void stop(std::chrono::milliseconds patience) {
    intake_->pause();
    std::lock_guard guard{mutex_};
    if (source_)
      source_->stop(patience);
  }

  subscription_view view() const {
    subscription_view result;
    result.what = &intake_->what();
    auto count = [](auto& x) { return x.load(std::memory_order_relaxed); };
    result.succeeded = count(intake_->counts().succeeded);
    result.retried = count(intake_->counts().retried);
    result.dead = count(intake_->counts().dead);
    result.last_failure = intake_->last_error();
    std::lock_guard guard{mutex_};
    result.is_here = source_ != nullptr;
    if (source_)
      result.source = source_->status();
    return result;
  }

private:
  std::shared_ptr<message_intake> intake_;
  mutable std::mutex mutex_; // guards source_
  std::unique_ptr<message_source> source_;
};

subscriptions::subscriptions(assembly& actors,
                             const std::vector<subscription>& all) {
  for (auto& x : all)
    entries_.push_back(std::make_unique<entry>(actors, delays_, x));
}

subscriptions::~subscriptions() = default;

void subscriptions::start() {
  for (auto& x : entries_)
    x->start();
}

void subscriptions::stop(std::chrono::milliseconds patience) {
  // All at once: their patience is one.
  std::vector<std::thread> threads;
  for (auto& x : entries_)
    threads.emplace_back([&x, patience] { x->stop(patience); });
  for (auto& x : threads)
    x.join();
}

std::vector<subscription_view> subscriptions::list() const {
  std::vector<subscription_view> result;
  for (auto& x : entries_)
    result.push_back(x->view());
  return result;
}

} // namespace troupe
