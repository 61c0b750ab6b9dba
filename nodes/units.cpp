#include "nodes/units.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <stdexcept>

namespace troupe {

namespace {

struct unit {
  std::string_view name;
  uint64_t factor;
};

// From small to large: formatting looks for the largest that is exact.
constexpr unit time_units[] = {
  {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};

constexpr unit binary_units[] = {
  {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}};

constexpr unit size_units[] = {
  {"", 1},
  {"B", 1},
  {"KB", 1'000},
  {"kB", 1'000},
  {"MB", 1'000'000},
  {"GB", 1'000'000'000},
  {"KiB", 1ull << 10},
  {"MiB", 1ull << 20},
  {"GiB", 1ull << 30},
};

constexpr uint64_t value_max = std::numeric_limits<int64_t>::max();

/// A number and what follows it; nothing if there is no number or it is too
/// large.
template <size_t N>
std::optional<uint64_t> scale(std::string_view text, const unit (&units)[N]) {
  uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{})
    return std::nullopt;
  std::string_view suffix{rest, static_cast<size_t>(end - rest)};
  for (const auto& x : units)
    if (x.name == suffix && value <= value_max / x.factor)
      return value * x.factor;
  return std::nullopt;
}

template <size_t N>
std::string format(uint64_t value, const unit (&units)[N]) {
  auto best = &units[0];
  for (const auto& x : units)
    if (value != 0 && value % x.factor == 0)
      best = &x;
  return std::to_string(value / best->factor) + std::string{best->name};
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument{"'" + std::string{text} + "' is " + why};
}

} // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
  if (text == "0")
    return std::chrono::milliseconds{0};
  if (auto value = scale(text, time_units))
    return std::chrono::milliseconds{*value};
  refuse(text, "no time; write a whole number and ms, s, m or h: 250ms, 5s");
}

std::string format_duration(std::chrono::milliseconds value) {
  if (value.count() < 0)
    return "-" + format_duration(-value);
  return format(static_cast<uint64_t>(value.count()), time_units);
}

uint64_t parse_size(std::string_view text) {
  if (auto value = scale(text, size_units))
    return *value;
  refuse(text, "no size; write a whole number of bytes, or one with KB, MB, "
               "GB, KiB, MiB or GiB: 6MB, 32KiB");
}

std::string format_size(uint64_t bytes) {
  return format(bytes, binary_units);
}

uint64_t parse_number(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || rest != end || value < min || value > max)
    refuse(text, "no whole number from " + std::to_string(min) + " to "
                   + std::to_string(max));
  return value;
}

bool parse_flag(std::string_view text) {
  for (auto yes : {"true", "yes", "on", "1"})
    if (text == yes)
      return true;
  for (auto no : {"false", "no", "off", "0"})
    if (text == no)
      return false;
  refuse(text, "neither true nor false");
}

} // namespace troupe
