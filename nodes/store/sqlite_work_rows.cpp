#include "nodes/store/sqlite_work_rows.hpp"

#include <algorithm>

namespace troupe {

// -- packed texts ------------------------------------------------------------

namespace {

[[noreturn]] void throw_damaged() {
  throw SQLite::Exception{"a row of work is damaged"};
}

} // namespace

void unpack(std::string_view packed,
            std::initializer_list<std::string*> parts) {
  if (!try_unpack(packed, parts))
    throw_damaged();
}

work_target unpack_target(std::string_view packed) {
  work_target result;
  if (!try_unpack(packed, result))
    throw_damaged();
  return result;
}

void pack_rest(std::string& to, const work_item& x,
               std::string_view idempotency_key) {
  pack(to, {x.arguments.content_type, x.routing_key, x.trace, x.notes,
            idempotency_key});
}

// -- values ------------------------------------------------------------------

invocation_id read_id(const SQLite::Column& column) noexcept {
  auto bytes = read_token(column).value_or(fencing_token{});
  return {bytes.high, bytes.low};
}

std::string_view view_of(const SQLite::Column& column) noexcept {
  auto bytes = static_cast<const char*>(column.getBlob());
  return {bytes, bytes ? static_cast<size_t>(column.getBytes()) : 0};
}

int64_t first_done_number(work_time x) noexcept {
  constexpr auto ms_max = INT64_MAX >> done_number_bits;
  return std::clamp<int64_t>(to_ms(x), 0, ms_max) << done_number_bits;
}

// -- rows --------------------------------------------------------------------

item_row read_item(sqlite_query& row) {
  item_row result;
  auto& x = result.item;
  x.id = read_id(row.column(0));
  x.target = unpack_target(view_of(row.column(1)));
  x.priority = static_cast<uint8_t>(row.number(2));
  x.due = to_time(row.number(3));
  x.expires = to_time(row.number(4));
  x.accepted = to_time(row.number(5));
  x.attempts_max = static_cast<uint32_t>(row.number(6));
  unpack(view_of(row.column(7)), {&x.arguments.content_type, &x.routing_key,
                                  &x.trace, &x.notes, &result.idempotency_key});
  auto body = row.column(8);
  result.is_long = body.isNull();
  x.arguments.bytes = view_of(body);
  return result;
}

const char* table_of(work_state state) noexcept {
  switch (state) {
  case work_state::waiting:
    return "work_waiting";
  case work_state::claimed:
    return "work_claimed";
  case work_state::succeeded:
  case work_state::failed:
    return "work_done";
  case work_state::dead:
    return "work_dead";
  }
  return "";
}

std::string view_columns(work_state state) {
  std::string shared = ", id, target, priority, attempts, accepted_ms, "
                       "answer_type, answer, ";
  auto number = std::to_string(static_cast<int>(state));
  switch (state) {
  case work_state::waiting:
    return number + shared + "due_ms, ''";
  case work_state::claimed:
    return number + shared + "0, claimed_by";
  case work_state::succeeded:
  case work_state::failed:
    return "state" + shared + "number >> " + std::to_string(done_number_bits)
           + ", ''";
  case work_state::dead:
    return number + shared + "finished_ms, ''";
  }
  return "";
}

work_view read_view(sqlite_query& row) {
  work_view result;
  result.state = static_cast<work_state>(row.number(0));
  result.id = read_id(row.column(1));
  result.target = unpack_target(view_of(row.column(2)));
  result.priority = static_cast<uint8_t>(row.number(3));
  result.attempts = static_cast<uint32_t>(row.number(4));
  result.accepted = to_time(row.number(5));
  result.answer = {row.bytes(7), row.bytes(6)};
  auto time = to_time(row.number(8));
  if (result.state == work_state::waiting)
    result.due = time;
  else if (result.state != work_state::claimed)
    result.finished = time;
  result.claimed_by = row.bytes(9);
  return result;
}

// -- selections --------------------------------------------------------------

namespace {

std::string selection_of(const work_selection& which,
                         const std::string& columns) {
  auto result =
    "SELECT " + columns + " FROM " + table_of(which.state) + " WHERE true";
  if (which.id)
    result += " AND id = :id";
  if (which.after)
    result += " AND id > :after";
  if (!which.lane.empty())
    result += " AND lane = :lane";
  return result + " ORDER BY id LIMIT :limit";
}

} // namespace

work_selection_query::work_selection_query(SQLite::Database& db,
                                           const work_selection& which,
                                           const std::string& columns)
  : statement_(db, selection_of(which, columns)) {
  id_ = to_bytes(which.id.value_or(invocation_id{}));
  after_ = to_bytes(which.after.value_or(invocation_id{}));
  if (which.id)
    bind_bytes(statement_, statement_.getIndex(":id"), id_);
  if (which.after)
    bind_bytes(statement_, statement_.getIndex(":after"), after_);
  if (!which.lane.empty())
    statement_.bindNoCopy(":lane", which.lane);
  statement_.bind(":limit", as_limit(which.limit));
}

} // namespace troupe
