// An HTTP server for baselines, as Boost.Beast's own examples write it, with
// what makes them fast: one io_context a thread, no strands, reused buffers,
// moved bodies, TCP_NODELAY, no time-outs. Its buffer is made large at once, for
// Beast reads as much as the buffer has room for, and 512 bytes otherwise.

#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <sys/socket.h>

#include "apps/bench/echo_options.hpp"

namespace troupe::bench {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

/// One connection. `Handler` takes a shared pointer to it for each request, and
/// answers it on the thread of its io_context, then or later.
template <class Handler>
class beast_session
  : public std::enable_shared_from_this<beast_session<Handler>> {
public:
  beast_session(tcp::socket socket, Handler& handler)
    : socket_(std::move(socket)), handler_(handler) {
    buffer_.reserve(64 * 1024);
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(echo_body_max);
    http::async_read(socket_, buffer_, *parser_,
                     [self = this->shared_from_this()](auto error, size_t) {
                       if (!error)
                         self->handler_(self);
                     });
  }

  /// The body of the request that was read.
  std::string take_body() { return std::move(parser_->get().body()); }

  void answer(std::string body, const char* content_type) {
    auto request = parser_->release();
    response_ = {};
    response_.version(request.version());
    response_.result(http::status::ok);
    response_.keep_alive(request.keep_alive());
    response_.set(http::field::content_type, content_type);
    response_.body() = std::move(body);
    response_.prepare_payload();
    http::async_write(socket_, response_,
                      [self = this->shared_from_this()](auto error, size_t) {
                        if (!error)
                          self->next();
                      });
  }

private:
  void next() {
    if (response_.keep_alive()) {
      read();
      return;
    }
    beast::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::socket socket_;
  Handler& handler_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

using reuse_port =
  asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// Accepts on loopback; several may have one port.
template <class Handler>
class beast_listener {
public:
  beast_listener(asio::io_context& io, uint16_t port, Handler handler)
    : handler_(std::move(handler)), acceptor_(io) {
    tcp::endpoint where{asio::ip::address_v4::loopback(), port};
    acceptor_.open(where.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.set_option(reuse_port(true));
    acceptor_.bind(where);
    acceptor_.listen();
    accept();
  }

  uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
  void accept() {
    acceptor_.async_accept([this](auto error, tcp::socket socket) {
      if (!error) {
        socket.set_option(tcp::no_delay(true));
        std::make_shared<beast_session<Handler>>(std::move(socket), handler_)
          ->read();
      }
      accept();
    });
  }

  Handler handler_;
  tcp::acceptor acceptor_;
};

} // namespace troupe::bench
