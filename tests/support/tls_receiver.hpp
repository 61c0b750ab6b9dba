// A server of HTTPS for tests: it answers 200 to whatever is asked, and keeps
// what that was. One connection at a time.

#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

namespace troupe::test {

class tls_receiver {
public:
  /// @param identity a certificate and key of `make_certificate`
  /// @param client the certificate that clients must have; empty: they need none
  explicit tls_receiver(const std::filesystem::path& identity,
                        const std::filesystem::path& client = {});

  tls_receiver(const tls_receiver&) = delete;

  tls_receiver& operator=(const tls_receiver&) = delete;

  /// @pre who is connected goes, or has gone
  ~tls_receiver();

  uint16_t port() const noexcept { return port_; }

  struct request {
    std::string line; // "POST /path"
    std::string body;
  };

  std::vector<request> requests() const;

private:
  void run();
  void serve(boost::asio::ip::tcp::socket socket);

  boost::asio::io_context io_{1};
  boost::asio::ssl::context tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  uint16_t port_ = 0;
  mutable std::mutex mutex_; // guards what follows
  std::vector<request> requests_;
  std::thread thread_;
};

} // namespace troupe::test
