#include "nodes/link/tls.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace troupe::link {

namespace {

std::string last_reason() {
  auto code = ERR_peek_last_error();
  ERR_clear_error();
  auto text = code ? ERR_reason_error_string(code) : nullptr;
  return text ? text : "unknown";
}

[[noreturn]] void refuse(const std::string& what) {
  ERR_clear_error();
  throw tls_error{what};
}

/// @param option how an operator names it
void require_file(const char* option, const std::string& path) {
  if (path.empty())
    refuse(std::string{"TLS needs a CA, a certificate and a key: "} + option
           + " is missing");
  if (!std::ifstream{path})
    refuse(std::string{option} + " '" + path
           + "' cannot be read: " + std::strerror(errno));
}

void require_time(X509* certificate, const std::string& path) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    refuse("the certificate '" + path + "' has expired");
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
    refuse("the certificate '" + path + "' is not valid yet");
}

/// Own certificates are checked as peers will check them.
void require_trust(SSL_CTX* context, const tls_files& files) {
  auto certificate = SSL_CTX_get0_certificate(context);
  require_time(certificate, files.certificate);
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check{
    X509_STORE_CTX_new(), &X509_STORE_CTX_free};
  if (!check
      || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context),
                             certificate, chain)
           != 1)
    refuse("the certificate cannot be checked: " + last_reason());
  if (X509_verify_cert(check.get()) != 1)
    refuse(
      "the certificate '" + files.certificate + "' does not fit the CA '"
      + files.ca + "': "
      + X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get())));
}

} // namespace

void tls_context::deleter::operator()(SSL_CTX* x) const noexcept {
  SSL_CTX_free(x);
}

tls_context::tls_context(const tls_files& files) {
  require_file("the CA", files.ca);
  require_file("the certificate", files.certificate);
  require_file("the key", files.key);
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_method()));
  auto context = context_.get();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1)
    refuse("TLS cannot be set up: " + last_reason());
  if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1)
    refuse("the CA '" + files.ca + "' cannot be used: " + last_reason());
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str())
      != 1)
    refuse("the certificate '" + files.certificate
           + "' cannot be used: " + last_reason());
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM)
        != 1
      || SSL_CTX_check_private_key(context) != 1)
    refuse("the key '" + files.key + "' cannot be used with the certificate '"
           + files.certificate + "': " + last_reason());
  require_trust(context, files);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  // Whoever shows a ticket shows no certificate.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE
                              | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              | SSL_MODE_RELEASE_BUFFERS);
}

std::unique_ptr<tls_session> tls_context::session(int fd, bool accepted) const {
  return std::make_unique<tls_session>(context_.get(), fd, accepted);
}

void tls_session::deleter::operator()(SSL* x) const noexcept {
  SSL_free(x);
}

tls_session::tls_session(SSL_CTX* context, int fd, bool accepted)
  : ssl_(SSL_new(context)) {
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1)
    throw tls_error{"no TLS connection: " + last_reason()};
  if (accepted)
    SSL_set_accept_state(ssl_.get());
  else
    SSL_set_connect_state(ssl_.get());
}

tls_session::progress tls_session::handshake() {
  ERR_clear_error();
  auto result = SSL_do_handshake(ssl_.get());
  if (result == 1)
    return progress::done;
  switch (SSL_get_error(ssl_.get(), result)) {
  case SSL_ERROR_WANT_READ:
    return progress::wants_read;
  case SSL_ERROR_WANT_WRITE:
    return progress::wants_write;
  default:
    break;
  }
  auto verified = SSL_get_verify_result(ssl_.get());
  failure_ = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                   : last_reason();
  if (failure_ == "unknown")
    failure_ = "the peer closed the connection; does it have TLS?";
  return progress::failed;
}

std::optional<size_t> tls_session::nothing(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return 0;
  case SSL_ERROR_SSL:
    failure_ = "TLS: " + last_reason();
    return std::nullopt;
  default:
    ERR_clear_error();
    return std::nullopt;
  }
}

std::optional<size_t> tls_session::read(void* to, size_t room) {
  ERR_clear_error();
  size_t n = 0;
  auto result = SSL_read_ex(ssl_.get(), to, room, &n);
  return result == 1 ? n : nothing(result);
}

std::optional<size_t> tls_session::write(const void* from, size_t length) {
  ERR_clear_error();
  size_t n = 0;
  auto result = SSL_write_ex(ssl_.get(), from, length, &n);
  return result == 1 ? n : nothing(result);
}

size_t tls_session::pending() const noexcept {
  auto n = SSL_pending(ssl_.get());
  return n > 0 ? static_cast<size_t>(n) : 0;
}

} // namespace troupe::link
