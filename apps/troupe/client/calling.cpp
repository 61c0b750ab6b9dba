#include "apps/troupe/client/calling.hpp"

#include <charconv>

#include "actors/core/defaults.hpp"
#include "apps/troupe/client/body_source.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// What an answer may be on its way after the deadline.
constexpr milliseconds patience = 5s;

} // namespace

milliseconds parse_timeout(const std::string& text) {
  uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failure] = std::from_chars(text.data(), end, value);
  std::string unit(rest, end);
  if (failure == std::errc{} && value <= 900'000) {
    milliseconds result{unit == "s"   ? value * 1000
                        : unit == "m" ? value * 60'000
                                      : value};
    auto is_known = unit == "ms" || unit == "s" || unit == "m";
    if (is_known && result >= 1ms && result <= defaults::function::timeout_max)
      return result;
  }
  throw usage_error{"--timeout must be from 1ms to 900s (a whole number with "
                    "ms, s or m), is '"
                    + text + "'"};
}

void add_call_options(command_line& line) {
  line
    .option("data,d", "DATA|@FILE|-",
            "What is sent: the text itself, @FILE for a file's bytes, - for "
            "stdin. Default: nothing. Text that begins with '@' or is '-' goes "
            "through stdin.")
    .option("timeout", "TIME",
            "The call's deadline: 250ms, 5s, 2m. Default: the function's own.");
}

http_request make_call(const command_line& line, std::string target) {
  http_request result;
  result.method = "POST";
  result.target = std::move(target);
  result.timeout = defaults::function::timeout_max + patience;
  if (auto text = line.value("timeout")) {
    auto deadline = parse_timeout(*text);
    result.fields.push_back("Troupe-Timeout-Ms: "
                            + std::to_string(deadline.count()));
    result.timeout = deadline + patience;
  }
  auto body = body_source::read(line.value("data"));
  result.content_type = body.content_type();
  result.body = std::move(body.bytes);
  return result;
}

} // namespace troupe::cli
