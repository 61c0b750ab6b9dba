// Networks of a test's own, made of the kernel's network namespaces: every node
// is in a namespace of its own, with a loopback of its own, and all of them hang
// on one bridge, whose cables the test cuts. What else the machine has is not
// touched, and nothing of it is left behind: namespaces have no names, and are
// gone with the last process and descriptor that holds them.
//
// Cables lose what is sent, in silence, as a broken network does: nobody is told
// that a connection is broken.

#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

/// A network namespace that exists as long as this.
class network_namespace {
public:
  /// A new one, in which only the loopback is up.
  /// @throws std::runtime_error if this process may not make any
  network_namespace();

  network_namespace(network_namespace&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

  network_namespace& operator=(network_namespace&&) = delete;

  ~network_namespace();

  int fd() const noexcept { return fd_; }

private:
  int fd_ = -1;
};

/// While this lives, the sockets that its thread makes are of that namespace,
/// and so is what it starts.
class inside_network {
public:
  /// @param where null: where the thread is
  explicit inside_network(const network_namespace* where);

  inside_network(const inside_network&) = delete;
  inside_network& operator=(const inside_network&) = delete;

  ~inside_network();

private:
  int before_ = -1;
};

/// Namespaces on a bridge.
class test_network {
public:
  /// Why there can be none: the rights for it, or a program, are missing. Empty
  /// if there can.
  static std::string missing();

  /// @throws std::runtime_error
  explicit test_network(size_t size);

  const network_namespace& operator[](size_t i) const { return hosts_.at(i); }

  size_t size() const noexcept { return hosts_.size(); }

  /// What the others reach host `i` under.
  static std::string address(size_t i);

  // -- faults ----------------------------------------------------------------

  /// What `from` sends to `to` is lost, and nothing else.
  void cut(size_t from, size_t to);

  /// Pulls the cable of one host.
  void unplug(size_t i);

  /// All is as it was at first.
  void heal();

private:
  network_namespace hub_;
  std::vector<network_namespace> hosts_;
  std::vector<std::pair<size_t, size_t>> cuts_;
  std::vector<size_t> unplugged_;
};

} // namespace troupe::test
