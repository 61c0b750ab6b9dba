// A client of NATS for tests.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <nats/nats.h>

namespace troupe::test {

class nats_client {
public:
  using headers = std::map<std::string, std::string>;

  /// Connects to a server of this machine. @throws std::runtime_error
  explicit nats_client(const std::string& url);

  nats_client(const nats_client&) = delete;

  nats_client& operator=(const nats_client&) = delete;

  ~nats_client();

  /// Makes a stream with these subjects, in files.
  void add_stream(const std::string& name, const std::string& subjects);

  /// Returns when the stream has it. Publishes again, as the same message, while
  /// the server is away.
  void publish_to_stream(const std::string& subject, const std::string& body,
                         const std::string& id);

  /// To nobody in particular.
  void publish(const std::string& subject, const std::string& body,
               const headers& more = {});

  /// Waits for the answer; nothing if none comes in time.
  std::optional<std::string> request(const std::string& subject,
                                     const std::string& body);

  /// Asks without waiting: the answer goes to the subject `reply`.
  void ask(const std::string& subject, const std::string& body,
           const std::string& reply);

  void subscribe(const std::string& subject);

  /// The next message of `subscribe`.
  std::optional<std::string> receive();

  struct message {
    std::string subject;
    std::string body;
    headers more;
  };

  /// The same with its headers.
  std::optional<message> receive_message();

  /// How many a stream has; 0 while the server is away.
  uint64_t messages_of(const std::string& stream);

  /// What a consumer has not acknowledged, and how often it has delivered.
  struct pending {
    uint64_t not_delivered = 0;
    uint64_t not_acknowledged = 0;
    uint64_t deliveries = 0;
  };

  pending look_at(const std::string& stream, const std::string& consumer);

private:
  natsConnection* connection_ = nullptr;
  jsCtx* context_ = nullptr;
  natsSubscription* subscription_ = nullptr;
};

} // namespace troupe::test
