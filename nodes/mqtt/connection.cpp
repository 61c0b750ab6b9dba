#include "nodes/mqtt/connection.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "actors/core/defaults.hpp"
#include "nodes/password_file.hpp"

namespace troupe::mqtt {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;
using transport_error = transport::error_code;

/// The broker ends a connection of which it hears nothing for 1.5 × that.
constexpr auto keep_alive = 30s;

/// From the first packet to the subscription.
constexpr auto open_limit = 10s;

/// What a broker may take to acknowledge an answer.
constexpr auto reply_limit = 10s;

constexpr auto tick_time = 1s;

/// As large as the largest body that HTTP takes, and its topic.
constexpr size_t packet_size_max = 6 * 1024 * 1024 + 70'000;

/// A broker that keeps to no bound sends more than may be in flight: so many
/// are held before nothing more is read.
constexpr size_t held_max = 1024;

/// Of SUBSCRIBE and UNSUBSCRIBE, of which there is one at a time.
constexpr uint16_t subscribe_id = 1;

incoming_message to_message(publish x) {
  incoming_message result;
  result.topic = std::move(x.topic);
  result.body = {std::move(x.body), std::move(x.content_type)};
  result.properties = std::move(x.properties);
  return result;
}

} // namespace

connection::connection(std::shared_ptr<asio::io_context> io, subscription what,
                       message_sink& sink, std::shared_ptr<traffic> counts,
                       connection_events events)
  : io_(std::move(io)), what_(std::move(what)), sink_(sink),
    counts_(std::move(counts)), events_(std::move(events)),
    version_(what_.mqtt_version == 5 ? protocol::v5 : protocol::v3_1_1),
    timer_(*io_), frames_(packet_size_max), keep_alive_(keep_alive) {}

connection::~connection() = default;

// -- beginning -----------------------------------------------------------------

void connection::open() {
  began_ = last_sent_ = last_read_ = clock::now();
  tick();
  try {
    stream_ = make_transport(*io_, what_.broker);
  } catch (const std::exception& e) {
    return end(e.what());
  }
  stream_->connect(
    [self = shared_from_this()](const std::optional<std::string>& fault) {
      if (self->has_ended_)
        return;
      if (fault)
        return self->end("cannot connect: " + *fault);
      self->is_open_ = true;
      self->greet();
      self->read();
    });
}

void connection::greet() {
  connect x;
  x.version = version_;
  x.client_id = what_.session_name();
  x.keep_alive_s = static_cast<uint16_t>(keep_alive_.count());
  x.session_expiry_s = static_cast<uint32_t>(what_.session.count());
  x.receive_maximum = static_cast<uint16_t>(what_.in_flight);
  x.packet_size_max = packet_size_max;
  x.will_topic = what_.will_topic;
  x.will = what_.will;
  try {
    x.user = what_.broker.user;
    x.password = read_password(what_.broker.password_file);
    send(encode(x));
  } catch (const std::exception& e) {
    end(e.what());
  }
}

void connection::take_connack(const connack& x) {
  if (x.reason != 0)
    return end(
      "the broker refuses the connection: "
      + (x.text.empty() ? describe_reason(version_, x.reason) : x.text));
  if (x.keep_alive_s && *x.keep_alive_s > 0)
    keep_alive_ = std::chrono::seconds{*x.keep_alive_s};
  send(encode_subscribe(version_, subscribe_id, filter(),
                        std::min(what_.qos, x.qos_max)));
}

std::string connection::filter() const {
  auto& plain = what_.topic.filter();
  return what_.group.empty() ? plain : "$share/" + what_.group + "/" + plain;
}

void connection::take_suback(const acknowledgment& x) {
  if (x.id != subscribe_id)
    return;
  if (x.reason >= 0x80)
    return end("the broker refuses the subscription: "
               + describe_reason(version_, x.reason));
  is_subscribed_ = true;
  counts_->connections.fetch_add(1, std::memory_order_relaxed);
  events_.on_subscribed();
}

// -- bytes ---------------------------------------------------------------------

void connection::read() {
  if (has_ended_ || reading_ || held_.size() >= held_max)
    return;
  reading_ = true;
  stream_->read(asio::buffer(buffer_), [self = shared_from_this()](
                                         transport_error fault, size_t size) {
    self->reading_ = false;
    if (self->has_ended_)
      return;
    self->was_closed_ = fault == asio::error::eof;
    if (fault)
      return self->end("the connection broke: " + fault.message());
    self->take_bytes(size);
  });
}

void connection::take_bytes(size_t size) {
  last_read_ = clock::now();
  frames_.add({buffer_.data(), size});
  try {
    take_frames();
  } catch (const protocol_error& e) {
    return end(std::string{"the broker breaks the protocol: "} + e.what());
  }
  read();
}

void connection::send(std::string packet) {
  to_send_ += packet;
  flush();
}

void connection::flush() {
  if (has_ended_ || !is_open_ || !sending_.empty() || to_send_.empty())
    return;
  sending_.swap(to_send_);
  last_sent_ = clock::now();
  stream_->write(
    asio::buffer(sending_), [self = shared_from_this()](transport_error fault) {
      self->sending_.clear();
      if (self->has_ended_)
        return;
      if (fault)
        return self->end("the connection broke: " + fault.message());
      self->flush();
      self->end_if_drained();
    });
}

// -- packets -------------------------------------------------------------------

void connection::take_frames() {
  while (!has_ended_) {
    auto next = frames_.next();
    if (!next)
      return;
    take(*next);
  }
}

void connection::take(const frame& x) {
  switch (x.type) {
  case packet_type::connack:
    return take_connack(read_connack(version_, x.body));
  case packet_type::suback:
    return take_suback(read_ack(version_, x.type, x.body));
  case packet_type::unsuback:
    return take_unsuback(read_ack(version_, x.type, x.body));
  case packet_type::publish:
    return take_message(read_publish(version_, x.flags, x.body));
  case packet_type::puback:
    return take_reply_ack(read_ack(version_, x.type, x.body));
  case packet_type::pubrel:
    return send(
      encode_ack(packet_type::pubcomp, read_ack(version_, x.type, x.body).id));
  case packet_type::pingresp:
    return;
  case packet_type::disconnect:
    return end("the broker ends the connection: "
               + describe_reason(version_, read_disconnect(x.body)));
  default:
    throw protocol_error{"a packet of type "
                         + std::to_string(static_cast<int>(x.type))};
  }
}

bool connection::is_full() const {
  return in_flight_.size() >= what_.in_flight;
}

void connection::take_message(publish x) {
  if (is_draining_)
    return; // it stays the broker's
  if (is_full() || !held_.empty())
    held_.push_back(std::move(x));
  else
    hand_over(std::move(x));
}

void connection::hand_over(publish x) {
  auto entry = std::make_shared<delivery>(delivery{x.id, x.qos});
  in_flight_.push_back(entry);
  counts_->in_flight.fetch_add(1, std::memory_order_relaxed);
  note_stray(x.topic);
  counts_->delivered.fetch_add(1, std::memory_order_relaxed);
  if (x.again)
    counts_->redelivered.fetch_add(1, std::memory_order_relaxed);
  auto message = to_message(std::move(x));
  message.deliveries = x.again ? 2 : 1;
  // What is answered after the end keeps nothing alive.
  auto weak = weak_from_this();
  sink_.take(std::move(message), [weak, entry](message_verdict verdict) {
    auto self = weak.lock();
    if (!self)
      return;
    auto kept = std::make_shared<message_verdict>(std::move(verdict));
    asio::post(*self->io_, [weak, entry, kept] {
      if (auto self = weak.lock())
        self->answered(entry, std::move(*kept));
    });
  });
}

void connection::note_stray(const std::string& topic) {
  if (what_.topic.matches(topic) || std::exchange(has_strays_, true))
    return;
  events_.on_stray(topic);
}

// -- answers -------------------------------------------------------------------

void connection::answered(const delivery_ptr& x, message_verdict verdict) {
  if (has_ended_)
    return; // it is the broker's again
  auto& to = what_.reply_topic;
  if (verdict.fate == message_fate::done && verdict.answer && !to.empty())
    return send_reply(x, std::move(*verdict.answer));
  settle(x, verdict.fate);
}

void connection::send_reply(const delivery_ptr& x, payload answer) {
  publish out;
  out.topic = what_.reply_topic;
  out.body = std::move(answer.bytes);
  out.content_type = std::move(answer.content_type);
  out.qos = 1;
  out.id = next_id();
  replies_[out.id] = {x, clock::now()};
  try {
    send(encode(version_, out));
  } catch (const protocol_error& e) {
    end(e.what());
  }
}

void connection::take_reply_ack(const acknowledgment& x) {
  auto i = replies_.find(x.id);
  if (i == replies_.end())
    return;
  auto of = i->second.of;
  replies_.erase(i);
  if (x.reason >= 0x80)
    return end("the broker refuses an answer: "
               + describe_reason(version_, x.reason));
  settle(of, message_fate::done);
}

void connection::settle(const delivery_ptr& x, message_fate fate) {
  x->fate = fate;
  if (fate == message_fate::give_back) {
    counts_->given_back.fetch_add(1, std::memory_order_relaxed);
    if (!is_draining_)
      return end("a message was given back");
  }
  acknowledge();
  while (!has_ended_ && !is_full() && !held_.empty()) {
    auto next = std::move(held_.front());
    held_.pop_front();
    hand_over(std::move(next));
  }
  read();
  end_if_drained();
}

void connection::acknowledge() {
  std::string packets;
  while (!in_flight_.empty()
         && in_flight_.front()->fate == message_fate::done) {
    auto& x = *in_flight_.front();
    if (x.qos > 0)
      packets += encode_ack(
        x.qos == 1 ? packet_type::puback : packet_type::pubrec, x.id);
    in_flight_.pop_front();
    counts_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    counts_->acknowledged.fetch_add(1, std::memory_order_relaxed);
  }
  if (!packets.empty())
    send(std::move(packets));
}

void connection::drain() {
  if (has_ended_ || is_draining_)
    return;
  is_draining_ = true;
  held_.clear();
  read(); // which may have been held back
  end_if_drained();
}

void connection::unsubscribe() {
  if (has_ended_ || is_draining_)
    return;
  if (is_subscribed_) {
    is_unsubscribing_ = true;
    send(encode_unsubscribe(version_, subscribe_id, filter()));
  }
  drain();
}

void connection::take_unsuback(const acknowledgment& x) {
  // Refused or not, no more can be done.
  if (x.id == subscribe_id)
    is_unsubscribing_ = false;
  end_if_drained();
}

void connection::end_if_drained() {
  if (!is_draining_ || has_ended_ || is_unsubscribing_)
    return;
  for (auto& x : in_flight_)
    if (!x->fate)
      return;
  if (!sending_.empty() || !to_send_.empty())
    return; // the last acknowledgments
  if (is_subscribed_) {
    is_subscribed_ = false;
    return send(encode_disconnect(version_)); // comes back here when it is out
  }
  end({});
}

void connection::end(const std::string& why) {
  if (std::exchange(has_ended_, true))
    return;
  counts_->in_flight.fetch_sub(in_flight_.size(), std::memory_order_relaxed);
  in_flight_.clear();
  held_.clear();
  replies_.clear();
  timer_.cancel();
  if (stream_)
    stream_->close();
  events_.on_end(why);
}

// -- time ----------------------------------------------------------------------

void connection::tick() {
  timer_.expires_after(tick_time);
  timer_.async_wait([self = shared_from_this()](transport_error fault) {
    if (fault || self->has_ended_)
      return;
    self->check_times(clock::now());
    if (!self->has_ended_)
      self->tick();
  });
}

void connection::check_times(clock::time_point now) {
  if (!is_subscribed_ && !is_draining_ && now - began_ > open_limit)
    return end("the broker does not answer");
  // Who is held back does not read what the broker answers.
  if (reading_ && now - last_read_ > 2 * keep_alive_)
    return end("the broker is silent");
  for (auto& [id, x] : replies_)
    if (now - x.since > reply_limit)
      return end("the broker does not acknowledge an answer");
  if (is_open_ && now - last_sent_ > keep_alive_ / 2)
    send(encode_ping());
}

uint16_t connection::next_id() {
  do
    last_id_ = static_cast<uint16_t>(last_id_ + 1);
  while (last_id_ == 0 || last_id_ == subscribe_id
         || replies_.contains(last_id_));
  return last_id_;
}

} // namespace troupe::mqtt
