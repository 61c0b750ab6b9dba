// The path /schedules: what is to be called when. Each schedule is an entity of a
// service that every node has (actors/work/schedule_service.hpp); here are the
// paths to its methods.

#include "nodes/http/gateway.hpp"

#include <utility>

#include "actors/core/json_pieces.hpp"
#include "actors/core/module.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/schedule_service.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"
#include "nodes/stored_entities.hpp"
#include "nodes/target_check.hpp"

namespace troupe {

namespace {

key_query read_page_query(const http::request& x) {
  key_query result;
  result.states = true;
  for (auto& [name, value] : query_of(x))
    if (name == "prefix")
      result.prefix = value;
    else if (name == "after")
      result.after = value;
    else if (name == "limit")
      result.limit = read_number(value, "limit", key_query::limit_max);
    else
      refuse(errc::bad_request, "there is no parameter '" + name
                                  + "': there are prefix, limit and after");
  result.validate().value();
  return result;
}

json summary_of(const listed_entity& x) {
  try {
    return schedule_summary(x.key, x.state.state);
  } catch (const std::exception&) { // of a later version
    return {{"name", x.key}, {"state", "unreadable"}};
  }
}

payload to_payload(const entity_page& page) {
  json result{{"schedules", json::array()}, {"next", nullptr}};
  for (auto& x : page.entities)
    result["schedules"].push_back(summary_of(x));
  if (page.next)
    result["next"] = *page.next;
  return {dump_json(result), json_type};
}

} // namespace

void gateway::schedules(http::exchange& x, const path_view& path) {
  if (path.count > 3)
    refuse(errc::not_found, "there are /schedules, /schedules/{name}, "
                            "/schedules/{name}/pause and "
                            "/schedules/{name}/resume");
  auto& request = x.request();
  if (!host_.store->commits_work())
    refuse(errc::not_implemented, "this store has no schedules yet");
  if (wants_queue(request))
    not_built("Prefer: respond-async on this path");
  auto target = port_.service(schedules_service);
  if (!target)
    throw error_exception{target.error()};
  if (path.count == 1) {
    check_get(request);
    return list_service(x, **target, std::string{schedules_service},
                        to_payload);
  }
  auto to = std::make_unique<entity_call>();
  to->service = schedules_service;
  to->key = decode(path[1]);
  check_name(to->key, "schedule");
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  auto status = 200u;
  if (path.count == 3) {
    to->method = path[2];
    if (to->method != "pause" && to->method != "resume")
      refuse(errc::not_found, "a schedule can be paused and resumed");
    check_post(request);
    request.body().clear();
  } else if (request.method() == http::method::put) {
    check_schedule(request.body());
    to->method = "put";
  } else if (request.method() == http::method::delete_) {
    to->method = "remove";
    status = status_no_content;
    request.body().clear();
  } else {
    check_get(request, "GET, HEAD, PUT, DELETE");
    to->method = "show";
  }
  call_entity(x, **target, std::move(to), status);
}

void gateway::check_schedule(std::string_view body) {
  auto spec = parse_json(body).get<schedule_spec>();
  single_members_of(body, "a schedule");
  check_target(spec.target);
}

void gateway::check_target(const work_target& to) {
  if (to.is_entity())
    check_service_name(to.name);
  if (auto good = troupe::check_target(port_.routes(), to); !good)
    throw error_exception{good.error()};
}

void gateway::list_service(http::exchange& x, call_target& service,
                           std::string name, page_text text) {
  auto query = read_page_query(x.request());
  auto call = begin_read(x, service);
  read_service(*call,
               std::make_shared<page_reader>(std::move(name), std::move(query)),
               text);
}

void gateway::read_service(http_call& call, std::shared_ptr<page_reader> page,
                           page_text text) {
  using answer = std::vector<listed_entity>;
  auto then = [page, text](gateway& me, http_call& call,
                           expected<answer> found) {
    if (!found)
      return me.conclude(call, found.error());
    if (!page->take(std::move(*found)))
      return me.read_service(call, page, text);
    me.conclude(call, text(page->page()));
  };
  host_.store->list(page->request(), come_back<answer>(call, then));
}

} // namespace troupe
