#include "nodes/nats/connect.hpp"

#include "nodes/password_file.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe::nats {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds ping_interval = 5s;
constexpr int pings_out_max = 2;

std::string password_in(const std::string& file) {
  try {
    return read_password(file);
  } catch (const std::runtime_error& e) {
    throw session_error{e.what()};
  }
}

using options_handle = handle<natsOptions, natsOptions_Destroy>;

void set_tls(natsOptions& options, const broker_address& to) {
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
    check(natsOptions_SetUserInfo(raw, to.user.c_str(),
                                  password_in(to.password_file).c_str()),
          "user");
  if (to.tls)
    set_tls(*raw, to);
  return result;
}

} // namespace

std::string describe(const std::string& what, natsStatus status) {
  auto detail = nats_GetLastError(nullptr);
  auto text = what + ": " + natsStatus_GetText(status);
  if (detail && *detail)
    text += std::string{" ("} + detail + ")";
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
