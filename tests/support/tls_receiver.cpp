#include "tests/support/tls_receiver.hpp"

#include <utility>

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <sys/socket.h>

namespace troupe::test {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

} // namespace

tls_receiver::tls_receiver(const std::filesystem::path& identity,
                           const std::filesystem::path& client)
  : tls_(asio::ssl::context::tls_server),
    acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
  port_ = acceptor_.local_endpoint().port();
  tls_.use_certificate_chain_file(identity.string() + ".pem");
  tls_.use_private_key_file(identity.string() + ".key",
                            asio::ssl::context::pem);
  if (!client.empty()) {
    tls_.load_verify_file(client.string() + ".pem");
    tls_.set_verify_mode(asio::ssl::verify_peer
                         | asio::ssl::verify_fail_if_no_peer_cert);
  }
  thread_ = std::thread{[this] { run(); }};
}

tls_receiver::~tls_receiver() {
  // Ends an accept that waits, which closing would not.
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  thread_.join();
}

std::vector<tls_receiver::request> tls_receiver::requests() const {
  std::lock_guard guard{mutex_};
  return requests_;
}

void tls_receiver::run() {
  for (;;) {
    boost::system::error_code fault;
    auto socket = acceptor_.accept(fault);
    if (fault)
      return;
    serve(std::move(socket));
  }
}

void tls_receiver::serve(tcp::socket socket) {
  asio::ssl::stream<tcp::socket> stream{std::move(socket), tls_};
  boost::system::error_code fault;
  stream.handshake(asio::ssl::stream_base::server, fault);
  if (fault)
    return;
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> got;
  http::read(stream, buffer, got, fault);
  if (fault)
    return;
  {
    std::lock_guard guard{mutex_};
    requests_.push_back(
      {std::string{got.method_string()} + " " + std::string{got.target()},
       got.body()});
  }
  http::response<http::empty_body> answer{http::status::ok, 11};
  answer.keep_alive(false);
  http::write(stream, answer, fault);
  stream.shutdown(fault);
}

} // namespace troupe::test
