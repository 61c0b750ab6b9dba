#include "nodes/listen_address.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <stdexcept>

#include "nodes/units.hpp"

namespace troupe {

namespace {

bool is_ipv4(const std::string& host, in_addr& out) {
  return inet_pton(AF_INET, host.c_str(), &out) == 1;
}

bool is_ipv6(const std::string& host, in6_addr& out) {
  return inet_pton(AF_INET6, host.c_str(), &out) == 1;
}

[[noreturn]] void refuse(std::string_view text) {
  throw std::invalid_argument{
    "'" + std::string{text}
    + "' is no address to listen on; write ADDRESS:PORT with a numeric "
      "address: 127.0.0.1:8700, [::1]:8700"};
}

} // namespace

listen_address listen_address::parse(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    refuse(text);
  auto port = text.substr(colon + 1);
  if (port.empty() || port.find_first_not_of("0123456789") != port.npos)
    refuse(text);
  listen_address result;
  result.host = text.substr(0, colon);
  auto& host = result.host;
  in_addr v4;
  in6_addr v6;
  if (host == "localhost")
    host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host, v6))
      refuse(text);
  } else if (!is_ipv4(host, v4)) {
    refuse(text);
  }
  result.port = static_cast<uint16_t>(parse_number(port, 0, 65535));
  return result;
}

bool listen_address::is_loopback() const {
  in_addr v4;
  in6_addr v6;
  if (is_ipv4(host, v4))
    return ntohl(v4.s_addr) >> 24 == 127;
  if (!is_ipv6(host, v6))
    return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6))
    return v6.s6_addr[12] == 127;
  return std::memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

std::string listen_address::to_string() const {
  auto is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

} // namespace troupe
