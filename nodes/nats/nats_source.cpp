#include "nodes/nats/nats_source.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "actors/model/backoff.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// Between two connections.
constexpr backoff_options pauses{200ms, 10s};

/// A connection that lived so long was a good one: the next comes soon.
constexpr auto good_life = 5s;

/// So long one receive waits; then the time of what is in flight is looked at.
constexpr milliseconds receive_time = 200ms;

/// Between two questions for the lag.
constexpr auto lag_time = 2s;

/// Messages in flight are said to be in progress so often within the time after
/// which they would come again.
constexpr int signs_of_life = 3;

/// Of one receive.
constexpr size_t batch_max = 256;

/// A message in flight. What it came from lives as long as it.
struct delivery {
  std::shared_ptr<nats::session> from;
  nats::message_handle raw;
  std::string reply;
  message_verdict verdict{};

  /// Who asks has got what he waits for.
  bool is_told = false;
};

using delivery_ptr = std::shared_ptr<delivery>;

/// Somebody who asks is not to wait for the end.
struct early_notice {
  delivery_ptr to;
  error why;
};

/// What was done is done.
error is_too_large(size_t bytes) {
  return {errc::payload_too_large, effect::unknown,
          "the answer has " + std::to_string(bytes)
            + " bytes, more than the server takes"};
}

} // namespace

class nats_source::engine : public std::enable_shared_from_this<engine> {
public:
  engine(subscription what, message_sink& sink, connection_observer watch)
    : what_(std::move(what)), sink_(sink), watch_(std::move(watch)) {}

  // -- the receiving thread --------------------------------------------------

  void receive() {
    set_state(source_state::connecting);
    for (uint32_t failures = 0; !is_stopping();) {
      auto began = clock::now();
      try {
        serve_one_session();
      } catch (const nats::session_error& e) {
        lost(e.what());
      } catch (const std::exception& e) {
        lost(std::string{"this node failed: "} + e.what());
      }
      set_state(source_state::connecting);
      if (clock::now() - began > good_life)
        failures = 0;
      pause(backoff{pauses}.delay(failures++, random_));
    }
    set_state(source_state::stopped);
    nats_ReleaseThreadMemory();
  }

  // -- the answering thread --------------------------------------------------

  void answer() {
    std::shared_ptr<nats::session> last;
    while (auto batch = next_answers()) {
      if (batch->empty())
        continue;
      last = batch->back()->from;
      tell(*batch);
    }
    // What was told is in a buffer, which a connection that ends throws away.
    if (last)
      flush(*last);
    nats_ReleaseThreadMemory();
  }

  // -- from outside ----------------------------------------------------------

  void stop_receiving() {
    std::lock_guard guard{mutex_};
    stops_ = true;
    changed_.notify_all();
  }

  /// Waits for what is in flight, for `patience` at most.
  void wait_until_answered(milliseconds patience) {
    auto until = clock::now() + patience;
    auto is_answered = [this] {
      return in_flight_.empty() && answers_.empty();
    };
    std::unique_lock guard{mutex_};
    while (clock::now() < until
           && !changed_.wait_until(
             guard, std::min(until, clock::now() + sign_time()), is_answered)) {
      guard.unlock();
      show_progress();
      guard.lock();
    }
  }

  /// Tells those who still wait for an answer that it will not come.
  void give_up() {
    std::set<delivery_ptr> rest;
    {
      std::lock_guard guard{mutex_};
      rest.swap(in_flight_);
    }
    const error why{errc::shutting_down, effect::unknown,
                    "the node leaves, and the call still runs"};
    try {
      for (auto& x : rest)
        if (!x->reply.empty() && !x->is_told) {
          x->from->publish_failure(x->reply, why);
          x->from->flush();
        }
    } catch (const std::exception& e) {
      set_error(e.what());
    }
  }

  void stop_answering() {
    std::lock_guard guard{mutex_};
    ends_ = true;
    changed_.notify_all();
  }

  source_status status() const {
    std::lock_guard guard{mutex_};
    auto result = status_;
    result.in_flight = in_flight_.size();
    return result;
  }

private:
  void lost(const std::string& why) {
    set_error(why);
    watch_.is_gone(why);
  }

  void serve_one_session() {
    auto session = std::make_shared<nats::session>(what_);
    {
      std::lock_guard guard{mutex_};
      status_.state = source_state::connected;
      status_.last_error.clear(); // of before
      ++status_.connections;
    }
    watch_.is_there();
    auto last_sign = clock::now();
    auto next_lag = clock::now();
    while (auto room = wait_for_room()) {
      if (*room > 0)
        for (auto& x : session->receive(std::min(*room, batch_max),
                                        std::min(receive_time, sign_time())))
          hand_over(session, std::move(x));
      auto now = clock::now();
      if (now - last_sign >= sign_time()) {
        show_progress();
        last_sign = now;
      }
      if (now >= next_lag) {
        look_at(*session);
        next_lag = now + lag_time;
      }
    }
  }

  /// How many more messages may be in flight; 0 if that takes longer than a
  /// receive; nothing: it stops.
  std::optional<size_t> wait_for_room() {
    std::unique_lock guard{mutex_};
    auto room = [this] {
      return in_flight_.size() < what_.in_flight
               ? what_.in_flight - in_flight_.size()
               : 0;
    };
    changed_.wait_for(guard, receive_time,
                      [&] { return stops_ || room() > 0; });
    if (stops_)
      return std::nullopt;
    return room();
  }

  void hand_over(const std::shared_ptr<nats::session>& from, nats::received x) {
    auto entry = std::make_shared<delivery>(
      delivery{from, std::move(x.raw), std::move(x.reply)});
    {
      std::lock_guard guard{mutex_};
      in_flight_.insert(entry);
      ++status_.delivered;
      if (x.lag)
        status_.lag = x.lag;
      if (x.message.deliveries > 1)
        ++status_.redelivered;
    }
    if (!entry->reply.empty())
      x.message.on_absence = [self = shared_from_this(),
                              entry](const error& why) {
        self->is_absent(entry, why);
      };
    try {
      sink_.take(std::move(x.message),
                 [self = shared_from_this(), entry](message_verdict verdict) {
                   self->answered(entry, std::move(verdict));
                 });
    } catch (...) {
      std::lock_guard guard{mutex_};
      in_flight_.erase(entry); // it is the server's again
      throw;
    }
  }

  void answered(const delivery_ptr& x, message_verdict verdict) {
    x->verdict = std::move(verdict);
    std::lock_guard guard{mutex_};
    if (in_flight_.erase(x) == 0 || ends_)
      return; // it is the server's again
    answers_.push_back(x);
    changed_.notify_all();
  }

  void is_absent(const delivery_ptr& x, const error& why) {
    std::lock_guard guard{mutex_};
    if (!in_flight_.contains(x) || ends_)
      return;
    notices_.push_back({x, why});
    changed_.notify_all();
  }

  void show_progress() {
    std::vector<delivery_ptr> all;
    {
      std::lock_guard guard{mutex_};
      all.assign(in_flight_.begin(), in_flight_.end());
    }
    for (auto& x : all)
      x->from->in_progress(*x->raw);
  }

  void look_at(nats::session& from) {
    auto lag = from.lag();
    auto dropped = from.dropped();
    std::lock_guard guard{mutex_};
    status_.lag = lag;
    if (dropped > 0)
      status_.last_error = std::to_string(dropped)
                           + " messages were lost: they came faster than they "
                             "were taken";
  }

  std::optional<std::deque<delivery_ptr>> next_answers() {
    std::unique_lock guard{mutex_};
    changed_.wait(guard, [this] {
      return ends_ || !answers_.empty() || !notices_.empty();
    });
    if (ends_)
      return std::nullopt;
    if (!notices_.empty()) {
      auto all = std::exchange(notices_, {});
      guard.unlock();
      publish_notices(all);
      guard.lock();
      if (ends_)
        return std::nullopt;
    }
    // They count until they are told.
    return answers_;
  }

  void publish_notices(const std::vector<early_notice>& all) {
    std::set<nats::session*> used;
    try {
      for (auto& [to, why] : all)
        if (is_still_open(to)) {
          to->from->publish_failure(to->reply, why);
          used.insert(to->from.get());
        }
      for (auto& session : used)
        session->flush();
    } catch (const std::exception& e) {
      set_error(e.what());
    }
  }

  /// Nothing was said to who asks; from now on something is.
  bool is_still_open(const delivery_ptr& x) {
    std::lock_guard guard{mutex_};
    return in_flight_.contains(x) && !std::exchange(x->is_told, true);
  }

  void tell(const std::deque<delivery_ptr>& all) {
    auto is_published = publish_answers(all);
    uint64_t acknowledged = 0;
    uint64_t given_back = 0;
    for (auto& x : all) {
      auto is_done = x->verdict.fate == message_fate::done && is_published;
      if (is_done)
        x->from->acknowledge(*x->raw);
      else
        x->from->give_back(*x->raw);
      ++(is_done ? acknowledged : given_back);
    }
    auto count = static_cast<ptrdiff_t>(all.size());
    std::lock_guard guard{mutex_};
    answers_.erase(answers_.begin(), answers_.begin() + count);
    status_.acknowledged += acknowledged;
    status_.given_back += given_back;
    changed_.notify_all();
  }

  /// False if the server may not have them all.
  bool publish_answers(const std::deque<delivery_ptr>& all) {
    std::set<nats::session*> used;
    try {
      for (auto& x : all)
        if (publish_answer(*x))
          used.insert(x->from.get());
      for (auto& session : used)
        session->flush();
      return true;
    } catch (const std::exception& e) {
      set_error(e.what());
      return false;
    }
  }

  /// True if there was something to say. @throws nats::session_error
  bool publish_answer(const delivery& x) {
    auto& answer = x.verdict.answer;
    auto asks = !x.reply.empty() && !x.is_told;
    auto& to = asks ? x.reply : what_.reply_topic;
    if (answer && !to.empty() && x.from->takes(*answer)) {
      x.from->publish(to, *answer);
      return true;
    }
    auto failure = x.verdict.failure;
    if (answer && !to.empty()) {
      // It never will be, however often it comes again; others are answered.
      failure = is_too_large(answer->bytes.size());
      set_error(failure->message());
    }
    if (!asks || !failure)
      return false;
    x.from->publish_failure(x.reply, *failure);
    return true;
  }

  void flush(nats::session& x) {
    try {
      x.flush();
    } catch (const nats::session_error& e) {
      set_error(e.what());
    }
  }

  /// Within `ack_wait` several times.
  milliseconds sign_time() const { return what_.ack_wait / signs_of_life; }

  bool is_stopping() const {
    std::lock_guard guard{mutex_};
    return stops_;
  }

  void pause(std::chrono::nanoseconds time) {
    std::unique_lock guard{mutex_};
    changed_.wait_for(guard, time, [this] { return stops_; });
  }

  void set_state(source_state x) {
    std::lock_guard guard{mutex_};
    status_.state = x;
  }

  void set_error(const std::string& why) {
    std::lock_guard guard{mutex_};
    status_.last_error = why;
  }

  const subscription what_;
  message_sink& sink_;
  connection_watch watch_;                         // of the receiving thread
  std::mt19937_64 random_{std::random_device{}()}; // of the receiving thread

  mutable std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  source_status status_;
  std::set<delivery_ptr> in_flight_;
  std::deque<delivery_ptr> answers_; // answered, and not told yet
  std::vector<early_notice> notices_;
  bool stops_ = false;
  bool ends_ = false;
};

nats_source::nats_source(subscription what, message_sink& sink,
                         connection_observer watch)
  : engine_(std::make_shared<engine>(std::move(what), sink, std::move(watch))) {
}

nats_source::~nats_source() {
  stop(0ms);
}

void nats_source::start() {
  receiver_ = std::thread{[engine = engine_] { engine->receive(); }};
  answerer_ = std::thread{[engine = engine_] { engine->answer(); }};
}

void nats_source::stop(milliseconds patience) {
  if (!receiver_.joinable())
    return;
  engine_->stop_receiving();
  receiver_.join(); // what it has got is in flight now
  engine_->wait_until_answered(patience);
  engine_->give_up();
  engine_->stop_answering();
  answerer_.join();
}

source_status nats_source::status() const {
  return engine_->status();
}

} // namespace troupe
