#include "nodes/mqtt/mqtt_source.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/messages/message_call.hpp"
#include "actors/model/backoff.hpp"
#include "nodes/mqtt/connection.hpp"

namespace troupe {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// Between two connections.
constexpr backoff_options pauses{200ms, 10s};

/// A connection that lived so long was a good one: the next comes soon.
constexpr auto good_life = 5s;

/// So many that were closed sooner are no accident.
constexpr uint32_t closed_often = 2;

} // namespace

/// All but `stop_within` and what it says of itself belongs to the thread of
/// its `io_context`.
class mqtt_source::engine : public std::enable_shared_from_this<engine> {
public:
  engine(subscription what, message_sink& sink, connection_observer watch,
         std::function<void(const std::string&)> warn)
    : what_(std::move(what)), sink_(sink), watch_(std::move(watch)),
      warn_(std::move(warn)), io_(std::make_shared<asio::io_context>(1)),
      timer_(*io_), guard_(io_->get_executor()) {}

  /// An exception, of a message or of memory, ends a connection and no node.
  void run() {
    for (;;)
      try {
        io_->run();
        return;
      } catch (const std::exception& e) {
        broke(std::string{"this node failed: "} + e.what());
      }
  }

  void connect() {
    if (is_stopping_)
      return finish();
    began_ = std::chrono::steady_clock::now();
    set_state(source_state::connecting);
    auto weak = weak_from_this();
    mqtt::connection_events events;
    events.on_subscribed = [weak] {
      if (auto self = weak.lock())
        self->subscribed();
    };
    events.on_stray = [weak](const std::string& topic) {
      if (auto self = weak.lock())
        self->warn_of_stray(topic);
    };
    events.on_end = [weak](const std::string& why) {
      if (auto self = weak.lock())
        self->ended(why);
    };
    connection_ = std::make_shared<mqtt::connection>(io_, what_, sink_, counts_,
                                                     std::move(events));
    connection_->open();
  }

  void post(void (engine::*what)()) {
    asio::post(*io_, [self = shared_from_this(), what] { ((*self).*what)(); });
  }

  void begin_to_unsubscribe() { post(&engine::unsubscribe); }

  /// Waits for the end of what is under way, and ends it past `patience`.
  void stop_within(std::chrono::milliseconds patience) {
    post(&engine::drain);
    std::unique_lock guard{mutex_};
    if (changed_.wait_for(guard, patience, [this] { return is_done_; }))
      return;
    guard.unlock();
    post(&engine::cut_off);
  }

  source_status status() const {
    source_status result;
    auto count = [](auto& x) { return x.load(std::memory_order_relaxed); };
    result.delivered = count(counts_->delivered);
    result.redelivered = count(counts_->redelivered);
    result.acknowledged = count(counts_->acknowledged);
    result.given_back = count(counts_->given_back);
    result.connections = count(counts_->connections);
    result.in_flight = count(counts_->in_flight);
    std::lock_guard guard{mutex_};
    result.state = state_;
    result.last_error = last_error_;
    return result;
  }

private:
  void set_state(source_state x) {
    std::lock_guard guard{mutex_};
    state_ = x;
  }

  void subscribed() {
    was_there_ = true;
    {
      std::lock_guard guard{mutex_};
      state_ = source_state::connected;
      last_error_.clear(); // of before
    }
    watch_.is_there();
  }

  void broke(const std::string& why) {
    if (auto x = connection_; x && !x->has_ended())
      return x->end(why); // which tells
    ended(why);
  }

  /// MQTT 3.1.1 has no word for it, and mosquitto 2.0 closes before that of MQTT 5
  /// is out: a connection that was good is closed, again and again.
  std::string with_guess(const std::string& why) {
    auto was_cut = std::exchange(was_there_, false) && connection_->was_closed()
                   && std::chrono::steady_clock::now() - began_ <= good_life;
    closed_ = was_cut ? closed_ + 1 : 0;
    if (closed_ < closed_often)
      return why;
    return why + "; it looks as if " + mqtt::taken_over;
  }

  void ended(const std::string& plain) {
    auto why = with_guess(plain);
    {
      std::lock_guard guard{mutex_};
      state_ = source_state::connecting;
      if (!why.empty())
        last_error_ = why;
    }
    if (is_stopping_)
      return finish();
    watch_.is_gone(why);
    if (std::chrono::steady_clock::now() - began_ > good_life)
      failures_ = 0;
    timer_.expires_after(backoff{pauses}.delay(failures_++, random_));
    timer_.async_wait([self = shared_from_this()](auto fault) {
      if (!fault)
        self->connect();
    });
  }

  void drain() { drain_with(&mqtt::connection::drain); }

  void unsubscribe() { drain_with(&mqtt::connection::unsubscribe); }

  void drain_with(void (mqtt::connection::*how)()) {
    is_stopping_ = true;
    if (timer_.cancel() > 0 || !connection_)
      return finish();
    ((*connection_).*how)();
  }

  void warn_of_stray(const std::string& topic) {
    if (warn_)
      warn_("the subscription '" + what_.name + "' makes dead letters of "
            + "messages that it does not take: " + why_not_taken(what_, topic)
            + " (client-id " + what_.session_name() + ")");
  }

  void cut_off() {
    if (connection_)
      connection_->end({});
    finish();
  }

  void finish() {
    guard_.reset();
    std::lock_guard guard{mutex_};
    state_ = source_state::stopped;
    is_done_ = true;
    changed_.notify_all();
  }

  const subscription what_;
  message_sink& sink_;
  connection_watch watch_;
  const std::function<void(const std::string&)> warn_;
  const std::shared_ptr<mqtt::traffic> counts_ =
    std::make_shared<mqtt::traffic>();
  const std::shared_ptr<asio::io_context> io_;
  asio::steady_timer timer_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::shared_ptr<mqtt::connection> connection_;
  std::chrono::steady_clock::time_point began_;
  uint32_t failures_ = 0;
  bool was_there_ = false; // the last connection
  uint32_t closed_ = 0;    // good connections in a row that the broker closed
  std::mt19937_64 random_{std::random_device{}()};
  bool is_stopping_ = false;

  mutable std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  source_state state_ = source_state::stopped;
  std::string last_error_;
  bool is_done_ = false;
};

mqtt_source::mqtt_source(subscription what, message_sink& sink,
                         connection_observer watch,
                         std::function<void(const std::string&)> warn)
  : engine_(std::make_shared<engine>(std::move(what), sink, std::move(watch),
                                     std::move(warn))) {}

mqtt_source::~mqtt_source() {
  stop(0ms);
}

void mqtt_source::start() {
  engine_->post(&engine::connect);
  thread_ = std::thread{[engine = engine_] { engine->run(); }};
}

void mqtt_source::stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable())
    return;
  engine_->stop_within(patience);
  thread_.join();
}

void mqtt_source::unsubscribe() {
  engine_->begin_to_unsubscribe();
}

source_status mqtt_source::status() const {
  return engine_->status();
}

} // namespace troupe
