// A stream of bytes to a broker, over TCP or TLS.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include "actors/messages/subscription.hpp"

namespace troupe::mqtt {

/// All of it belongs to the thread of its `io_context`. Handlers come from
/// there, never from within a call; the stream lives until they have come.
class transport {
public:
  using error_code = boost::system::error_code;

  virtual ~transport() = default;

  /// Looks the host up, connects, and does the handshake of TLS, in which the
  /// broker's certificate must be good for its host. Why it cannot; or nothing.
  virtual void
  connect(std::function<void(const std::optional<std::string>&)> done) = 0;

  virtual void read(boost::asio::mutable_buffer into,
                    std::function<void(error_code, size_t)> done) = 0;

  /// All of `bytes`, which stay as they are until then.
  virtual void write(boost::asio::const_buffer bytes,
                     std::function<void(error_code)> done) = 0;

  /// What is under way ends with an error.
  virtual void close() = 0;
};

/// @throws std::runtime_error if a file of certificates cannot be read
std::shared_ptr<transport> make_transport(boost::asio::io_context& io,
                                          const broker_address& to);

} // namespace troupe::mqtt
