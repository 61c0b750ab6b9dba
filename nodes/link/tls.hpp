// Mutual TLS between nodes. A cluster has one private CA: whoever shows a
// certificate of it is a node, everybody else is nobody. CAF's own module goes
// on with anonymous encryption if its files are missing, and finds out about bad
// ones when the first peer connects; here they are all read, and checked against
// each other, before a node starts.

#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <openssl/types.h>

namespace troupe::link {

/// PEM files. All three, or none for plain TCP.
struct tls_files {
  /// The certificate of the cluster's CA.
  std::string ca;

  /// This node's own certificate, with its chain if it has one.
  std::string certificate;

  /// Its private key, without a passphrase.
  std::string key;

  bool any() const noexcept {
    return !ca.empty() || !certificate.empty() || !key.empty();
  }
};

/// These files cannot be used; `what` says which one and why.
class tls_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// One TLS connection. Not thread-safe.
class tls_session {
public:
  /// @param accepted the peer has connected
  tls_session(SSL_CTX* context, int fd, bool accepted);

  enum class progress { done, wants_read, wants_write, failed };

  /// Goes on with the handshake.
  progress handshake();

  /// Why the handshake failed, or the connection ended; empty if the peer closed
  /// it in order.
  const std::string& failure() const noexcept { return failure_; }

  /// Bytes that were read; 0: none there now; nothing: the connection is over.
  std::optional<size_t> read(void* to, size_t room);

  /// As above, of what was written.
  std::optional<size_t> write(const void* from, size_t length);

  /// Bytes that are there without a read of the socket.
  size_t pending() const noexcept;

private:
  struct deleter {
    void operator()(SSL* x) const noexcept;
  };

  /// What came of an operation that moved nothing.
  std::optional<size_t> nothing(int result);

  std::unique_ptr<SSL, deleter> ssl_;
  std::string failure_;
};

/// The files, read and checked. Thread-safe.
class tls_context {
public:
  /// @throws tls_error
  explicit tls_context(const tls_files& files);

  /// @throws tls_error
  std::unique_ptr<tls_session> session(int fd, bool accepted) const;

private:
  struct deleter {
    void operator()(SSL_CTX* x) const noexcept;
  };

  std::unique_ptr<SSL_CTX, deleter> context_;
};

} // namespace troupe::link
