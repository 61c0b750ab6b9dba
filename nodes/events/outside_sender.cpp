#include "nodes/events/outside_sender.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "actors/core/cloud_event_json.hpp"
#include "actors/core/outside.hpp"
#include "actors/messages/cloud_event_http.hpp"
#include "actors/model/trace_parent.hpp"
#include "nodes/events/receiver_error.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe {

namespace {

/// A line end in it would be a header of its own.
bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char x) {
    return static_cast<unsigned char>(x) < ' ' || x == 0x7F;
  });
}

/// Such parts are taken out of a path, with what is before them, by whoever reads
/// it, however they are encoded: a key would lead to somewhere else.
bool has_dot_parts(std::string_view path) {
  path = path.substr(0, path.find('?'));
  for (;;) {
    auto end = path.find('/');
    auto part = path.substr(0, end);
    if (part == "." || part == "..")
      return true;
    if (end == path.npos)
      return false;
    path.remove_prefix(end + 1);
  }
}

/// Of HTTP, and of NATS, which has taken them from there.
expected<header_list> headers_of(const outgoing_event& x) {
  if (auto good = x.event.validate(); !good)
    return good.error();
  auto result = to_headers(x.event);
  if (is_trace_parent(x.trace))
    result.emplace_back("traceparent", x.trace);
  for (auto& [name, value] : result)
    if (!is_header_value(value))
      return is_refused(to_string(x.to),
                        "the event's " + name + " cannot be a header");
  return result;
}

/// With MQTT 5, attributes are properties under their own names.
mqtt::publish to_mqtt(const outgoing_event& x, mqtt::protocol version) {
  mqtt::publish result;
  result.topic = x.to.key;
  if (version != mqtt::protocol::v5) {
    result.body = to_json(x.event);
    return result;
  }
  auto add = [&](const std::string& name) {
    if (auto value = x.event.attribute(name))
      result.properties[name] = *value;
  };
  for (auto name :
       {"specversion", "id", "source", "type", "subject", "time", "dataschema"})
    add(name);
  for (auto& [name, value] : x.event.extensions)
    add(name);
  if (is_trace_parent(x.trace))
    result.properties["traceparent"] = x.trace;
  auto body = x.event.body();
  result.body = std::move(body.bytes);
  result.content_type = std::move(body.content_type);
  return result;
}

payload to_answer(unsigned status) {
  return {"{\"status\":" + std::to_string(status) + "}", "application/json"};
}

} // namespace

outside_sender::outside_sender(std::chrono::milliseconds timeout, logins known,
                               fault_log on_fault)
  : timeout_(timeout), logins_(std::move(known)),
    on_fault_(std::move(on_fault)),
    http_({.timeout = timeout, .on_fault = on_fault_}) {}

receiver_login outside_sender::login_of(const std::string& lane) const {
  auto i = logins_.find(lane);
  return i != logins_.end() ? i->second : receiver_login{};
}

void outside_sender::send(outgoing_event what, callback done) {
  switch (outside_kind_of(what.to)) {
  case outside_kind::http:
    return post(std::move(what), std::move(done));
  case outside_kind::nats:
    return publish_nats(std::move(what), std::move(done));
  case outside_kind::mqtt:
    return publish_mqtt(std::move(what), std::move(done));
  }
}

void outside_sender::post(outgoing_event what, callback done) {
  if (has_dot_parts(what.to.key))
    return done(
      is_refused(to_string(what.to), "a part of its path is . or .."));
  auto headers = headers_of(what);
  if (!headers)
    return done(headers.error());
  http_post request{to_string(what.to), std::move(*headers),
                    std::move(what.event.data).value_or(""),
                    login_of(what.to.name)};
  http_.post(std::move(request),
             [done = std::move(done)](expected<unsigned> status) {
               status ? done(to_answer(*status)) : done(status.error());
             });
}

void outside_sender::publish_nats(outgoing_event what, callback done) {
  auto headers = headers_of(what);
  if (!headers)
    return done(headers.error());
  auto to = publisher_of(nats_, what.to.name);
  if (!to)
    return done(is_leaving());
  nats::outgoing_message message{what.to.key, std::move(*headers),
                                 std::move(what.event.data).value_or(""),
                                 what.event.source + " " + what.event.id};
  to->publish(std::move(message), std::move(done));
}

void outside_sender::publish_mqtt(outgoing_event what, callback done) {
  if (auto good = what.event.validate(); !good)
    return done(good.error());
  auto to = publisher_of(mqtt_, what.to.name);
  if (!to)
    return done(is_leaving());
  auto compose = [what = std::move(what)](mqtt::protocol version) {
    return to_mqtt(what, version);
  };
  to->send(std::move(compose), std::move(done));
}

template <class Publisher>
Publisher* outside_sender::publisher_of(
  std::map<std::string, std::unique_ptr<Publisher>>& all,
  const std::string& url) {
  std::lock_guard guard{mutex_};
  if (is_stopped_)
    return nullptr;
  auto i = all.find(url);
  if (i == all.end()) // made first: what throws leaves nothing behind
    i = all
          .emplace(url, std::make_unique<Publisher>(
                          login_of(url).apply(parse_broker(url).first),
                          typename Publisher::options{.timeout = timeout_,
                                                      .on_fault = on_fault_}))
          .first;
  return i->second.get();
}

void outside_sender::stop(std::chrono::milliseconds patience) {
  {
    std::lock_guard guard{mutex_};
    is_stopped_ = true;
  }
  auto until = std::chrono::steady_clock::now() + patience;
  auto left = [&] {
    return std::max(std::chrono::milliseconds{0},
                    std::chrono::floor<std::chrono::milliseconds>(
                      until - std::chrono::steady_clock::now()));
  };
  http_.stop(left());
  for (auto& [url, x] : nats_)
    x->stop(left());
  for (auto& [url, x] : mqtt_)
    x->stop(left());
}

} // namespace troupe
