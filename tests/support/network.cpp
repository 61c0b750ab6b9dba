#include "tests/support/network.hpp"

#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <sstream>
#include <stdexcept>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/process.hpp"

namespace troupe::test {

namespace {

/// Of iproute2.
constexpr auto ip_program = "/sbin/ip";

int open_own() {
  auto path =
    "/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/ns/net";
  auto result = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (result < 0)
    throw std::runtime_error("this kernel has no network namespaces");
  return result;
}

void enter(int fd) {
  if (::setns(fd, CLONE_NEWNET) != 0)
    throw std::runtime_error("a network namespace cannot be entered");
}

/// Runs `ip words...` in a namespace.
void ip(const network_namespace& where, const std::string& words) {
  testing::process_input input;
  input.command = {ip_program};
  std::istringstream in{words};
  for (std::string word; in >> word;)
    input.command.push_back(word);
  inside_network here{&where};
  auto result = testing::run_process(input);
  if (result.status != 0)
    throw std::runtime_error("ip " + words + ": " + result.err);
}

std::string path_of(const network_namespace& x) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/"
         + std::to_string(x.fd());
}

std::string port(size_t i) {
  return "port" + std::to_string(i);
}

} // namespace

// -- namespaces --------------------------------------------------------------

network_namespace::network_namespace() {
  auto before = open_own();
  if (::unshare(CLONE_NEWNET) != 0) {
    ::close(before);
    throw std::runtime_error("only root may make network namespaces");
  }
  fd_ = open_own();
  enter(before);
  ::close(before);
  ip(*this, "link set lo up");
}

network_namespace::~network_namespace() {
  if (fd_ >= 0)
    ::close(fd_);
}

inside_network::inside_network(const network_namespace* where) {
  if (!where)
    return;
  before_ = open_own();
  enter(where->fd());
}

inside_network::~inside_network() {
  if (before_ < 0)
    return;
  // It was there before.
  static_cast<void>(::setns(before_, CLONE_NEWNET));
  ::close(before_);
}

// -- networks ----------------------------------------------------------------

std::string test_network::missing() {
  if (!std::filesystem::exists(ip_program))
    return "iproute2 is not installed";
  try {
    test_network probe{1};
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return {};
}

std::string test_network::address(size_t i) {
  return "10.9.0." + std::to_string(i + 1);
}

test_network::test_network(size_t size) {
  ip(hub_, "link add bridge type bridge");
  ip(hub_, "link set bridge up");
  for (size_t i = 0; i < size; ++i) {
    auto& host = hosts_.emplace_back();
    ip(hub_, "link add " + port(i) + " type veth peer name cable netns "
               + path_of(host));
    ip(hub_, "link set " + port(i) + " master bridge up");
    ip(host, "addr add " + address(i) + "/24 dev cable");
    ip(host, "link set cable up");
  }
}

void test_network::cut(size_t from, size_t to) {
  ip(hosts_.at(from), "route add blackhole " + address(to) + "/32");
  cuts_.emplace_back(from, to);
}

void test_network::unplug(size_t i) {
  // Its own end stays up: it does not learn of it.
  ip(hub_, "link set " + port(i) + " nomaster");
  unplugged_.push_back(i);
}

void test_network::heal() {
  for (auto& [from, to] : std::exchange(cuts_, {}))
    ip(hosts_.at(from), "route del blackhole " + address(to) + "/32");
  for (auto i : std::exchange(unplugged_, {}))
    ip(hub_, "link set " + port(i) + " master bridge");
}

} // namespace troupe::test
