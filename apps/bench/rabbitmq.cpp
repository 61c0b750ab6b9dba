#include "apps/bench/rabbitmq.hpp"

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/free_port.hpp"
#include "apps/bench/queue_node.hpp"
#include "apps/bench/queue_peer.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
constexpr auto queue = "jobs";
constexpr amqp_channel_t channel = 1;
constexpr uint8_t persistent = 2;

/// What the server may take for an answer.
constexpr timeval patience{10, 0};

/// When nothing was there for so long, nothing more comes.
constexpr timeval silence{0, 500'000};

[[noreturn]] void fail(const char* what) {
  throw cannot_measure{std::string{"RabbitMQ: "} + what};
}

void check(const amqp_rpc_reply_t& reply, const char* what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL)
    fail(what);
}

/// A connection with one channel.
class session {
public:
  explicit session(uint16_t port) : connection_(amqp_new_connection()) {
    auto socket = amqp_tcp_socket_new(connection_);
    auto wait = patience;
    if (!socket
        || amqp_socket_open_noblock(socket, "127.0.0.1", port, &wait)
             != AMQP_STATUS_OK) {
      amqp_destroy_connection(connection_);
      fail("cannot connect");
    }
    check(amqp_login(connection_, "/", 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN,
                     "guest", "guest"),
          "login");
    amqp_channel_open(connection_, channel);
    check_last("channel");
  }

  session(const session&) = delete;

  ~session() {
    amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection_);
  }

  amqp_connection_state_t get() const { return connection_; }

  void check_last(const char* what) const {
    check(amqp_get_rpc_reply(connection_), what);
  }

private:
  amqp_connection_state_t connection_;
};

void make_queue(uint16_t port) {
  session with{port};
  constexpr amqp_boolean_t durable = 1;
  amqp_queue_declare(with.get(), channel, amqp_cstring_bytes(queue), 0, durable,
                     0, 0, amqp_empty_table);
  with.check_last("queue");
}

/// Publishes with at most as many unconfirmed as may be in flight.
class publisher {
public:
  explicit publisher(uint16_t port) : with_(port) {
    amqp_confirm_select(with_.get(), channel);
    with_.check_last("confirms");
  }

  uint64_t run_until(clock::time_point end) {
    while (clock::now() < end) {
      publish();
      if (published_ - confirmed_ >= queued_in_flight)
        take_confirmation();
    }
    while (confirmed_ < published_)
      take_confirmation();
    return published_;
  }

private:
  void publish() {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = persistent;
    if (amqp_basic_publish(with_.get(), channel, amqp_empty_bytes,
                           amqp_cstring_bytes(queue), 0, 0, &properties,
                           amqp_cstring_bytes(queued_arguments))
        != AMQP_STATUS_OK)
      fail("publish");
    ++published_;
  }

  void take_confirmation() {
    amqp_frame_t frame;
    auto wait = patience;
    if (amqp_simple_wait_frame_noblock(with_.get(), &frame, &wait)
          != AMQP_STATUS_OK
        || frame.frame_type != AMQP_FRAME_METHOD
        || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
      fail("a message was not confirmed");
    auto ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
    confirmed_ = ack->multiple ? ack->delivery_tag : confirmed_ + 1;
    amqp_maybe_release_buffers(with_.get());
  }

  session with_;
  uint64_t published_ = 0;

  /// How many; a single confirmation may come out of order.
  uint64_t confirmed_ = 0;
};

class consumer {
public:
  explicit consumer(uint16_t port) : with_(port) {
    amqp_basic_qos(with_.get(), channel, 0, queued_in_flight, 0);
    with_.check_last("prefetch");
    amqp_basic_consume(with_.get(), channel, amqp_cstring_bytes(queue),
                       amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    with_.check_last("consumer");
  }

  consumed_jobs run() {
    consumed_jobs done;
    for (;;) {
      amqp_maybe_release_buffers(with_.get());
      amqp_envelope_t envelope;
      auto wait = silence;
      auto reply = amqp_consume_message(with_.get(), &envelope, &wait, 0);
      if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
          && reply.library_error == AMQP_STATUS_TIMEOUT)
        return done;
      check(reply, "consume");
      auto tag = envelope.delivery_tag;
      amqp_destroy_envelope(&envelope);
      if (amqp_basic_ack(with_.get(), channel, tag, 0) != AMQP_STATUS_OK)
        fail("ack");
      ++done.count;
      done.last = clock::now();
    }
  }

private:
  session with_;
};

} // namespace

bool rabbitmq_server::is_installed() {
  return ::access(program, X_OK) == 0 && ::access("/usr/bin/epmd", X_OK) == 0;
}

rabbitmq_server::rabbitmq_server() : port_(free_port()) {
  auto names = std::to_string(free_port());
  names_.emplace(
    std::vector<std::string>{"epmd", "-port", names, "-address", "127.0.0.1"},
    -1);
  auto in = [&](const char* name) { return (folder_.path() / name).string(); };
  process_.emplace(
    std::vector<std::string>{
      "env", "ERL_EPMD_PORT=" + names, "ERL_EPMD_ADDRESS=127.0.0.1",
      "HOME=" + folder_.path().string(), "RABBITMQ_MNESIA_BASE=" + in("data"),
      "RABBITMQ_LOG_BASE=" + in("log"), "RABBITMQ_LOGS=-",
      "RABBITMQ_NODENAME=troupe_bench@localhost",
      "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
      "RABBITMQ_NODE_PORT=" + std::to_string(port_),
      "RABBITMQ_DIST_PORT=" + std::to_string(free_port()),
      "RABBITMQ_ENABLED_PLUGINS_FILE=" + in("plugins"),
      "RABBITMQ_CONFIG_FILE=" + in("config"),
      "RABBITMQ_ADVANCED_CONFIG_FILE=" + in("advanced"),
      // so that the script becomes the server
      "RABBITMQ_ALLOW_INPUT=1", program, "-noinput"},
    -1);
  std::string line;
  while (process_->read_line(line))
    if (line.find("Server startup complete") != line.npos) {
      make_queue(port_);
      return;
    }
  throw cannot_measure{"rabbitmq-server does not start"};
}

double rabbitmq_server::jobs(std::chrono::milliseconds time) const {
  consumer worker{port_};
  publisher from{port_};
  return jobs_per_second(
    time, [&] { return worker.run(); },
    [&](clock::time_point end) { return from.run_until(end); });
}

} // namespace troupe::bench
