#include "nodes/events/receiver_login.hpp"

#include <sstream>
#include <stdexcept>

#include "actors/core/outside.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw std::invalid_argument{"'" + text + "': " + why};
}

std::string* field_of(receiver_login& x, const std::string& name) {
  if (name == "user")
    return &x.user;
  if (name == "password-file")
    return &x.password_file;
  if (name == "token-file")
    return &x.token_file;
  if (name == "ca")
    return &x.ca;
  if (name == "cert")
    return &x.certificate;
  if (name == "cert-key")
    return &x.key;
  return nullptr;
}

void set_field(receiver_login& to, const std::string& field) {
  auto colon = field.find(':');
  auto name = field.substr(0, colon);
  auto slot = field_of(to, name);
  if (!slot)
    refuse(name, "is none of user, password-file, token-file, ca, cert, "
                 "cert-key");
  if (colon == field.npos || colon + 1 == field.size())
    refuse(name, "has no value; write " + name + ":VALUE");
  if (!slot->empty())
    refuse(name, "is given twice");
  *slot = field.substr(colon + 1);
}

void check(const std::string& lane, const receiver_login& x) {
  auto is_http = outside_kind_of({lane}) == outside_kind::http;
  auto is_plain = lane.starts_with("http://") || lane.starts_with("nats://")
                  || lane.starts_with("mqtt://");
  if (x.certificate.empty() != x.key.empty())
    refuse(lane, "cert and cert-key belong together");
  if (is_plain && !(x.ca.empty() && x.certificate.empty()))
    refuse(lane, "ca and cert need TLS: https://, tls:// or mqtts://");
  if (!x.token_file.empty() && (!is_http || !x.user.empty()))
    refuse(lane, "token-file is for HTTP, in place of a user");
  if (x.user.empty() && !x.password_file.empty())
    refuse(lane, "password-file needs a user");
}

} // namespace

broker_address receiver_login::apply(broker_address to) const {
  to.user = user;
  to.password_file = password_file;
  to.ca = ca;
  to.certificate = certificate;
  to.key = key;
  return to;
}

std::pair<std::string, receiver_login>
parse_receiver_login(const std::string& text) {
  auto equals = text.find('=');
  auto lane = text.substr(0, equals);
  if (!is_outside_lane(lane))
    refuse(lane, "is no scheme and host, as in https://example.org or "
                 "nats://localhost:4222");
  if (equals == text.npos || equals + 1 == text.size())
    refuse(text, "says nothing; write " + lane + "=user:U,password-file:F");
  std::pair<std::string, receiver_login> result{lane, {}};
  std::istringstream fields{text.substr(equals + 1)};
  for (std::string field; std::getline(fields, field, ',');)
    set_field(result.second, field);
  check(lane, result.second);
  return result;
}

} // namespace troupe
