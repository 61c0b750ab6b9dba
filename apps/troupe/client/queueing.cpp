#include "apps/troupe/client/queueing.hpp"

#include <charconv>

#include <nlohmann/json.hpp>

#include "actors/core/defaults.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/work_queue.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using std::chrono::milliseconds;

/// A whole number and a unit.
milliseconds parse_delay(const std::string& text) {
  uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failure] = std::from_chars(text.data(), end, value);
  constexpr std::pair<std::string_view, uint64_t> units[]{
    {"ms", 1},     {"s", 1000},      {"", 1000},
    {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  auto most = static_cast<uint64_t>(defaults::work::delay_max.count());
  std::string_view unit(rest, static_cast<size_t>(end - rest));
  for (auto& [name, factor] : units)
    if (failure == std::errc{} && unit == name && value >= 1
        && value <= most / factor)
      return milliseconds{value * factor};
  throw usage_error{"--delay must be from 1ms to 366d (a whole number of "
                    "seconds, or with ms, s, m, h or d), is '"
                    + text + "'"};
}

} // namespace

void add_queue_options(command_line& line) {
  line
    .flag("async",
          "Queue the call, durably, and print its id: see 'troupe queue show'.")
    .option("delay", "TIME",
            "Of a queued call: not before 500ms, 10 (seconds), 5m, 2h, 7d.")
    .option("priority", "N",
            "Of a queued call: 0 to 9, higher ones come first. Default: 4.");
}

bool queue_call(const command_line& line, http_request& request) {
  if (auto key = line.value("idempotency-key")) {
    if (!is_valid_idempotency_key(*key))
      throw usage_error{"--idempotency-key must be 1 to 255 bytes of visible "
                        "ASCII, is '"
                        + *key + "'"};
    request.fields.push_back("Idempotency-Key: " + *key);
  }
  if (!line.has("async")) {
    for (auto name : {"delay", "priority"})
      if (line.has(name))
        throw usage_error{std::string{"--"} + name + " needs --async"};
    return false;
  }
  for (auto name : {"timeout", "if-match", "lock"})
    if (line.value(name))
      throw usage_error{std::string{"--"} + name
                        + " has no meaning with --async"};
  request.fields.push_back("Prefer: respond-async");
  if (auto text = line.value("delay"))
    request.fields.push_back("Troupe-Delay-Ms: "
                             + std::to_string(parse_delay(*text).count()));
  if (auto text = line.value("priority")) {
    if (text->size() != 1 || text->front() < '0' || text->front() > '9')
      throw usage_error{"--priority must be 0 to 9, is '" + *text + "'"};
    request.fields.push_back("Troupe-Priority: " + *text);
  }
  return true;
}

void send_queued(const endpoint& node, const http_request& request) {
  auto answer = send_checked(node, request);
  auto body = nlohmann::json::parse(answer.body, nullptr, false);
  if (!body.is_object() || !body.contains("id") || !body["id"].is_string())
    refuse_answer(node, request.target);
  write_stdout(body["id"].get<std::string>() + "\n");
}

} // namespace troupe::cli
