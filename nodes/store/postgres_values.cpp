#include "nodes/store/postgres_values.hpp"

#include <cstdlib>
#include <utility>

#include <libpq-fe.h>

namespace troupe {

namespace {

void append(std::string& to, uint64_t x, int bytes) {
  for (int i = bytes - 1; i >= 0; --i)
    to.push_back(static_cast<char>(x >> (8 * i)));
}

void put(std::string& to, size_t at, uint32_t x) {
  std::string bytes;
  append(bytes, x, 4);
  to.replace(at, 4, bytes);
}

/// Where an array's header has its fields.
constexpr size_t null_flag_at = 4;
constexpr size_t length_at = 12;

} // namespace

postgres_value as_int8(int64_t x) {
  std::string result;
  append(result, static_cast<uint64_t>(x), 8);
  return result;
}

postgres_value as_bool(bool x) {
  return std::string(1, x ? '\1' : '\0');
}

postgres_array::postgres_array(element type) {
  append(content_, 1, 4); // dimensions
  append(content_, 0, 4); // set by `take`
  append(content_, static_cast<uint32_t>(type), 4);
  append(content_, 0, 4); // set by `take`
  append(content_, 1, 4); // the first index
}

void postgres_array::add(std::string_view bytes) {
  append(content_, bytes.size(), 4);
  content_.append(bytes);
  ++count_;
}

void postgres_array::add(uint64_t number) {
  append(content_, 8, 4);
  append(content_, number, 8);
  ++count_;
}

void postgres_array::add_null() {
  append(content_, UINT32_MAX, 4);
  has_null_ = true;
  ++count_;
}

postgres_value postgres_array::take() {
  put(content_, null_flag_at, has_null_ ? 1 : 0);
  put(content_, length_at, count_);
  return std::move(content_);
}

postgres_rows::postgres_rows(pg_result* result) : result_(result, PQclear) {}

int postgres_rows::size() const noexcept {
  return PQntuples(result_.get());
}

int64_t postgres_rows::changed() const noexcept {
  return std::atoll(PQcmdTuples(result_.get()));
}

bool postgres_rows::is_null(int row, int column) const noexcept {
  return PQgetisnull(result_.get(), row, column) != 0;
}

int64_t postgres_rows::number(int row, int column) const noexcept {
  auto bytes = reinterpret_cast<const unsigned char*>(
    PQgetvalue(result_.get(), row, column));
  uint64_t result = 0;
  for (int i = 0; i < PQgetlength(result_.get(), row, column); ++i)
    result = result << 8 | bytes[i];
  return static_cast<int64_t>(result);
}

bool postgres_rows::flag(int row, int column) const noexcept {
  return number(row, column) != 0;
}

std::string postgres_rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

} // namespace troupe
