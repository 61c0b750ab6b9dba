#include "apps/troupe/client/entity_pages.hpp"

#include <algorithm>

#include "actors/core/codec.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/module.hpp"
#include "apps/troupe/client/listing.hpp"

namespace troupe::cli {

namespace {

using nlohmann::json;

/// A state is three levels deep in a page.
constexpr size_t page_depth_max = defaults::service::state_depth_max + 3;

bool is_entity(const json& x, bool states) {
  auto has = [&](const char* member, auto is) {
    auto i = x.find(member);
    return i != x.end() && is(*i);
  };
  auto is_number = [](const json& y) { return y.is_number_unsigned(); };
  return x.is_object()
         && has("key", [](const json& y) { return y.is_string(); })
         && has("revision", is_number)
         && (!states || (has("schema", is_number) && x.contains("state")));
}

} // namespace

void add_prefix_option(command_line& line) {
  line.option("prefix", "P", "Only keys that begin with P.");
}

std::string key_part(const command_line& line, const char* option) {
  auto result = line.value(option).value_or("");
  if (!result.empty() && !is_valid_key(result))
    throw usage_error{std::string{"--"} + option + " must be at most "
                      + std::to_string(defaults::key_length_max)
                      + " bytes of UTF-8, is '" + result + "'"};
  return result;
}

std::string entity_path(const std::string& service, const std::string& key) {
  return "/services/" + service + "/" + percent_encode(key);
}

entity_pages::entity_pages(endpoint node, std::string service,
                           std::string prefix, std::string after, bool states)
  : client_(std::move(node)), path_("/services/" + service),
    prefix_(std::move(prefix)), after_(std::move(after)), states_(states) {}

json entity_pages::next(size_t most) {
  http_request request;
  request.target = path_ + "?limit=" + std::to_string(std::min(most, page_max));
  if (!prefix_.empty())
    request.target += "&prefix=" + percent_encode(prefix_);
  if (!after_.empty())
    request.target += "&after=" + percent_encode(after_);
  if (states_)
    request.target += "&states=true";
  request.timeout = defaults::service::timeout;
  json body;
  try {
    body = parse_json(client_.send_checked(request).body, page_depth_max);
  } catch (const error_exception& e) {
    if (e.reason() == errc::bad_request
        && e.reason().message().starts_with("this is no JSON"))
      refuse_answer(client_.node(), path_);
    throw;
  }
  check(body);
  at_end_ = body["next"].is_null();
  if (!at_end_)
    after_ = body["next"].get<std::string>();
  return std::move(body["keys"]);
}

void entity_pages::check(const json& body) const {
  auto is_page = body.is_object() && body.contains("keys")
                 && body["keys"].is_array() && body.contains("next");
  // A page that begins where the last one did would never end.
  auto goes_on =
    is_page
    && (body["next"].is_null()
        || (body["next"].is_string()
            && body["next"].get_ref<const std::string&>() > after_));
  auto& keys = is_page ? body["keys"] : body;
  if (!goes_on || !std::all_of(keys.begin(), keys.end(), [&](const json& x) {
        return is_entity(x, states_);
      }))
    refuse_answer(client_.node(), path_);
}

} // namespace troupe::cli
