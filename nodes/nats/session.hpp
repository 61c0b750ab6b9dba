// One connection to a server of NATS with one subscription, through the C
// client: core subjects in a queue group, or a durable pull consumer of
// JetStream. It makes no new connection by itself: who has it sees that it is
// over, and makes another.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/message_source.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/nats/connect.hpp"

namespace troupe::nats {

/// A message, which must not outlive its session.
struct received {
  message_handle raw;
  incoming_message message;

  /// Who asks waits for the answer here; empty: nobody does.
  std::string reply{};

  /// Messages behind it that were not delivered yet, of JetStream.
  std::optional<uint64_t> lag{};
};

class session {
public:
  /// Connects, and subscribes. @throws session_error
  explicit session(const subscription& what);

  session(const session&) = delete;

  ~session();

  /// What comes within that time, from none to `most`. @throws session_error
  std::vector<received> receive(size_t most, std::chrono::milliseconds time);

  // -- from another thread, too ----------------------------------------------

  /// Of JetStream; without it there is nothing to say. A connection that broke
  /// does not say it, and the message comes again.
  void acknowledge(natsMsg& x) noexcept;
  void give_back(natsMsg& x) noexcept;
  void in_progress(natsMsg& x) noexcept;

  using header_list = std::vector<std::pair<std::string, std::string>>;

  /// @throws session_error
  void publish(const std::string& subject, const payload& body,
               const header_list& more = {});

  /// Tells who asks that there is no answer, as services of NATS do: an error in
  /// the body, and in two headers. @throws session_error
  void publish_failure(const std::string& subject, const error& why);

  /// The server takes a message as large as this.
  bool takes(const payload& body, size_t header = 64) const;

  /// The server has what was published. @throws session_error
  void flush();

  /// Messages that the consumer has not delivered; nothing if the server does
  /// not tell.
  std::optional<uint64_t> lag();

  /// Messages that were lost because they came faster than they were taken, of
  /// core subjects.
  uint64_t dropped() const;

private:
  void connect();
  void subscribe();
  received read(message_handle raw) const;

  const subscription what_;
  connection_handle connection_;
  context_handle context_;
  subscription_handle subscription_;
};

} // namespace troupe::nats
