#include "nodes/mqtt/publisher.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/core/random_name.hpp"
#include "nodes/events/receiver_error.hpp"
#include "nodes/mqtt/transport.hpp"
#include "nodes/password_file.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe::mqtt {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using transport_error = transport::error_code;

constexpr auto keep_alive = 30s;

/// A connection that nobody needs for so long is ended.
constexpr auto idle_time = 20s;

/// From the first step to CONNACK.
constexpr auto open_limit = 5s;

constexpr auto tick_time = 50ms;

/// Acknowledgments are short.
constexpr size_t packet_size_max = 65'536;

/// Unless the broker says something else; as mosquitto takes at once.
constexpr uint16_t under_way_max = 20;

/// It takes no MQTT 5: as 3.1.1 says it, and as 5 does.
bool is_other_version(const connack& x) {
  return x.reason == 0x01 || x.reason == 0x84;
}

/// It will not take the message later either.
bool is_for_good(uint8_t reason) {
  switch (reason) {
  case 0x87: // not authorized
  case 0x90: // topic name invalid
  case 0x95: // packet too large
  case 0x99: // payload format invalid
    return true;
  default:
    return false;
  }
}

struct message {
  publisher::composer compose;
  publisher::callback done;
  clock::time_point deadline;
};

} // namespace

/// All but `push`, `stop_within` and what they share belongs to the thread of
/// its `io_context`.
class publisher::engine : public std::enable_shared_from_this<engine> {
public:
  engine(broker_address to, publisher_options options)
    : to_(std::move(to)), options_(options),
      url_(to_string(to_, broker_kind::mqtt)), timer_(io_),
      guard_(io_.get_executor()) {}

  /// An exception, of a message or of memory, ends a connection and no node.
  void run() {
    for (;;)
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {
        tell(e.what());
        end(std::string{"this node failed: "} + e.what());
      }
  }

  // -- from any thread -------------------------------------------------------

  void push(message x) {
    x.deadline = clock::now() + options_.timeout;
    if (auto refusal = keep(x))
      x.done(std::move(*refusal));
  }

  void stop_within(std::chrono::milliseconds patience) {
    {
      std::unique_lock guard{mutex_};
      ends_ = true;
      changed_.wait_for(guard, patience, [this] { return count_ == 0; });
    }
    asio::post(io_, [self = shared_from_this()] { self->finish(); });
  }

private:
  enum class phase : uint8_t { closed, connecting, open };

  // -- messages --------------------------------------------------------------

  /// Why it is not taken; then `x` is as it was. It is posted with the mutex held:
  /// so the end, which is posted without it afterwards, comes behind it, and nothing
  /// is left to a thread that has gone.
  std::optional<error> keep(message& x) {
    std::lock_guard guard{mutex_};
    if (ends_)
      return is_leaving();
    if (count_ >= options_.waiting_max)
      return has_too_much();
    auto kept = std::make_shared<message>(std::move(x));
    asio::post(io_, [self = shared_from_this(), kept] {
      if (self->is_finished_)
        return self->answer(*kept, is_leaving());
      self->waiting_.push_back(std::move(*kept));
      self->drive();
    });
    ++count_;
    return std::nullopt;
  }

  void answer(message& x, expected<payload> what) {
    try {
      x.done(std::move(what));
    } catch (const std::exception& e) {
      tell(e.what()); // the others are answered nevertheless
    }
    std::lock_guard guard{mutex_};
    --count_;
    changed_.notify_all();
  }

  /// Does what can be done now.
  void drive() {
    if (!ticks_ && !(waiting_.empty() && under_way_.empty()))
      tick();
    if (phase_ == phase::closed && !waiting_.empty())
      connect();
    while (phase_ == phase::open && !waiting_.empty()
           && under_way_.size() < under_way_max_) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      send(std::move(next));
    }
  }

  void send(message x) {
    auto id = next_id();
    std::string packet;
    try {
      auto out = x.compose(version_);
      out.qos = 1;
      out.id = id;
      packet = encode(version_, out);
    } catch (const protocol_error& e) {
      return answer(x, is_refused(url_, e.what()));
    } catch (const std::exception& e) {
      tell(e.what());
      return answer(x, could_not_send(url_, e.what()));
    }
    if (packet.size() > size_max_)
      return answer(x,
                    is_refused(url_, "it takes no message as large as this"));
    under_way_.emplace(id, std::move(x));
    write(std::move(packet));
  }

  void take_ack(const acknowledgment& x) {
    auto i = under_way_.find(x.id);
    if (i == under_way_.end())
      return;
    auto done = std::move(i->second);
    under_way_.erase(i);
    last_used_ = clock::now();
    if (x.reason < 0x80)
      answer(done, payload{"{}", "application/json"});
    else if (auto why = describe_reason(version_, x.reason);
             is_for_good(x.reason))
      answer(done, is_refused(url_, why));
    else
      answer(done, is_busy(url_, why));
    drive();
  }

  void tell(const std::string& why) {
    if (options_.on_fault)
      options_.on_fault(url_ + ": " + why);
  }

  uint16_t next_id() {
    do
      ++last_id_;
    while (last_id_ == 0 || under_way_.contains(last_id_));
    return last_id_;
  }

  // -- the connection --------------------------------------------------------

  void connect() {
    phase_ = phase::connecting;
    began_ = last_used_ = clock::now();
    frames_ = frame_reader{packet_size_max};
    auto number = ++connections_; // what comes from one before is not looked at
    try {
      stream_ = make_transport(io_, to_);
    } catch (const std::exception& e) {
      return end(e.what());
    }
    stream_->connect([self = shared_from_this(),
                      number](const std::optional<std::string>& fault) {
      if (number != self->connections_)
        return;
      if (fault)
        return self->end("cannot connect: " + *fault);
      self->greet();
      self->read();
    });
  }

  void greet() {
    mqtt::connect x;
    x.version = version_;
    x.client_id = "troupe-" + client_;
    x.clean_start = true;
    x.keep_alive_s = keep_alive.count();
    x.packet_size_max = packet_size_max;
    try {
      x.user = to_.user;
      x.password = read_password(to_.password_file);
      write(encode(x));
    } catch (const std::exception& e) {
      end(e.what());
    }
  }

  void take_connack(const connack& x) {
    if (phase_ != phase::connecting)
      throw protocol_error{"a second CONNACK"};
    if (is_other_version(x) && version_ == protocol::v5) {
      version_ = protocol::v3_1_1;
      close();
      return connect();
    }
    if (x.reason != 0)
      return end(x.text.empty() ? describe_reason(version_, x.reason) : x.text);
    if (x.qos_max == 0)
      return end("it acknowledges nothing: it takes QoS 0 only");
    under_way_max_ =
      std::min(under_way_max, x.receive_maximum.value_or(under_way_max));
    size_max_ = x.packet_size_max.value_or(SIZE_MAX);
    phase_ = phase::open;
    drive();
  }

  void read() {
    stream_->read(
      asio::buffer(buffer_), [self = shared_from_this(), number = connections_](
                               transport_error fault, size_t size) {
        if (number != self->connections_)
          return;
        if (fault)
          return self->end("the connection broke: " + fault.message());
        self->frames_.add({self->buffer_.data(), size});
        try {
          self->take_frames(number);
        } catch (const protocol_error& e) {
          return self->end(std::string{"it breaks the protocol: "} + e.what());
        }
        if (number == self->connections_)
          self->read();
      });
  }

  void take_frames(uint64_t number) {
    while (number == connections_) {
      auto next = frames_.next();
      if (!next)
        return;
      take(*next);
    }
  }

  void take(const frame& x) {
    switch (x.type) {
    case packet_type::connack:
      return take_connack(read_connack(version_, x.body));
    case packet_type::puback:
      return take_ack(read_ack(version_, x.type, x.body));
    case packet_type::pingresp:
      return;
    case packet_type::disconnect:
      return end("it ends the connection: "
                 + describe_reason(version_, read_disconnect(x.body)));
    default:
      throw protocol_error{"a packet of type "
                           + std::to_string(static_cast<int>(x.type))};
    }
  }

  void write(std::string packet) {
    to_send_ += packet;
    flush();
  }

  void flush() {
    if (!sending_->empty() || to_send_.empty())
      return;
    sending_->swap(to_send_);
    last_sent_ = clock::now();
    stream_->write(
      asio::buffer(*sending_), [self = shared_from_this(), bytes = sending_,
                                number = connections_](transport_error fault) {
        bytes->clear();
        if (number != self->connections_)
          return;
        if (fault)
          return self->end("the connection broke: " + fault.message());
        self->flush();
      });
  }

  /// The connection is over. What is under way may have arrived; what waits has
  /// not, and waits no longer if there was none to wait for.
  void end(const std::string& why) {
    auto was_open = phase_ == phase::open;
    close();
    for (auto& [id, x] : std::exchange(under_way_, {}))
      answer(x, is_broken(url_, why));
    if (was_open)
      return drive();
    for (auto& x : std::exchange(waiting_, {}))
      answer(x, is_unreachable(url_, why));
  }

  void close() {
    phase_ = phase::closed;
    ++connections_;
    to_send_.clear();
    sending_ = std::make_shared<std::string>();
    if (stream_)
      stream_->close();
    stream_.reset();
  }

  // -- time ------------------------------------------------------------------

  void tick() {
    ticks_ = true;
    timer_.expires_after(tick_time);
    timer_.async_wait([self = shared_from_this()](transport_error fault) {
      self->ticks_ = false;
      if (fault || self->is_finished_)
        return;
      self->check_times(clock::now());
      if (self->phase_ != phase::closed || !self->waiting_.empty())
        self->tick();
    });
  }

  void check_times(clock::time_point now) {
    std::deque<message> late;
    for (auto& x : std::exchange(waiting_, {}))
      (x.deadline <= now ? late : waiting_).push_back(std::move(x));
    for (auto& x : late)
      answer(x, is_late(url_));
    auto is_late_one = [&](auto& x) { return x.second.deadline <= now; };
    if (std::any_of(under_way_.begin(), under_way_.end(), is_late_one))
      return end("it acknowledges nothing");
    if (phase_ == phase::connecting && now - began_ > open_limit)
      return end("no answer");
    if (phase_ != phase::open)
      return;
    if (under_way_.empty() && waiting_.empty() && sending_->empty()
        && now - last_used_ > idle_time)
      return say_goodbye();
    if (now - last_sent_ > keep_alive / 2)
      write(encode_ping());
  }

  void say_goodbye() {
    auto packet =
      std::make_shared<const std::string>(encode_disconnect(version_));
    auto stream = stream_;
    stream_.reset();
    close();
    stream->write(asio::buffer(*packet),
                  [stream, packet](transport_error) { stream->close(); });
  }

  void finish() {
    if (std::exchange(is_finished_, true))
      return;
    timer_.cancel();
    close();
    for (auto& [id, x] : std::exchange(under_way_, {}))
      answer(x, is_leaving());
    for (auto& x : std::exchange(waiting_, {}))
      answer(x, is_leaving());
    guard_.reset();
  }

  const broker_address to_;
  const publisher_options options_;
  const std::string url_;
  const std::string client_ = random_name();
  asio::io_context io_{1};
  asio::steady_timer timer_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  phase phase_ = phase::closed;
  protocol version_ = protocol::v5;
  std::shared_ptr<transport> stream_;
  uint64_t connections_ = 0;
  frame_reader frames_{packet_size_max};
  std::array<char, 4096> buffer_;
  std::shared_ptr<std::string> sending_ = std::make_shared<std::string>();
  std::string to_send_;
  std::deque<message> waiting_;
  std::map<uint16_t, message> under_way_; // by the id of the packet
  uint16_t under_way_max_ = under_way_max;
  size_t size_max_ = SIZE_MAX;
  uint16_t last_id_ = 0;
  clock::time_point began_;
  clock::time_point last_used_;
  clock::time_point last_sent_;
  bool ticks_ = false;
  bool is_finished_ = false;

  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  size_t count_ = 0;
  bool ends_ = false;
};

publisher::publisher(broker_address to, publisher_options options)
  : engine_(std::make_shared<engine>(std::move(to), options)),
    thread_([engine = engine_] { engine->run(); }) {}

publisher::~publisher() {
  stop(0ms);
}

void publisher::send(composer what, callback done) {
  engine_->push({std::move(what), std::move(done), {}});
}

void publisher::stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable())
    return;
  engine_->stop_within(patience);
  thread_.join();
}

} // namespace troupe::mqtt
