#include "nodes/store/postgres_url.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include <libpq-fe.h>

namespace troupe {

namespace {

/// What the URL sets, by keyword; nothing if it is none.
std::optional<std::map<std::string, std::string>>
parse(const std::string& url) {
  if (!url.starts_with(postgres_prefix) || url.find('\0') != std::string::npos)
    return std::nullopt;
  char* wrong = nullptr; // it may quote the password
  std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options{
    PQconninfoParse(url.c_str(), &wrong), PQconninfoFree};
  PQfreemem(wrong);
  if (!options)
    return std::nullopt;
  std::map<std::string, std::string> result;
  for (auto x = options.get(); x->keyword; ++x)
    if (x->val)
      result[x->keyword] = x->val;
  return result;
}

/// libpq finds that out when it connects. One for each host, or one for all; an
/// empty one is the default.
bool are_ports(const std::string& list) {
  for (size_t begin = 0; begin <= list.size();) {
    auto end = std::min(list.find(',', begin), list.size());
    auto port = list.substr(begin, end - begin);
    auto is_number = port.find_first_not_of("0123456789") == port.npos;
    if (!is_number || port.size() > 5
        || (!port.empty() && (std::stoi(port) < 1 || std::stoi(port) > 65535)))
      return false;
    begin = end + 1;
  }
  return true;
}

/// "a:1,b:2" of the hosts "a,b" and the ports "1,2".
std::string join(const std::string& hosts, const std::string& ports) {
  std::string result;
  size_t host = 0;
  size_t port = 0;
  for (;;) {
    auto host_end = std::min(hosts.find(',', host), hosts.size());
    auto port_end = std::min(ports.find(',', port), ports.size());
    result += hosts.substr(host, host_end - host);
    if (auto number = ports.substr(port, port_end - port); !number.empty())
      result += ":" + number;
    if (host_end == hosts.size())
      return result;
    result += ",";
    host = host_end + 1;
    if (port_end < ports.size()) // else one is for all
      port = port_end + 1;
  }
}

} // namespace

expected<void> check_postgres_url(const std::string& url) {
  auto options = parse(url);
  if (!options || !are_ports((*options)["port"]))
    return error{
      errc::bad_request,
      "the store's URL cannot be read: it is "
      "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with '%40' for "
      "an '@' in a name and so on"};
  return {};
}

std::string describe_postgres_url(const std::string& url) {
  auto options = parse(url).value();
  auto user = options["user"];
  return std::string{postgres_prefix} + user + (user.empty() ? "" : "@")
         + join(options["host"], options["port"]) + "/" + options["dbname"];
}

std::string without_password(std::string_view text) {
  auto scheme = text.find("://");
  if (scheme == text.npos)
    return std::string{text};
  auto begin = scheme + 3;
  std::string result{text.substr(0, begin)};
  auto end = text.rfind('@');
  if (end != text.npos && end > begin) {
    auto login = text.substr(begin, end - begin);
    result += login.substr(0, login.find(':'));
    begin = end;
  }
  auto rest = text.substr(begin);
  return result + std::string{rest.substr(0, rest.find('?'))};
}

postgres_parameters postgres_url_parameters(const std::string& url,
                                            const std::string& role,
                                            std::chrono::seconds connect_time) {
  return {{"application_name", "troupe " + role},
          {"connect_timeout", std::to_string(connect_time.count())},
          {"target_session_attrs", "primary"},
          {"client_encoding", "UTF8"},
          {"keepalives", "1"},
          {"keepalives_idle", "5"},
          {"keepalives_interval", "2"},
          {"keepalives_count", "3"},
          {"tcp_user_timeout", "10000"},
          {"dbname", url}}; // what it says overrides the above
}

} // namespace troupe
