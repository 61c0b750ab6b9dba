// Baseline: an echo server as Boost.Beast's own examples write it, with what
// makes them fast: one io_context a thread, no strands, reused buffers, moved
// bodies, TCP_NODELAY, no time-outs. Its buffer is made large at once, for Beast
// reads as much as the buffer has room for, and 512 bytes otherwise.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <sys/socket.h>

#include "apps/bench/echo_options.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
public:
  explicit session(tcp::socket socket) : socket_(std::move(socket)) {
    buffer_.reserve(64 * 1024);
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(troupe::bench::echo_body_max);
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](auto error, size_t) {
                       if (!error)
                         self->answer();
                     });
  }

private:
  void answer() {
    auto request = parser_->release();
    response_ = {};
    response_.version(request.version());
    response_.result(http::status::ok);
    response_.keep_alive(request.keep_alive());
    response_.set(http::field::content_type, "application/octet-stream");
    response_.body() = std::move(request.body());
    response_.prepare_payload();
    http::async_write(socket_, response_,
                      [self = shared_from_this()](auto error, size_t) {
                        if (!error)
                          self->next();
                      });
  }

  void next() {
    if (response_.keep_alive()) {
      read();
      return;
    }
    beast::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::socket socket_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

using reuse_port =
  asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

class listener {
public:
  listener(asio::io_context& io, uint16_t port) : acceptor_(io) {
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
        std::make_shared<session>(std::move(socket))->read();
      }
      accept();
    });
  }

  tcp::acceptor acceptor_;
};

struct thread_of_io {
  explicit thread_of_io(uint16_t port) : io(1), in(io, port) {}
  asio::io_context io;
  listener in;
};

} // namespace

int main(int argc, char** argv) {
  auto given = troupe::bench::parse_echo_options(argc, argv);
  std::vector<std::unique_ptr<thread_of_io>> all;
  all.push_back(std::make_unique<thread_of_io>(given.port));
  auto port = all.front()->in.port();
  while (all.size() < given.threads)
    all.push_back(std::make_unique<thread_of_io>(port));
  std::cout << port << std::endl;
  std::vector<std::thread> threads;
  for (size_t i = 1; i < all.size(); ++i)
    threads.emplace_back([&io = all[i]->io] { io.run(); });
  all.front()->io.run();
}
