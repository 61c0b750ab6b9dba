// The certificates of a cluster: one private CA, and a certificate for each node
// that it has signed. Whoever has the CA's key can make nodes, so it belongs on no
// node at all.

#pragma once

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "nodes/link/tls.hpp"

namespace troupe::link {

/// From and until when, from now on.
struct validity {
  std::chrono::seconds from = -std::chrono::minutes{10}; // clocks differ
  std::chrono::seconds until = std::chrono::hours{24 * 825};
};

/// It could not be made; `what` says why.
class certificate_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// 1 to 64 of [A-Za-z0-9._-], not "ca" and without a dot in front: the name of a
/// node's files.
bool is_certificate_name(const std::string& name);

/// The certificates in one folder: `ca.pem`, `ca.key`, and `NODE.pem`, `NODE.key`
/// for each node. Keys are for their owner's eyes only (0600). What is there is
/// not overwritten unless that is asked for, and never a file in part.
class certificate_folder {
public:
  /// Makes the folder if it is missing.
  /// @throws certificate_error
  explicit certificate_folder(std::filesystem::path where);

  bool has_ca() const;

  bool has(const std::string& node) const;

  /// @throws certificate_error also if there is one, unless `overwrite`
  void make_ca(validity when, bool overwrite = false);

  /// @pre is_certificate_name(node)
  /// @throws certificate_error as above, or if there is no CA
  void make(const std::string& node, validity when, bool overwrite = false);

  /// What a node is told.
  tls_files files(const std::string& node) const;

private:
  std::filesystem::path path(const std::string& name, const char* type) const;

  std::filesystem::path where_;
};

} // namespace troupe::link
