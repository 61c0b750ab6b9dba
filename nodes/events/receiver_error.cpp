#include "nodes/events/receiver_error.hpp"

#include <string>

namespace troupe {

namespace {

std::string text(std::string_view url, std::string_view detail) {
  return std::string{url} + ": " + std::string{detail};
}

} // namespace

error is_unreachable(std::string_view url, std::string_view detail) {
  return error::from_handler("receiver_unreachable", text(url, detail))
    .with_effect(effect::none);
}

error could_not_send(std::string_view url, std::string_view detail) {
  return {errc::internal_error, effect::none, text(url, detail)};
}

error is_broken(std::string_view url, std::string_view detail) {
  return error::from_handler("receiver_failed", text(url, detail))
    .with_effect(effect::unknown);
}

error is_late(std::string_view url) {
  return {errc::deadline_exceeded, effect::unknown,
          text(url, "no answer in time")};
}

error is_busy(std::string_view url, std::string_view detail,
              uint32_t retry_after_s) {
  return error::from_handler("receiver_busy", text(url, detail))
    .with_effect(effect::none)
    .retry_after(retry_after_s);
}

error is_refused(std::string_view url, std::string_view detail) {
  return {errc::bad_request, effect::none, text(url, detail)};
}

error is_leaving() {
  return {errc::shutting_down, "this node is leaving"};
}

error has_too_much() {
  return {errc::too_many_requests,
          "this node has too much under way to others"};
}

} // namespace troupe
