// How this node makes itself known to somebody outside, and whom it trusts there.
// Secrets are in files, which are read for each connection: they may change.

#pragma once

#include <string>
#include <utility>

#include "actors/messages/subscription.hpp"

namespace troupe {

struct receiver_login {
  std::string user{};

  /// The file whose first line is the password.
  std::string password_file{};

  /// Of HTTP: the file whose first line is a bearer token.
  std::string token_file{};

  /// PEM files. The receiver's CA (empty: those that the system trusts), and this
  /// client's certificate with its key, both or none.
  std::string ca{};
  std::string certificate{};
  std::string key{};

  /// The broker of that host with it.
  broker_address apply(broker_address to) const;

  friend bool operator==(const receiver_login&,
                         const receiver_login&) = default;
};

/// Reads `LANE=user:U,password-file:F,token-file:F,ca:F,cert:F,cert-key:F`, any
/// of them, where LANE is scheme and host.
/// @throws std::invalid_argument that says what is accepted
std::pair<std::string, receiver_login>
parse_receiver_login(const std::string& text);

} // namespace troupe
