// Where connections to peers come from. To connect blocks, a TLS handshake waits
// for the other side, and a peer that hangs answers neither: so all of that
// happens on a thread of its own, for any number of peers at once, each with a
// deadline. CAF's event loop gets sockets that are ready.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nodes/link/tls.hpp"

namespace troupe::link {

/// Closes a file descriptor.
class owned_fd {
public:
  owned_fd() = default;
  explicit owned_fd(int fd) noexcept : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~owned_fd();

  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_ = -1;
};

/// A connection after its TLS handshake, if it has TLS.
struct ready_socket {
  owned_fd fd;
  std::unique_ptr<tls_session> tls;
};

/// What came of an attempt, or who came.
struct dial_result {
  /// The number that `dial` was given; 0: a peer has connected.
  uint64_t attempt = 0;
  ready_socket socket;

  /// Why there is no socket.
  std::string failure;

  /// "address:port" of the peer that has connected.
  std::string from;
};

class dialer {
public:
  /// Called on the dialer's thread; must not block.
  using callback = std::function<void(dial_result)>;

  /// @param listen "address:port", port 0: any
  /// @param tls null: plain TCP; outlives the dialer
  /// @param limit what a connection may take to be ready
  /// @throws std::runtime_error if it cannot listen there
  dialer(const std::string& listen, const tls_context* tls,
         std::chrono::milliseconds limit, callback done);

  dialer(const dialer&) = delete;

  /// Attempts that are under way end without a result.
  ~dialer();

  /// The port that it listens on.
  uint16_t port() const noexcept { return port_; }

  /// Connects to "address:port". The result comes in any case.
  void dial(uint64_t attempt, std::string address);

  /// Connections that come in wait until this is called.
  void accept_now();

  /// None comes in from now on, and another socket may listen there.
  void accept_no_more();

private:
  using clock = std::chrono::steady_clock;

  enum class step : uint8_t { connecting, reading, writing };

  /// A connection that is not ready yet.
  struct candidate {
    uint64_t attempt = 0;
    std::string from;
    owned_fd fd;
    std::unique_ptr<tls_session> tls;
    step at = step::connecting;
    clock::time_point deadline;
  };

  struct order {
    uint64_t attempt;
    std::string address;
  };

  void run();
  void wake();
  void take_orders();
  void start(const order& what);
  void accept_all();
  bool accept_one();
  void wait();
  void end_late_ones();

  /// True if it is done with, one way or the other.
  bool advance(candidate& x);
  bool shake_hands(candidate& x);

  /// False if there is no memory for it.
  bool start_tls(candidate& x, bool accepted);
  void ready(candidate& x);
  void failed(const candidate& x, std::string why);

  const tls_context* tls_;
  std::chrono::milliseconds limit_;
  callback done_;
  owned_fd listener_;
  owned_fd event_;
  uint16_t port_ = 0;
  std::vector<candidate> candidates_;
  std::mutex mutex_; // guards the three below
  std::vector<order> orders_;
  bool accepting_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace troupe::link
