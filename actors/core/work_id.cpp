#include "actors/core/work_id.hpp"

namespace troupe {

namespace {

constexpr uint64_t version = 0x7000;
constexpr uint64_t version_bits = 0xf000;
constexpr uint64_t variant = uint64_t{2} << 62;
constexpr uint64_t variant_bits = uint64_t{3} << 62;
constexpr int time_shift = 16;

/// By how much ids of one millisecond differ, at most.
constexpr uint64_t step_bits = 0xffff'ffff;

/// A clock that was set back further than this is followed.
constexpr std::chrono::milliseconds clock_step_max{1000};

uint64_t high_of(std::chrono::sys_time<std::chrono::milliseconds> time,
                 uint64_t random) noexcept {
  auto ms = static_cast<uint64_t>(time.time_since_epoch().count());
  return ms << time_shift | version | (random & ~version_bits & 0xffff);
}

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  auto lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Where a UUID has its hyphens.
bool is_hyphen(size_t position) noexcept {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

} // namespace

work_ids::work_ids() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  random_.seed(seed);
}

invocation_id
work_ids::next(std::chrono::sys_time<std::chrono::milliseconds> now) {
  auto begins = now > last_time_ || last_time_ - now > clock_step_max;
  auto step = 1 + (random_() & step_bits);
  if (!begins && (last_.low & ~variant_bits) < ~variant_bits - step) {
    last_.low += step;
    return last_;
  }
  last_time_ = begins ? now : last_time_ + std::chrono::milliseconds{1};
  last_ = {high_of(last_time_, random_()),
           variant | (random_() & ~variant_bits)};
  return last_;
}

std::optional<invocation_id>
parse_invocation_id(std::string_view text) noexcept {
  auto hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32)
    return std::nullopt;
  invocation_id result;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (hyphens && is_hyphen(i)) {
      if (text[i] != '-')
        return std::nullopt;
      continue;
    }
    auto digit = digit_of(text[i]);
    if (digit < 0)
      return std::nullopt;
    auto& half = digits++ < 16 ? result.high : result.low;
    half = half << 4 | static_cast<uint64_t>(digit);
  }
  return result;
}

} // namespace troupe
