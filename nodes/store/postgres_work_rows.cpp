#include "nodes/store/postgres_work_rows.hpp"

#include "nodes/store/work_packing.hpp"

namespace troupe {

// -- values ------------------------------------------------------------------

std::string id_bytes(const invocation_id& id) {
  std::string result;
  for (auto half : {id.high, id.low})
    for (int shift = 56; shift >= 0; shift -= 8)
      result.push_back(static_cast<char>(half >> shift));
  return result;
}

invocation_id read_id(const std::string& bytes) {
  if (bytes.size() != 16)
    throw damaged_row{};
  invocation_id result;
  for (size_t i = 0; i < 8; ++i) {
    result.high = result.high << 8 | static_cast<unsigned char>(bytes[i]);
    result.low = result.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return result;
}

std::string pack_rest(const work_item& x) {
  return pack({x.arguments.content_type, x.routing_key, x.trace, x.notes});
}

// -- rows --------------------------------------------------------------------

namespace {

work_time read_time(const postgres_rows& x, int row, int column) {
  return work_time{std::chrono::milliseconds{x.number(row, column)}};
}

work_target read_target(const postgres_rows& x, int row, int column) {
  work_target result;
  if (!try_unpack(x.bytes(row, column), result))
    throw damaged_row{};
  return result;
}

} // namespace

claimed_work read_claimed(const postgres_rows& x, int row) {
  claimed_work result;
  auto& item = result.item;
  item.id = read_id(x.bytes(row, 0));
  item.target = read_target(x, row, 1);
  item.priority = static_cast<uint8_t>(x.number(row, 2));
  item.due = read_time(x, row, 3);
  item.expires = read_time(x, row, 4);
  item.accepted = read_time(x, row, 5);
  result.attempt = static_cast<uint32_t>(x.number(row, 6));
  item.attempts_max = static_cast<uint32_t>(x.number(row, 7));
  if (!try_unpack(x.bytes(row, 8),
                  {&item.arguments.content_type, &item.routing_key, &item.trace,
                   &item.notes}))
    throw damaged_row{};
  item.arguments.bytes = x.bytes(row, 9);
  return result;
}

work_view read_view(const postgres_rows& x, int row) {
  work_view result;
  result.state = static_cast<work_state>(x.number(row, 0));
  result.id = read_id(x.bytes(row, 1));
  result.target = read_target(x, row, 2);
  result.priority = static_cast<uint8_t>(x.number(row, 3));
  result.attempts = static_cast<uint32_t>(x.number(row, 4));
  result.accepted = read_time(x, row, 5);
  result.answer = {x.bytes(row, 7), x.bytes(row, 6)};
  auto time = read_time(x, row, 8);
  if (result.state == work_state::waiting)
    result.due = time;
  else if (result.state != work_state::claimed)
    result.finished = time;
  result.claimed_by = x.bytes(row, 9);
  return result;
}

// -- selections --------------------------------------------------------------

std::optional<work_range> range_of(const work_selection& which) {
  constexpr invocation_id highest{UINT64_MAX, UINT64_MAX};
  invocation_id first{};
  if (which.after) {
    if (*which.after == highest)
      return std::nullopt;
    first = {which.after->high + (which.after->low == UINT64_MAX ? 1 : 0),
             which.after->low + 1};
  }
  auto last = highest;
  if (which.id) {
    if (*which.id < first)
      return std::nullopt;
    first = last = *which.id;
  }
  return work_range{id_bytes(first), id_bytes(last)};
}

} // namespace troupe
