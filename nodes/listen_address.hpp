// Where a node listens. Only numeric addresses: whether an address is reachable
// from other machines decides whether it is refused, and a name that resolves
// differently tomorrow cannot be judged today.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

struct listen_address {
  /// Numeric, IPv4 or IPv6, without brackets.
  std::string host;

  /// 0 takes a free port.
  uint16_t port = 0;

  /// "127.0.0.1:8700", "[::1]:8700" or "localhost:8700" (which is 127.0.0.1).
  /// @throws std::invalid_argument that says what is accepted
  static listen_address parse(std::string_view text);

  /// Whether only programs of this machine can connect.
  bool is_loopback() const;

  /// Every address of this machine.
  bool is_any() const { return host == "0.0.0.0" || host == "::"; }

  /// Brackets around IPv6, as in a URL.
  std::string to_string() const;

  friend bool operator==(const listen_address&,
                         const listen_address&) = default;
};

} // namespace troupe
