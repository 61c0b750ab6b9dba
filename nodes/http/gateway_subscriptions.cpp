// The path /subscriptions: the messages of brokers that this node takes, and which
// of them are declared at run time. Those are the state of one entity of a
// service that every node has (actors/messages/subscription_book.hpp); here are
// the paths to its methods.

#include "nodes/http/gateway.hpp"

#include <stdexcept>
#include <utility>

#include "actors/core/json_pieces.hpp"
#include "actors/core/module.hpp"
#include "actors/messages/subscription_book.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/subscription_text.hpp"
#include "nodes/subscriptions.hpp"
#include "nodes/target_check.hpp"

namespace troupe {

namespace {

/// Of a body: more than any fields need.
constexpr size_t body_max = size_t{64} << 10;

entity_id the_book() {
  return {std::string{subscriptions_service}, std::string{subscriptions_key}};
}

bool is_option(const json& view) {
  return view.is_object() && view.at("declared") == "option";
}

subscription_fields read_fields(const http::request& x, const std::string& name,
                                const secrets_folder& secrets) {
  if (x.body().size() > body_max)
    refuse(errc::payload_too_large, "a subscription is 64 KiB at most");
  try {
    auto result = fields_from(parse_json(x.body()));
    single_members_of(x.body(), "a subscription");
    secrets.resolve(parse_subscription(name, result).broker);
    return result;
  } catch (const std::invalid_argument& e) {
    refuse(errc::bad_request, e.what());
  }
}

/// Whether a node that sees `view` follows what is stored already.
bool follows(const json& view, const std::string& name,
             const subscription_fields& fields) try {
  if (view.at("state") == passed_over)
    return view.at("fields") == fields;
  auto what = parse_subscription(name, fields);
  return view.at("topic") == what.topic.text()
         && view.at("broker") == to_string(what.broker, what.kind)
         && view.at("kind") == to_string(what.kind);
} catch (const std::invalid_argument&) {
  return false; // of a later version
}

/// What is stored of it, with how this node sees it.
expected<payload> describe(const std::string& name, const stored_state& stored,
                           const json& view) {
  subscription_book book;
  if (stored.exists())
    parse_json(stored.state).get_to(book);
  auto i = book.all().find(name);
  if (i == book.all().end())
    return error{errc::not_found, "there is no subscription '" + name + "'"};
  auto is_there = view.is_object() && follows(view, name, i->second);
  auto result = is_there ? view : json{{"state", "starting"}};
  result.update(declared_json(name, i->second));
  return payload{dump_json(result), json_type};
}

} // namespace

void gateway::subscriptions(http::exchange& x, const path_view& path) {
  auto& request = x.request();
  if (path.count > 2)
    refuse(errc::not_found,
           "there are /subscriptions and /subscriptions/{name}");
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  if (path.count == 1) {
    check_get(request);
    return x.respond(json_answer(host_.subscriptions()));
  }
  if (wants_queue(request))
    not_built("Prefer: respond-async on this path");
  auto name = decode(path[1]);
  check_name(name, "subscription");
  auto target = port_.service(subscriptions_service);
  if (!target)
    throw error_exception{target.error()};
  if (is_reading(request))
    return show_subscription(x, **target, name);
  if (is_option(host_.subscription(name)))
    refuse(errc::bad_request, "the subscription '" + name
                                + "' is an option of the nodes (--subscribe): "
                                  "change it there");
  if (request.method() == http::method::put)
    return put_subscription(x, **target, name);
  if (request.method() != http::method::delete_)
    throw wrong_method{"GET, HEAD, PUT, DELETE"};
  // A text alone is taken as it is.
  change_subscriptions(x, **target, "remove", name, status_no_content);
}

void gateway::show_subscription(http::exchange& x, call_target& service,
                                const std::string& name) {
  if (auto view = host_.subscription(name); is_option(view))
    return x.respond(json_answer(dump_json(view)));
  auto call = begin_read(x, service);
  auto then = [name](gateway& me, http_call& call,
                     expected<stored_state> found) {
    me.conclude(call, found
                        ? describe(name, *found, me.host_.subscription(name))
                        : found.error());
  };
  host_.store->load(the_book(), come_back<stored_state>(*call, then));
}

void gateway::put_subscription(http::exchange& x, call_target& service,
                               const std::string& name) {
  auto fields = read_fields(x.request(), name, host_.secrets);
  auto to = parse_subscription(name, fields).target;
  if (auto good = troupe::check_target(port_.routes(), to); !good)
    throw error_exception{good.error()};
  change_subscriptions(x, service, "put",
                       dump_json(json::array({name, std::move(fields)})));
}

void gateway::change_subscriptions(http::exchange& x, call_target& service,
                                   std::string method, std::string arguments,
                                   unsigned status) {
  auto to = std::make_unique<entity_call>();
  auto which = the_book();
  to->service = std::move(which.service);
  to->key = std::move(which.key);
  to->method = std::move(method);
  x.request().body() = std::move(arguments);
  call_entity(x, service, std::move(to), status);
}

} // namespace troupe
