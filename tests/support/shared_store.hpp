// The stores that nodes of a cluster can share, for tests that are to hold on
// each of them. A test that is parameterized with `shared_stores()` is run with
// all of them.

#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.hpp"

namespace troupe::test {

/// A store that is empty at first, and gone with this.
class shared_store {
public:
  virtual ~shared_store() = default;

  /// What a node is told of it.
  virtual std::vector<std::string> node_options() const = 0;
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

/// One kind of store.
struct store_kind {
  const char* name;
  std::unique_ptr<shared_store> (*make)();

  friend std::ostream& operator<<(std::ostream& out, const store_kind& x) {
    return out << x.name;
  }
};

inline std::vector<store_kind> shared_stores() {
  return {
    {"sqlite",
     []() -> std::unique_ptr<shared_store> {
       return std::make_unique<sqlite_shared_store>();
     }},
  };
}

} // namespace troupe::test
