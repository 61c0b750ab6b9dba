#include "tests/support/mqtt_client.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;

} // namespace

mqtt::connect mqtt_client::default_client() {
  mqtt::connect result;
  result.clean_start = true;
  result.keep_alive_s = 0;
  return result;
}

mqtt_client::mqtt_client(uint16_t port, mqtt::connect who)
  : version_(who.version),
    fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    throw std::runtime_error("no broker listens");
  send(mqtt::encode(who));
  auto answer =
    mqtt::read_connack(version_, read(mqtt::packet_type::connack).body);
  if (answer.reason != 0)
    throw std::runtime_error("the broker refuses: "
                             + mqtt::describe_reason(version_, answer.reason));
}

mqtt_client::~mqtt_client() {
  ::close(fd_);
}

void mqtt_client::publish(mqtt::publish message) {
  if (message.qos > 0 && message.id == 0)
    message.id = ++last_id_ ? last_id_ : ++last_id_;
  send(mqtt::encode(version_, message));
  if (message.qos == 1)
    read(mqtt::packet_type::puback);
  if (message.qos == 2) {
    read(mqtt::packet_type::pubrec);
    send(mqtt::encode_ack(mqtt::packet_type::pubrel, message.id));
    read(mqtt::packet_type::pubcomp);
  }
}

void mqtt_client::subscribe(const std::string& filter, uint8_t qos) {
  send(mqtt::encode_subscribe(version_, 1, filter, qos));
  read(mqtt::packet_type::suback);
}

std::optional<mqtt::publish>
mqtt_client::receive(std::chrono::milliseconds time) {
  auto next = read_any(time);
  if (!next || next->type != mqtt::packet_type::publish)
    return std::nullopt;
  auto result = mqtt::read_publish(version_, next->flags, next->body);
  if (result.qos == 1)
    send(mqtt::encode_ack(mqtt::packet_type::puback, result.id));
  return result;
}

mqtt::frame mqtt_client::read(mqtt::packet_type wanted) {
  auto next = read_any(patience);
  if (!next || next->type != wanted)
    throw std::runtime_error("the broker does not answer as it should");
  return *next;
}

std::optional<mqtt::frame>
mqtt_client::read_any(std::chrono::milliseconds time) {
  auto until = std::chrono::steady_clock::now() + time;
  for (;;) {
    if (auto next = frames_.next())
      return next;
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
    pollfd ready{fd_, POLLIN, 0};
    if (left.count() <= 0
        || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0)
      return std::nullopt;
    char buffer[4096];
    auto size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0)
      throw std::runtime_error("the broker has closed the connection");
    frames_.add({buffer, static_cast<size_t>(size)});
  }
}

void mqtt_client::send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    auto size =
      ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size <= 0)
      throw std::runtime_error("the broker has closed the connection");
    sent += static_cast<size_t>(size);
  }
}

} // namespace troupe::test
