#include "nodes/mqtt/transport.hpp"

#include <stdexcept>
#include <type_traits>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include "nodes/password_file.hpp"

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
  for (auto& file : {to.ca, to.certificate, to.key})
    if (!file.empty())
      expect_readable(file);
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

/// The certificate must be for `host`, a name or an address.
void expect_host(SSL& tls, const std::string& host) {
  auto& how = *SSL_get0_param(&tls);
  boost::system::error_code is_name;
  asio::ip::make_address(host, is_name);
  X509_VERIFY_PARAM_set_hostflags(&how, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  auto good = is_name ? SSL_set1_host(&tls, host.c_str())
                          && SSL_set_tlsext_host_name(&tls, host.c_str())
                      : X509_VERIFY_PARAM_set1_ip_asc(&how, host.c_str());
  if (!good)
    throw std::runtime_error("cannot check certificates for '" + host + "'");
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

  void connect(
    std::function<void(const std::optional<std::string>&)> done) override {
    auto self = this->shared_from_this();
    resolver_.async_resolve(
      to_.host, std::to_string(to_.port),
      [self, done](error_code fault, const tcp::resolver::results_type& found) {
        if (fault)
          return done(fault.message());
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
  void connected(
    error_code fault,
    const std::function<void(const std::optional<std::string>&)>& done) {
    if (fault)
      return done(fault.message());
    error_code ignored;
    stream_.lowest_layer().set_option(tcp::no_delay{true}, ignored);
    if constexpr (has_tls) {
      expect_host(*stream_.native_handle(), to_.host);
      stream_.async_handshake(
        asio::ssl::stream_base::client,
        [self = this->shared_from_this(), done](error_code why) {
          done(why ? std::optional{self->describe(why)} : std::nullopt);
        });
    } else {
      done(std::nullopt);
    }
  }

  /// What was wrong with the certificate, if that was it.
  std::string describe(error_code why) requires has_tls {
    auto verified = SSL_get_verify_result(stream_.native_handle());
    if (verified == X509_V_OK)
      return why.message();
    return "the certificate of '" + to_.host
           + "' is not good: " + X509_verify_cert_error_string(verified);
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
