// The stores that nodes of a cluster can share, for tests that are to hold on
// each of them. A test that is parameterized with `shared_stores()` is run with
// all of them.

#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/network.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::test {

/// A store that is empty at first, and gone with this.
class shared_store {
public:
  virtual ~shared_store() = default;

  /// What a node is told of it.
  virtual std::vector<std::string> node_options() const = 0;

  /// The server that it is, for faults; null if it is none.
  virtual testing::postgres_instance* server() { return nullptr; }
};

/// Where a store that is a server listens.
struct store_place {
  /// Null: where the test is.
  const test_network* network = nullptr;

  /// Which host of the network is its own.
  size_t host = 0;
};

/// A folder of this host.
class sqlite_shared_store final : public shared_store {
public:
  std::vector<std::string> node_options() const override {
    return {"--store", "sqlite:" + folder_.path().string()};
  }

private:
  testing::temporary_folder folder_;
};

/// A PostgreSQL server of the test's own.
class postgres_shared_store final : public shared_store {
public:
  explicit postgres_shared_store(const store_place& x)
    : server_({}, x.network
                    ? testing::postgres_place{&(*x.network)[x.host],
                                              test_network::address(x.host)}
                    : testing::postgres_place{}) {}

  std::vector<std::string> node_options() const override {
    return {"--store", url_};
  }

  testing::postgres_instance* server() override { return &server_; }

private:
  testing::postgres_instance server_;
  const std::string url_ = server_.new_database();
};

/// One kind of store.
struct store_kind {
  const char* name;

  /// Whether nodes reach it over the network.
  bool is_server;

  std::unique_ptr<shared_store> (*make_at)(const store_place&);

  std::unique_ptr<shared_store> make(const store_place& where = {}) const {
    return make_at(where);
  }

  friend std::ostream& operator<<(std::ostream& out, const store_kind& x) {
    return out << x.name;
  }
};

inline store_kind sqlite_kind() {
  return {"sqlite", false,
          [](const store_place&) -> std::unique_ptr<shared_store> {
            return std::make_unique<sqlite_shared_store>();
          }};
}

inline store_kind postgres_kind() {
  return {"postgres", true,
          [](const store_place& x) -> std::unique_ptr<shared_store> {
            return std::make_unique<postgres_shared_store>(x);
          }};
}

inline std::vector<store_kind> shared_stores() {
  return {sqlite_kind(), postgres_kind()};
}

/// Those that can be away while nodes run.
inline std::vector<store_kind> shared_servers() {
  return {postgres_kind()};
}

} // namespace troupe::test
