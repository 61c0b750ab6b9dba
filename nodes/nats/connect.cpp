#include "nodes/nats/connect.hpp"

#include <algorithm>
#include <string_view>

#include "nodes/password_file.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe::nats {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds ping_interval = 5s;
constexpr int pings_out_max = 2;

/// `read(file)`, whose fault is one of the session.
template <class F>
auto with_file(const std::string& file, F read) {
  try {
    return read(file);
  } catch (const std::runtime_error& e) {
    throw session_error{e.what()};
  }
}

/// Without where in the library it came up: "(jsm.c:2867): ...".
std::string_view without_place(std::string_view detail) {
  auto end = detail.find(')');
  auto place = detail.substr(0, end);
  if (!place.starts_with('(') || place.find(".c:") == place.npos
      || end == detail.npos)
    return detail;
  detail.remove_prefix(end + 1);
  detail.remove_prefix(std::min(detail.find_first_not_of(": "), detail.size()));
  return detail;
}

using options_handle = handle<natsOptions, natsOptions_Destroy>;

void set_tls(natsOptions& options, const broker_address& to) {
  for (auto& file : {to.ca, to.certificate, to.key})
    if (!file.empty())
      with_file(file, expect_readable);
  check(natsOptions_SetSecure(&options, true), "TLS");
  check(natsOptions_SetExpectedHostname(&options, to.host.c_str()), "TLS");
  if (!to.ca.empty())
    check(natsOptions_LoadCATrustedCertificates(&options, to.ca.c_str()),
          "cannot use '" + to.ca + "'");
  if (!to.certificate.empty())
    check(natsOptions_LoadCertificatesChain(&options, to.certificate.c_str(),
                                            to.key.c_str()),
          "cannot use '" + to.certificate + "' and its key");
}

options_handle make_options(const broker_address& to, const std::string& name,
                            milliseconds limit) {
  natsOptions* raw = nullptr;
  check(natsOptions_Create(&raw), "NATS");
  options_handle result{raw};
  auto url = to_string(to, broker_kind::nats);
  check(natsOptions_SetURL(raw, url.c_str()), url);
  check(natsOptions_SetName(raw, name.c_str()), "name");
  check(natsOptions_SetTimeout(raw, limit.count()), "time-out");
  check(natsOptions_SetAllowReconnect(raw, false), "reconnects");
  check(natsOptions_SetPingInterval(raw, ping_interval.count()), "pings");
  check(natsOptions_SetMaxPingsOut(raw, pings_out_max), "pings");
  check(natsOptions_SetWriteDeadline(raw, limit.count()), "writes");
  if (!to.user.empty())
    check(natsOptions_SetUserInfo(
            raw, to.user.c_str(),
            with_file(to.password_file, read_password).c_str()),
          "user");
  if (to.tls)
    set_tls(*raw, to);
  return result;
}

} // namespace

std::string describe(const std::string& what, natsStatus status) {
  auto found = nats_GetLastError(nullptr);
  auto detail = without_place(found ? found : "");
  auto text = what + ": " + natsStatus_GetText(status);
  if (!detail.empty() && detail != natsStatus_GetText(status))
    text += " (" + std::string{detail} + ")";
  return text;
}

void check(natsStatus status, const std::string& what) {
  if (status != NATS_OK)
    throw session_error{describe(what, status)};
}

connection_handle connect(const broker_address& to, const std::string& name,
                          milliseconds limit) {
  auto options = make_options(to, name, limit);
  natsConnection* raw = nullptr;
  check(natsConnection_Connect(&raw, options.get()), "cannot connect");
  return connection_handle{raw};
}

} // namespace troupe::nats
