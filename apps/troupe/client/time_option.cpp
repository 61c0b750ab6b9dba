#include "apps/troupe/client/time_option.hpp"

#include <charconv>
#include <cstdint>

#include "apps/troupe/client/commands.hpp"

namespace troupe::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds time_max{900'000};

} // namespace

milliseconds parse_time(const std::string& text, const std::string& option,
                        milliseconds least) {
  uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, value);
  std::string unit(rest, end);
  if (failed == std::errc{} && value <= 900'000) {
    auto is_known = unit.empty() || unit == "ms" || unit == "s" || unit == "m";
    milliseconds result{unit == "ms"  ? value
                        : unit == "m" ? value * 60'000
                                      : value * 1000};
    if (is_known && result >= least && result <= time_max)
      return result;
  }
  throw usage_error{"--" + option + " must be from "
                    + std::to_string(least.count())
                    + "ms to 900s (a whole number of seconds, or with ms, s or "
                      "m), is '"
                    + text + "'"};
}

} // namespace troupe::cli
