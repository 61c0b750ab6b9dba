#include "nodes/link/dialer.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::link {

namespace {

/// Strangers that are let in before they have said who they are. More wait in
/// the kernel's queue.
constexpr size_t candidates_max = 256;

using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// Null if there is no such, then `why` says so.
addresses resolve(const std::string& address, int flags, std::string& why) {
  addresses result{nullptr, &::freeaddrinfo};
  auto colon = address.rfind(':');
  if (colon == std::string::npos) {
    why = "'" + address + "' is not of the form address:port";
    return result;
  }
  auto host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  auto code = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                            address.c_str() + colon + 1, &hints, &found);
  if (code != 0)
    why = "'" + address + "': " + ::gai_strerror(code);
  else
    result.reset(found);
  return result;
}

void set_options(int fd) {
  auto on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6
                 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                 : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

/// "address:port"; IPv6 in brackets.
std::string address_text(const sockaddr_storage& address, socklen_t length) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host,
                    sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV)
      != 0)
    return "an unknown address";
  auto is_six = address.ss_family == AF_INET6;
  return (is_six ? '[' + std::string{host} + ']' : std::string{host}) + ':'
         + port;
}

owned_fd listen_on(const std::string& address) {
  std::string why;
  auto found = resolve(address, AI_PASSIVE, why);
  if (!found)
    throw std::runtime_error{why};
  owned_fd fd{
    ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  auto on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (!fd || ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0
      || ::listen(fd.get(), SOMAXCONN) != 0)
    throw std::runtime_error{"cannot listen on " + address
                             + " for peers: " + std::strerror(errno)};
  return fd;
}

} // namespace

owned_fd::~owned_fd() {
  if (fd_ >= 0)
    ::close(fd_);
}

dialer::dialer(const std::string& listen, const tls_context* tls,
               std::chrono::milliseconds limit, callback done)
  : tls_(tls), limit_(limit), done_(std::move(done)),
    listener_(listen_on(listen)),
    event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
    port_(port_of(listener_.get())) {
  if (!event_)
    throw std::runtime_error{std::strerror(errno)};
  thread_ = std::thread{[this] { run(); }};
}

dialer::~dialer() {
  {
    std::lock_guard guard{mutex_};
    stopped_ = true;
  }
  wake();
  thread_.join();
}

void dialer::dial(uint64_t attempt, std::string address) {
  {
    std::lock_guard guard{mutex_};
    orders_.push_back({attempt, std::move(address)});
  }
  wake();
}

void dialer::accept_now() {
  {
    std::lock_guard guard{mutex_};
    accepting_ = true;
  }
  wake();
}

void dialer::accept_no_more() {
  {
    std::lock_guard guard{mutex_};
    accepting_ = false;
  }
  // Its descriptor stays, for it may be polled at this moment. With SO_REUSEADDR
  // on both, an address is taken only by a socket that listens.
  ::shutdown(listener_.get(), SHUT_RDWR);
  wake();
}

void dialer::wake() {
  uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(event_.get(), &one, sizeof(one));
}

void dialer::run() {
  // Signals are for the program's own threads; a broken pipe is an error code.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    {
      std::lock_guard guard{mutex_};
      if (stopped_)
        return;
    }
    take_orders();
    wait();
    end_late_ones();
  }
}

void dialer::take_orders() {
  std::vector<order> orders;
  {
    std::lock_guard guard{mutex_};
    orders.swap(orders_);
  }
  for (auto& x : orders)
    start(x);
}

void dialer::start(const order& what) {
  candidate x;
  x.attempt = what.attempt;
  x.deadline = clock::now() + limit_;
  std::string why;
  // A name costs a query; peers give numbers.
  auto found = resolve(what.address, AI_NUMERICHOST, why);
  if (!found)
    found = resolve(what.address, 0, why);
  if (!found)
    return failed(x, why);
  x.fd = owned_fd{
    ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!x.fd)
    return failed(x, std::strerror(errno));
  if (::connect(x.fd.get(), found->ai_addr, found->ai_addrlen) != 0
      && errno != EINPROGRESS)
    return failed(x, what.address + ": " + std::strerror(errno));
  candidates_.push_back(std::move(x));
}

void dialer::wait() {
  std::vector<pollfd> watched;
  watched.push_back({event_.get(), POLLIN, 0});
  {
    std::lock_guard guard{mutex_};
    auto room = accepting_ && candidates_.size() < candidates_max;
    watched.push_back({room ? listener_.get() : -1, POLLIN, 0});
  }
  auto next = clock::time_point::max();
  for (auto& x : candidates_) {
    auto events = x.at == step::reading ? POLLIN : POLLOUT;
    watched.push_back({x.fd.get(), static_cast<short>(events), 0});
    next = std::min(next, x.deadline);
  }
  auto timeout = -1;
  if (next != clock::time_point::max())
    timeout = static_cast<int>(std::max<int64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(next - clock::now()).count(),
      0));
  if (::poll(watched.data(), watched.size(), timeout) <= 0)
    return;
  uint64_t count;
  if (watched[0].revents != 0) [[maybe_unused]]
    auto n = ::read(event_.get(), &count, sizeof(count));
  size_t index = 2;
  std::erase_if(candidates_, [&](candidate& x) {
    return watched[index++].revents != 0 && advance(x);
  });
  if (watched[1].revents != 0)
    accept_all();
}

void dialer::accept_all() {
  while (candidates_.size() < candidates_max && accept_one())
    ;
}

bool dialer::accept_one() {
  candidate x;
  sockaddr_storage from{};
  socklen_t length = sizeof(from);
  x.fd = owned_fd{::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from),
                            &length, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!x.fd) {
    // Without descriptors the listener stays ready: do not spin.
    if (errno == EMFILE || errno == ENFILE)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    return false;
  }
  x.from = address_text(from, length);
  x.deadline = clock::now() + limit_;
  set_options(x.fd.get());
  if (!tls_) {
    ready(x);
    return true;
  }
  if (start_tls(x, true)) {
    x.at = step::reading;
    candidates_.push_back(std::move(x));
  }
  return true;
}

bool dialer::start_tls(candidate& x, bool accepted) {
  try {
    x.tls = tls_->session(x.fd.get(), accepted);
    return true;
  } catch (const tls_error& e) {
    failed(x, e.what());
    return false;
  }
}

void dialer::end_late_ones() {
  auto now = clock::now();
  std::erase_if(candidates_, [&](candidate& x) {
    if (x.deadline > now)
      return false;
    failed(x, x.at == step::connecting ? "it does not answer"
                                       : "no TLS handshake; does it have TLS?");
    return true;
  });
}

bool dialer::advance(candidate& x) {
  if (x.at != step::connecting)
    return shake_hands(x);
  int reason = 0;
  socklen_t length = sizeof(reason);
  ::getsockopt(x.fd.get(), SOL_SOCKET, SO_ERROR, &reason, &length);
  if (reason != 0) {
    failed(x, std::strerror(reason));
    return true;
  }
  set_options(x.fd.get());
  if (!tls_) {
    ready(x);
    return true;
  }
  return !start_tls(x, false) || shake_hands(x);
}

bool dialer::shake_hands(candidate& x) {
  switch (x.tls->handshake()) {
  case tls_session::progress::done:
    ready(x);
    return true;
  case tls_session::progress::wants_read:
    x.at = step::reading;
    return false;
  case tls_session::progress::wants_write:
    x.at = step::writing;
    return false;
  case tls_session::progress::failed:
    break;
  }
  failed(x, "TLS: " + x.tls->failure());
  return true;
}

void dialer::ready(candidate& x) {
  done_(
    {x.attempt, {std::move(x.fd), std::move(x.tls)}, {}, std::move(x.from)});
}

void dialer::failed(const candidate& x, std::string why) {
  done_({x.attempt, {}, std::move(why), x.from});
}

} // namespace troupe::link
