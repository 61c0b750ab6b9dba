// The path /locks/{name}: a lock is asked for (and waited for), renewed, released
// and shown; and the field that shows locks with a call.

#include "nodes/http/gateway.hpp"

#include <optional>
#include <utility>

#include "actors/cluster/lock_keeper.hpp"
#include "actors/core/codec.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// What the store gets for its answer.
constexpr milliseconds patience{10'000};

payload to_payload(const json& x) {
  return {dump_json(x), json_type};
}

payload to_payload(const lock_grant& x) {
  return to_payload(
    json{{"token", x.proof.token}, {"expiresAt", to_rfc3339(x.expires)}});
}

payload to_payload(const lock_info& x) {
  json result{{"name", x.name}, {"token", x.token}, {"held", false}};
  if (x.expires) {
    result["held"] = true;
    result["expiresAt"] = to_rfc3339(*x.expires);
  }
  return to_payload(result);
}

// -- requests ----------------------------------------------------------------

void refuse_fields_of_calls(const http::request& x) {
  for (auto name : {"Troupe-Lock", "If-Match", "Idempotency-Key", "Troupe-Key"})
    if (x.field(name))
      refuse(errc::bad_request,
             std::string{name} + " has no meaning for a lock");
}

milliseconds read_time(const json& x, const std::string& name, uint64_t least) {
  auto most = static_cast<uint64_t>(defaults::lock::ttl_max.count());
  if (!x.is_number_unsigned() || x.get<uint64_t>() < least
      || x.get<uint64_t>() > most)
    refuse(errc::bad_request, name + " is a whole number from "
                                + std::to_string(least) + " to "
                                + std::to_string(most));
  return milliseconds{x.get<int64_t>()};
}

/// Also as text, for those who cannot keep a large number.
uint64_t read_token(const json& x) {
  auto result = x.is_string() ? parse_lock_token(x.get<std::string>())
                : x.is_number_unsigned() ? x.get<uint64_t>()
                                         : 0;
  if (result < 1 || result > lock_token_max)
    refuse(errc::bad_request, "token is the number that the lock came with");
  return result;
}

json read_object(const http::request& x, std::string_view body) {
  if (!x.query().empty())
    refuse(errc::bad_request, "this takes no parameters, but a JSON object");
  if (body.empty())
    return json::object();
  auto result = parse_json(body);
  if (!result.is_object())
    refuse(errc::bad_request, "the body is a JSON object");
  return result;
}

lock_options read_wish(const http::request& x, std::string_view body) {
  lock_options result;
  auto object = read_object(x, body);
  for (auto& [name, value] : object.items())
    if (name == "ttlMs")
      result.ttl = read_time(value, name, 1);
    else if (name == "waitMs")
      result.wait = read_time(value, name, 0);
    else
      refuse(errc::bad_request, "there are ttlMs and waitMs, and no '"
                                  + name.substr(0, 100) + "'");
  return result;
}

struct renewal {
  uint64_t token = 0;

  /// Else as long as it was granted for.
  std::optional<milliseconds> ttl;
};

renewal read_renewal(const http::request& x, std::string_view body) {
  renewal result;
  auto object = read_object(x, body);
  for (auto& [name, value] : object.items())
    if (name == "token")
      result.token = read_token(value);
    else if (name == "ttlMs")
      result.ttl = read_time(value, name, 1);
    else
      refuse(errc::bad_request,
             "there are token and ttlMs, and no '" + name.substr(0, 100) + "'");
  if (result.token == 0)
    refuse(errc::bad_request, "token is missing");
  return result;
}

uint64_t read_token_parameter(const http::request& x) {
  auto parameters = http::parse_query(x.query());
  auto is_token = parameters && parameters->size() == 1
                  && parameters->front().name == "token";
  auto result = is_token ? parse_lock_token(parameters->front().value) : 0;
  if (result == 0)
    refuse(errc::bad_request,
           "a lock is released with ?token= and the number that it came with");
  return result;
}

} // namespace

// -- the path ----------------------------------------------------------------

void gateway::locks(http::exchange& x, const path_view& path) {
  if (path.count != 2)
    refuse(errc::not_found, "the path is /locks/{name}");
  auto& request = x.request();
  auto name = decode(path[1]);
  check_name(name, "lock");
  refuse_fields_of_calls(request);
  switch (request.method()) {
  case http::method::post:
    return acquire_lock(x, std::move(name));
  case http::method::put:
    return renew_lock(x, std::move(name));
  case http::method::delete_:
    return release_lock(x, std::move(name));
  default:
    check_get(request, "GET, HEAD, POST, PUT, DELETE");
    return show_lock(x, std::move(name));
  }
}

caf::intrusive_ptr<gateway::http_call>
gateway::begin_lock_call(http::exchange& x, milliseconds wait) {
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(x.request(), *call);
  port_.prepare(*call, wait + patience, timeout);
  call->port = this;
  hold(x, *call);
  return call;
}

void gateway::acquire_lock(http::exchange& x, std::string name) {
  auto options = read_wish(x.request(), x.request().body());
  auto call = begin_lock_call(x, options.wait);
  auto keeper = host_.locks;
  auto then = [](gateway& me, http_call& call, expected<lock_grant> got) {
    call.lock_wait = 0;
    me.conclude(call, got ? expected<payload>{to_payload(*got)} : got.error());
  };
  // The client went when the lock had just been granted.
  auto unwanted = [keeper](const expected<lock_grant>& got) {
    if (got)
      keeper->release(got->proof, [](const expected<void>&) {});
  };
  call->lock_wait = keeper->acquire(
    std::move(name), options, come_back<lock_grant>(*call, then, unwanted));
}

void gateway::renew_lock(http::exchange& x, std::string name) {
  auto wish = read_renewal(x.request(), x.request().body());
  auto call = begin_lock_call(x, milliseconds{0});
  auto then = [](gateway& me, http_call& call, expected<lock_grant> got) {
    me.conclude(call, got ? expected<payload>{to_payload(*got)} : got.error());
  };
  host_.locks->renew({std::move(name), wish.token}, wish.ttl,
                     come_back<lock_grant>(*call, then));
}

void gateway::release_lock(http::exchange& x, std::string name) {
  if (!x.request().body().empty())
    refuse(errc::bad_request, "a lock is released without a body");
  auto token = read_token_parameter(x.request());
  auto call = begin_lock_call(x, milliseconds{0});
  call->answer.status = status_no_content;
  auto then = [](gateway& me, http_call& call, expected<void> done) {
    me.conclude(call, done ? expected<payload>{payload{}} : done.error());
  };
  host_.locks->release({std::move(name), token}, come_back<void>(*call, then));
}

void gateway::show_lock(http::exchange& x, std::string name) {
  if (!x.request().query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  auto call = begin_lock_call(x, milliseconds{0});
  auto then = [](gateway& me, http_call& call, expected<lock_info> found) {
    me.conclude(call,
                found ? expected<payload>{to_payload(*found)} : found.error());
  };
  host_.locks->show(std::move(name), come_back<lock_info>(*call, then));
}

// -- calls -------------------------------------------------------------------

std::vector<lock_proof> read_locks(const http::request& x) {
  auto text = joined(x, "Troupe-Lock");
  return text ? parse_lock_proofs(*text).value() : std::vector<lock_proof>{};
}

} // namespace troupe
