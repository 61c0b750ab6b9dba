#include "nodes/link/socket_scribe.hpp"

#include <cerrno>

#include <sys/socket.h>

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/interfaces.hpp>
#include <caf/io/network/native_socket.hpp>
#include <caf/io/network/stream_impl.hpp>

namespace troupe::link {

namespace {

using namespace caf::io::network;

/// Moves bytes for CAF's stream. Nothing to read or no room to write is success
/// with a result of 0: the loop looks again when the socket is ready.
class socket_policy {
public:
  explicit socket_policy(std::shared_ptr<tls_session> tls)
    : tls_(std::move(tls)) {}

  rw_state read_some(size_t& result, native_socket fd, void* to, size_t room) {
    if (tls_)
      return report(result, tls_->read(to, room));
    auto n = ::recv(fd, to, room, 0);
    return n == 0 ? rw_state::failure : report(result, count(n));
  }

  rw_state write_some(size_t& result, native_socket fd, const void* from,
                      size_t length) {
    if (tls_)
      return report(result, tls_->write(from, length));
    return report(result, count(::send(fd, from, length, MSG_NOSIGNAL)));
  }

  bool must_read_more(native_socket, size_t) {
    // What TLS has decrypted already makes no socket ready.
    return tls_ && tls_->pending() > 0;
  }

private:
  static std::optional<size_t> count(ssize_t n) {
    if (n >= 0)
      return static_cast<size_t>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
      return 0;
    return std::nullopt;
  }

  static rw_state report(size_t& result, std::optional<size_t> n) {
    result = n.value_or(0);
    return n ? rw_state::success : rw_state::failure;
  }

  std::shared_ptr<tls_session> tls_;
};

class socket_scribe final : public caf::io::scribe {
public:
  socket_scribe(default_multiplexer& loop, native_socket fd,
                std::shared_ptr<tls_session> tls)
    : scribe(conn_hdl_from_socket(fd)), stream_(loop, fd, std::move(tls)) {}

  void configure_read(caf::io::receive_policy::config how) override {
    stream_.configure_read(how);
    if (!std::exchange(launched_, true))
      stream_.start(this);
  }

  void ack_writes(bool enable) override { stream_.ack_writes(enable); }

  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }

  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }

  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }

  void flush() override { stream_.flush(this); }

  std::string addr() const override {
    auto x = remote_addr_of_fd(stream_.fd());
    return x ? *x : std::string{};
  }

  uint16_t port() const override {
    auto x = remote_port_of_fd(stream_.fd());
    return x ? *x : uint16_t{0};
  }

  void add_to_loop() override { stream_.activate(this); }

  void remove_from_loop() override { stream_.passivate(); }

private:
  stream_impl<socket_policy> stream_;
  bool launched_ = false;
};

} // namespace

caf::io::scribe_ptr make_scribe(default_multiplexer& loop, owned_fd fd,
                                std::shared_ptr<tls_session> tls) {
  return caf::make_counted<socket_scribe>(loop, fd.release(), std::move(tls));
}

} // namespace troupe::link
