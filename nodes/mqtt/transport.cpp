#include "nodes/mqtt/transport.hpp"

#include <stdexcept>
#include <type_traits>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

namespace troupe::mqtt {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

asio::ssl::context make_tls(const broker_address& to) {
  asio::ssl::context result{asio::ssl::context::tls_client};
  auto use = [&](const std::string& file, auto how) {
    boost::system::error_code fault;
    how(fault);
    if (fault)
      throw std::runtime_error("cannot use '" + file + "': " + fault.message());
  };
  SSL_CTX_set_min_proto_version(result.native_handle(), TLS1_2_VERSION);
  result.set_verify_mode(asio::ssl::verify_peer);
  if (to.ca.empty())
    use("the system's certificates",
        [&](auto& fault) { result.set_default_verify_paths(fault); });
  else
    use(to.ca, [&](auto& fault) { result.load_verify_file(to.ca, fault); });
  if (to.certificate.empty())
    return result;
  use(to.certificate, [&](auto& fault) {
    result.use_certificate_chain_file(to.certificate, fault);
  });
  use(to.key, [&](auto& fault) {
    result.use_private_key_file(to.key, asio::ssl::context::pem, fault);
  });
  return result;
}

/// `Stream` is a socket, or TLS over one.
template <class Stream>
class stream_transport final
  : public transport,
    public std::enable_shared_from_this<stream_transport<Stream>> {
public:
  static constexpr bool has_tls = !std::is_same_v<Stream, tcp::socket>;

  template <class... Ts>
  stream_transport(asio::io_context& io, const broker_address& to, Ts&&... args)
    : to_(to), resolver_(io), stream_(io, std::forward<Ts>(args)...) {}

  void connect(std::function<void(error_code)> done) override {
    auto self = this->shared_from_this();
    resolver_.async_resolve(
      to_.host, std::to_string(to_.port),
      [self, done](error_code fault, const tcp::resolver::results_type& found) {
        if (fault)
          return done(fault);
        asio::async_connect(self->stream_.lowest_layer(), found,
                            [self, done](error_code why, const tcp::endpoint&) {
                              self->connected(why, done);
                            });
      });
  }

  void read(asio::mutable_buffer into,
            std::function<void(error_code, size_t)> done) override {
    auto self = this->shared_from_this();
    stream_.async_read_some(
      into, [self, done = std::move(done)](error_code fault, size_t size) {
        done(fault, size);
      });
  }

  void write(asio::const_buffer bytes,
             std::function<void(error_code)> done) override {
    auto self = this->shared_from_this();
    asio::async_write(stream_, bytes,
                      [self, done = std::move(done)](error_code fault, size_t) {
                        done(fault);
                      });
  }

  void close() override {
    error_code ignored;
    resolver_.cancel();
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.lowest_layer().close(ignored);
  }

private:
  void connected(error_code fault,
                 const std::function<void(error_code)>& done) {
    if (fault)
      return done(fault);
    error_code ignored;
    stream_.lowest_layer().set_option(tcp::no_delay{true}, ignored);
    if constexpr (has_tls) {
      stream_.set_verify_callback(asio::ssl::host_name_verification{to_.host});
      SSL_set_tlsext_host_name(stream_.native_handle(), to_.host.c_str());
      stream_.async_handshake(
        asio::ssl::stream_base::client,
        [self = this->shared_from_this(), done](error_code why) { done(why); });
    } else {
      done(fault);
    }
  }

  const broker_address to_;
  tcp::resolver resolver_;
  Stream stream_;
};

using tls_stream = asio::ssl::stream<tcp::socket>;

} // namespace

std::shared_ptr<transport> make_transport(asio::io_context& io,
                                          const broker_address& to) {
  if (!to.tls)
    return std::make_shared<stream_transport<tcp::socket>>(io, to);
  // A stream of OpenSSL holds a reference to what is in its context.
  auto context = make_tls(to);
  return std::make_shared<stream_transport<tls_stream>>(io, to, context);
}

} // namespace troupe::mqtt
