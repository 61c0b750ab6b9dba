#include "nodes/http/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/http/worker.hpp"

namespace troupe::http {

namespace {

/// How long accepting rests when the process has no descriptor left.
constexpr std::chrono::milliseconds rest_without_descriptors{100};

/// Connections that are taken in one turn.
constexpr int accepts_per_turn = 64;

struct endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }
};

endpoint to_endpoint(const std::string& address, uint16_t port) {
  endpoint result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    result.size = sizeof(sockaddr_in);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    result.size = sizeof(sockaddr_in6);
  } else {
    throw std::invalid_argument("not a numeric address: " + address);
  }
  return result;
}

/// A socket on its way to another thread, which may end before it takes it.
class owned_socket {
public:
  explicit owned_socket(int fd) : fd_(fd) {}

  owned_socket(owned_socket&& other) noexcept : fd_(other.release()) {}

  ~owned_socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  int release() { return std::exchange(fd_, -1); }

private:
  int fd_;
};

int listen_on(const options& x) {
  auto where = to_endpoint(x.address, x.port);
  auto fd = ::socket(where.storage.ss_family,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd >= 0
      && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
      && ::bind(fd, where.address(), where.size) == 0
      && ::listen(fd, x.backlog) == 0)
    return fd;
  auto error = errno;
  if (fd >= 0)
    ::close(fd);
  throw std::system_error(error, std::generic_category(),
                          "cannot listen on " + x.address + ":"
                            + std::to_string(x.port));
}

uint16_t port_of(int fd) {
  endpoint where;
  where.size = sizeof(where.storage);
  ::getsockname(fd, where.address(), &where.size);
  return where.storage.ss_family == AF_INET
           ? ntohs(reinterpret_cast<sockaddr_in*>(&where.storage)->sin_port)
           : ntohs(reinterpret_cast<sockaddr_in6*>(&where.storage)->sin6_port);
}

} // namespace

/// Takes connections on the first worker's thread.
class server::acceptor : public pollable {
public:
  acceptor(server& owner, int fd) : owner_(owner), fd_(fd) {}

  ~acceptor() override { close(); }

  void start() { loop().watch(fd_, EPOLLIN, this); }

  void on_ready(uint32_t) override { accept_some(accepts_per_turn); }

  /// Takes those that wait, then no more.
  void finish() {
    if (fd_ >= 0)
      accept_some(owner_.limits_.backlog);
    close();
  }

private:
  io_thread& loop() { return owner_.workers_.front()->loop(); }

  void close() {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }

  void accept_some(int max) {
    for (int i = 0; i < max && fd_ >= 0; ++i) {
      auto fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        place(fd);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
                 || errno == ENOMEM) {
        return rest();
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return;
      }
    }
  }

  void rest() {
    loop().rewatch(fd_, 0, this);
    loop().after(rest_without_descriptors, [this] {
      if (fd_ >= 0)
        loop().rewatch(fd_, EPOLLIN, this);
    });
  }

  void place(int fd) {
    auto& workers = owner_.workers_;
    if (owner_.load() >= owner_.limits_.connections_max)
      return workers.front()->turn_away(fd);
    auto& least = **std::min_element(
      workers.begin(), workers.end(), [](const auto& x, const auto& y) {
        return x->load.load(std::memory_order_relaxed)
               < y->load.load(std::memory_order_relaxed);
      });
    least.load.fetch_add(1, std::memory_order_relaxed);
    if (least.loop().is_current())
      least.adopt(fd);
    else
      least.loop().post(
        [&least, x = owned_socket{fd}]() mutable { least.adopt(x.release()); });
  }

  server& owner_;
  int fd_;
};

server::server(options limits, handler_factory make_handler)
  : limits_(std::move(limits)), make_handler_(std::move(make_handler)) {}

server::~server() {
  stop();
}

void server::start() {
  auto fd = listen_on(limits_);
  port_ = port_of(fd);
  acceptor_ = std::make_unique<acceptor>(*this, fd);
  try {
    run_workers();
  } catch (...) {
    stop();
    throw;
  }
  workers_.front()->loop().post([this] { acceptor_->start(); });
}

void server::run_workers() {
  for (unsigned i = 0; i < std::max(1u, limits_.threads); ++i)
    workers_.push_back(std::make_unique<worker>(limits_));
  for (auto& x : workers_) {
    std::promise<void> ready;
    auto is_ready = ready.get_future();
    threads_.emplace_back([this, w = x.get(), p = std::move(ready)]() mutable {
      auto started = false;
      try {
        w->run(make_handler_, [&] {
          started = true;
          p.set_value();
        });
      } catch (...) {
        if (started)
          throw;
        p.set_exception(std::current_exception());
      }
    });
    is_ready.get();
  }
}

void server::stop_accepting() {
  if (workers_.empty())
    return;
  std::promise<void> done;
  workers_.front()->loop().post([&] {
    acceptor_->finish();
    done.set_value();
  });
  done.get_future().wait();
}

void server::on_each_worker(void (worker::*what)()) {
  for (auto& x : workers_)
    x->loop().post([w = x.get(), what] { (w->*what)(); });
}

bool server::drain(std::chrono::milliseconds time) {
  auto deadline = std::chrono::steady_clock::now() + time;
  on_each_worker(&worker::drain);
  while (load() != 0) {
    if (std::chrono::steady_clock::now() >= deadline)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

size_t server::load() const {
  return std::accumulate(workers_.begin(), workers_.end(), size_t{0},
                         [](size_t sum, const auto& x) {
                           return sum + x->load.load(std::memory_order_relaxed);
                         });
}

void server::stop() {
  for (auto& x : workers_)
    x->loop().stop();
  for (auto& x : threads_)
    x.join();
  threads_.clear();
  acceptor_.reset();
  workers_.clear();
}

statistics server::stats() const {
  statistics result;
  for (const auto& x : workers_) {
    result.connections += x->connections.get();
    result.accepted += x->accepted.get();
    result.turned_away += x->turned_away.get();
    result.requests += x->requests.get();
    result.refused += x->refused.get();
    result.bytes_in += x->bytes_in.get();
    result.bytes_out += x->bytes_out.get();
  }
  return result;
}

io_thread& server::thread(size_t i) {
  return workers_[i]->loop();
}

} // namespace troupe::http
