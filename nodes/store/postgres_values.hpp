// Values as PostgreSQL's protocol carries them in binary: no escapes, no copies
// as text, and any byte is a byte.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace troupe {

/// One argument of a statement; nothing is NULL.
using postgres_value = std::optional<std::string>;

postgres_value as_int8(int64_t x);

inline postgres_value as_int8(uint64_t x) {
  return as_int8(static_cast<int64_t>(x));
}

inline postgres_value as_int8(uint32_t x) {
  return as_int8(int64_t{x});
}

postgres_value as_bool(bool x);

/// For `bytea` and `text`.
inline postgres_value as_bytes(std::string x) {
  return x;
}

/// An array of one dimension, written as its elements come.
class postgres_array {
public:
  enum class element : uint32_t {
    bytea = 17,
    int8 = 20,
    text = 25,
    uuid = 2950,
  };

  explicit postgres_array(element type);

  void add(std::string_view bytes);

  void add(uint64_t number);

  void add_null();

  /// NULL if it is empty.
  void add_unless_empty(std::string_view bytes) {
    bytes.empty() ? add_null() : add(bytes);
  }

  size_t size() const noexcept { return count_; }

  /// Ends it.
  postgres_value take();

private:
  std::string content_;
  uint32_t count_ = 0;
  bool has_null_ = false;
};

/// The rows that a statement gave, in binary.
class postgres_rows {
public:
  postgres_rows() = default;

  /// Owns `result`.
  explicit postgres_rows(pg_result* result);

  int size() const noexcept;

  /// How many rows a statement changed that gave none.
  int64_t changed() const noexcept;

  bool is_null(int row, int column) const noexcept;

  /// An `int8`.
  int64_t number(int row, int column) const noexcept;

  uint64_t count(int row, int column) const noexcept {
    return static_cast<uint64_t>(number(row, column));
  }

  bool flag(int row, int column) const noexcept;

  /// `bytea` or `text`; empty if it is NULL.
  std::string bytes(int row, int column) const;

private:
  std::shared_ptr<pg_result> result_;
};

} // namespace troupe
