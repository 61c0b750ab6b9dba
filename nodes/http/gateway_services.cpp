// The paths under /services: entities are called, replaced and deleted by their
// activations, and read and listed as the store has them.

#include "nodes/http/gateway.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/codec.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/module.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"
#include "nodes/stored_entities.hpp"

namespace troupe {

namespace {

std::string read_condition(const http::request& x) {
  auto condition = joined(x, "If-Match");
  if (condition && condition->empty())
    refuse(errc::bad_request, "If-Match names no revision");
  return condition.value_or("");
}

uint32_t read_schema(const http::request& x) {
  auto text = single(x, "Troupe-Schema");
  return text ? static_cast<uint32_t>(
           read_number(*text, "Troupe-Schema", UINT32_MAX))
              : 0;
}

void set(key_query& query, const http::parameter& x) {
  if (x.name == "prefix")
    query.prefix = x.value;
  else if (x.name == "after")
    query.after = x.value;
  else if (x.name == "limit")
    query.limit = read_number(x.value, "limit", key_query::limit_max);
  else if (x.name == "states" && (x.value == "true" || x.value == "false"))
    query.states = x.value == "true";
  else if (x.name == "states")
    refuse(errc::bad_request, "states is true or false");
  else
    refuse(errc::bad_request,
           "there is no parameter '" + x.name
             + "': there are prefix, limit, after and states");
}

key_query read_query(const http::request& x) {
  key_query result;
  for (auto& parameter : query_of(x))
    set(result, parameter);
  result.validate().value();
  return result;
}

/// States are JSON already.
std::string to_json(const entity_page& page) {
  std::string result = "{\"keys\":[";
  for (auto& x : page.entities) {
    result += result.back() == '[' ? "{\"key\":" : ",{\"key\":";
    result += dump_json(x.key);
    result += ",\"revision\":" + std::to_string(x.state.revision);
    if (x.state.exists())
      result += ",\"schema\":" + std::to_string(x.state.schema)
                + ",\"state\":" + x.state.state;
    result += '}';
  }
  result += "],\"next\":";
  result += page.next ? dump_json(*page.next) : "null";
  result += '}';
  return result;
}

} // namespace

void gateway::services(http::exchange& x, const path_view& path) {
  if (path.count < 2 || path.count > 4)
    refuse(errc::not_found,
           "the path is /services/{service} for a list of keys, "
           "/services/{service}/{key} for a state, or "
           "/services/{service}/{key}/{method} for a call");
  auto& request = x.request();
  auto to = std::make_unique<entity_call>();
  to->service = decode(path[1]);
  check_service_name(to->service);
  if (path.count > 2) {
    to->key = decode(path[2]);
    if (!is_valid_key(to->key))
      refuse(errc::bad_request, "a key is 1 to 512 bytes of UTF-8");
  }
  auto target = port_.service(to->service);
  if (!target)
    throw error_exception{target.error()};
  if (path.count == 2) {
    check_get(request);
    return list_entities(x, **target, to->service);
  }
  if (path.count == 4) {
    check_post(request);
    to->method = decode(path[3]);
    check_name(to->method, "method");
    return call_entity(x, **target, std::move(to));
  }
  switch (request.method()) {
  case http::method::put:
    to->operation = entity_operation::replace;
    to->schema = read_schema(request);
    return call_entity(x, **target, std::move(to));
  case http::method::delete_:
    to->operation = entity_operation::erase;
    return call_entity(x, **target, std::move(to));
  default:
    check_get(request, "GET, HEAD, PUT, DELETE");
    return read_entity(x, **target, {to->service, to->key});
  }
}

void gateway::call_entity(http::exchange& x, call_target& service,
                          std::unique_ptr<entity_call> to, unsigned status) {
  auto& request = x.request();
  if (wants_queue(request))
    return queue_entity_call(x, service, *to);
  auto call = make_entity_call(x, service, std::move(to));
  if (call->entity->operation == entity_operation::call)
    call->answer.status = status;
  submit(x, std::move(call), service);
}

caf::intrusive_ptr<gateway::http_call>
gateway::make_entity_call(http::exchange& x, call_target& service,
                          std::unique_ptr<entity_call> to) {
  auto& request = x.request();
  auto call = caf::make_counted<http_call>(payload{}, x);
  auto timeout = read_call_headers(request, *call);
  to->idempotency_key = read_idempotency_key(request);
  to->if_match = read_condition(request);
  to->locks = read_locks(request);
  if (to->operation != entity_operation::call)
    call->answer.status = status_no_content;
  call->entity = std::move(to);
  auto type = request.field("Content-Type");
  call->arguments({std::move(request.body()),
                   std::string{type.value_or("application/octet-stream")}});
  port_.prepare(*call, service, timeout);
  return call;
}

// -- what is read from the store ---------------------------------------------

caf::intrusive_ptr<gateway::http_call>
gateway::begin_read(http::exchange& x, call_target& service) {
  if (x.request().field("Troupe-Lock"))
    refuse(errc::bad_request, "Troupe-Lock needs a call of a service");
  auto call = caf::make_counted<http_call>(payload{}, x);
  port_.prepare(*call, service, read_call_headers(x.request(), *call));
  call->port = this;
  hold(x, *call);
  return call;
}

void gateway::conclude(http_call& call, expected<payload> result) {
  if (result)
    call.set_result(std::move(*result));
  else
    call.fail(result.error());
  submitting_ = &call;
  call.finish(nullptr);
  submitting_ = nullptr;
  respond(call);
}

void gateway::read_entity(http::exchange& x, call_target& service,
                          entity_id which) {
  auto call = begin_read(x, service);
  auto then = [which](gateway& me, http_call& call,
                      expected<stored_state> found) {
    me.take_state(call, std::move(found), which);
  };
  host_.store->load(which, come_back<stored_state>(*call, then));
}

void gateway::take_state(http_call& call, expected<stored_state> found,
                         const entity_id& which) {
  if (!found)
    return conclude(call, found.error());
  if (!found->exists())
    return conclude(call, no_state(which));
  call.revision = found->revision;
  call.answer.add("Troupe-Schema", std::to_string(found->schema));
  conclude(call, payload{std::move(found->state), json_type});
}

void gateway::list_entities(http::exchange& x, call_target& service,
                            std::string name) {
  auto query = read_query(x.request());
  auto call = begin_read(x, service);
  read_page(*call,
            std::make_shared<page_reader>(std::move(name), std::move(query)));
}

void gateway::read_page(http_call& call, std::shared_ptr<page_reader> page) {
  using answer = std::vector<listed_entity>;
  auto then = [page](gateway& me, http_call& call, expected<answer> found) {
    me.take_page(call, std::move(found), page);
  };
  host_.store->list(page->request(), come_back<answer>(call, then));
}

void gateway::take_page(http_call& call,
                        expected<std::vector<listed_entity>> found,
                        std::shared_ptr<page_reader> page) {
  if (!found)
    return conclude(call, found.error());
  if (!page->take(std::move(*found)))
    return read_page(call, std::move(page));
  conclude(call, payload{to_json(page->page()), json_type});
}

} // namespace troupe
