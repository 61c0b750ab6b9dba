#include "apps/troupe/client/listing.hpp"

#include "actors/core/codec.hpp"
#include "actors/core/errors.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

void refuse_answer(const endpoint& node, const std::string& path) {
  throw error_exception{
    error{errc::internal_error, effect::none,
          node.url() + path + " answers with something else than a node does"}};
}

void add_listing_options(command_line& line) {
  line.flag("json", "Print JSON, for programs.");
}

/// A node's answers have what callers gave it a little deeper.
constexpr size_t depth_max = json_depth_max + 8;

nlohmann::json fetch(const endpoint& node, const std::string& path) {
  http_request request;
  request.target = path;
  auto answer = send_checked(node, request);
  try {
    return parse_json(answer.body, depth_max);
  } catch (const error_exception&) {
    refuse_answer(node, path);
  }
}

nlohmann::json fetch(const command_line& line, const std::string& path) {
  return fetch(line.node(), path);
}

nlohmann::json fetch_list(const command_line& line, const char* member) {
  return fetch_list(line.node(), member);
}

nlohmann::json fetch_list(const endpoint& node, const char* member) {
  constexpr auto path = "/cluster";
  auto body = fetch(node, path);
  if (!body.is_object() || !body.contains(member) || !body[member].is_array())
    refuse_answer(node, path);
  for (const auto& x : body[member])
    if (!x.is_object())
      refuse_answer(node, path);
  return std::move(body[member]);
}

nlohmann::json fetch_pages(const command_line& line, const std::string& path,
                           const char* member) {
  auto all = nlohmann::json::array();
  std::string after;
  for (auto more = true; more;) {
    auto page = fetch(line, path + "?limit=1000" + after);
    for (auto& x : page.at(member))
      all.push_back(x);
    more = page.at("next").is_string();
    if (more)
      after = "&after=" + percent_encode(page["next"].get<std::string>());
  }
  return all;
}

nlohmann::json fetch_if_any(const command_line& line, const std::string& path) {
  try {
    return fetch(line, path);
  } catch (const error_exception& e) {
    if (e.reason() == errc::not_found)
      return nullptr;
    throw;
  }
}

std::string state_of_call(const command_line& line, const std::string& id) {
  try {
    auto found = fetch_if_any(line, "/invocations/" + percent_encode(id));
    return found.is_object() ? cell(found, "state") : "-";
  } catch (const error_exception&) { // others may be known
    return "unknown";
  }
}

bool printed_json(const command_line& line, const nlohmann::json& value) {
  if (!line.has("json"))
    return false;
  write_stdout(
    value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return true;
}

std::string cell(const nlohmann::json& object, const char* member) {
  auto i = object.find(member);
  if (i == object.end() || i->is_null())
    return "-";
  if (!i->is_string())
    return dump_json(*i);
  const auto& text = i->get_ref<const std::string&>();
  return text.empty() ? "-" : text;
}

std::string list_cell(const nlohmann::json& object, const char* member) {
  auto i = object.find(member);
  if (i == object.end() || !i->is_array() || i->empty())
    return "-";
  std::string result;
  for (const auto& x : *i)
    result += (result.empty() ? "" : ", ")
              + (x.is_string() ? x.get<std::string>() : dump_json(x));
  return result;
}

} // namespace troupe::cli
