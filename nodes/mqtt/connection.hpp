// One connection to a broker of MQTT, from its beginning to its end: it takes a
// session up, subscribes, hands messages over, and acknowledges each once it is
// told to.
//
// Troupe speaks MQTT itself because the Paho library cannot wait for an effect:
// it acknowledges when its callback returns, and a callback that waits stops all
// clients of the process, keep-alives and answers as well; and with QoS 2 it sends
// PUBREC before it calls back. Here many messages of one connection are under way
// at a time, and commit together.
//
// Acknowledgments go out in the order in which messages came, as MQTT demands
// (5.0: 4.6): so a message that takes long holds back those behind it, and what
// is in flight is bounded. A message of QoS 2 is treated as one of QoS 1 with
// two acknowledgments: PUBREC says that its effect is durable.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "actors/core/message_source.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/mqtt/packet.hpp"
#include "nodes/mqtt/transport.hpp"

namespace troupe::mqtt {

/// Counts of all connections of a source.
struct traffic {
  std::atomic<uint64_t> delivered{0};
  std::atomic<uint64_t> redelivered{0};
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> given_back{0};
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> in_flight{0};
};

/// Who a connection reports to; outlives it.
struct connection_events {
  /// The broker has taken the subscription.
  std::function<void()> on_subscribed;

  /// The first message came whose topic the subscription does not take.
  std::function<void(const std::string& topic)> on_stray;

  /// It is over; comes once. What was not acknowledged is the broker's again.
  std::function<void(const std::string& why)> on_end;
};

/// Belongs to the thread of its `io_context`.
class connection : public std::enable_shared_from_this<connection> {
public:
  /// @param sink outlives it while it is open
  connection(std::shared_ptr<boost::asio::io_context> io, subscription what,
             message_sink& sink, std::shared_ptr<traffic> counts,
             connection_events events);

  connection(const connection&) = delete;

  ~connection();

  void open();

  /// Takes no more messages; ends once those in flight are answered.
  void drain();

  /// As `drain`, and asks the broker to collect no more for this session.
  void unsubscribe();

  /// Ends it at once.
  void end(const std::string& why);

  bool has_ended() const noexcept { return has_ended_; }

  /// The broker closed it without a word.
  bool was_closed() const noexcept { return was_closed_; }

private:
  using clock = std::chrono::steady_clock;

  /// A message in flight.
  struct delivery {
    uint16_t id = 0;
    uint8_t qos = 0;

    /// What is to become of it; nothing yet.
    std::optional<message_fate> fate{};
  };

  using delivery_ptr = std::shared_ptr<delivery>;

  /// An answer that was sent and not acknowledged.
  struct reply {
    delivery_ptr of;
    clock::time_point since;
  };

  // -- beginning -------------------------------------------------------------

  void greet();
  void take_connack(const connack& x);
  void take_suback(const acknowledgment& x);
  std::string filter() const;

  // -- bytes -----------------------------------------------------------------

  void read();
  void take_bytes(size_t size);
  void send(std::string packet);
  void flush();

  // -- packets ---------------------------------------------------------------

  void take_frames();
  void take(const frame& x);
  void take_message(publish x);
  void hand_over(publish x);
  void note_stray(const std::string& topic);
  bool is_full() const;

  // -- answers ---------------------------------------------------------------

  void answered(const delivery_ptr& x, message_verdict verdict);
  void send_reply(const delivery_ptr& x, payload answer);
  void take_reply_ack(const acknowledgment& x);
  void settle(const delivery_ptr& x, message_fate fate);
  void acknowledge();
  void end_if_drained();
  void take_unsuback(const acknowledgment& x);

  // -- time ------------------------------------------------------------------

  void tick();
  void check_times(clock::time_point now);
  uint16_t next_id();

  const std::shared_ptr<boost::asio::io_context> io_;
  const subscription what_;
  message_sink& sink_;
  const std::shared_ptr<traffic> counts_;
  const connection_events events_;
  const protocol version_;
  std::shared_ptr<transport> stream_;
  boost::asio::steady_timer timer_;
  frame_reader frames_;
  std::array<char, 16'384> buffer_;
  bool reading_ = false;
  std::string sending_;
  std::string to_send_;
  bool is_open_ = false;
  bool is_subscribed_ = false;
  bool is_draining_ = false;
  bool is_unsubscribing_ = false; // asked, and not answered
  bool has_strays_ = false;
  bool has_ended_ = false;
  bool was_closed_ = false;
  std::chrono::seconds keep_alive_;
  clock::time_point began_;
  clock::time_point last_sent_;
  clock::time_point last_read_;
  std::deque<delivery_ptr> in_flight_; // in the order in which they came
  std::deque<publish> held_;           // came when it was full
  std::map<uint16_t, reply> replies_;  // by the id of their message
  uint16_t last_id_ = 0;
};

} // namespace troupe::mqtt
