#include "nodes/events/http_answer.hpp"

#include "nodes/events/receiver_error.hpp"

namespace troupe {

namespace {

/// Of an answer's text, in an error.
constexpr size_t quoted_max = 200;

/// It did not take it, and may later.
bool is_about_now(unsigned status) {
  return status == 408 || status == 425 || status == 429 || status == 503;
}

} // namespace

expected<unsigned> judge_answer(const std::string& url, unsigned status,
                                std::string_view text, uint32_t retry_after_s) {
  if (status / 100 == 2)
    return status;
  auto detail = "answered " + std::to_string(status);
  if (!text.empty())
    detail += ": " + std::string{text.substr(0, quoted_max)};
  if (is_about_now(status))
    return is_busy(url, detail, retry_after_s);
  if (status / 100 == 5)
    return is_broken(url, detail).retry_after(retry_after_s);
  return is_refused(url, detail);
}

} // namespace troupe
