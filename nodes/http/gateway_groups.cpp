// The path /groups: calls whose outcomes belong together. Each group is an entity
// of a service that every node has (actors/work/group_service.hpp); here are the
// paths to its methods.

#include "nodes/http/gateway.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/module.hpp"
#include "actors/work/dispatcher.hpp"
#include "actors/work/group_service.hpp"
#include "nodes/http/gateway_parts.hpp"
#include "nodes/http/uri.hpp"
#include "nodes/stored_entities.hpp"

namespace troupe {

namespace {

/// The calls, and as much again for what is said of them.
constexpr size_t body_max = defaults::service::sent_bytes * 3 / 2;

/// A group that is named by its idempotency key: no id begins so.
constexpr auto key_prefix = "key:";

json summary_of(const listed_entity& x) {
  try {
    return group_summary(x.key, x.state.state);
  } catch (const std::exception&) { // of a later version
    return {{"id", x.key}, {"state", "unreadable"}};
  }
}

payload to_payload(const entity_page& page) {
  json result{{"groups", json::array()}, {"next", nullptr}};
  for (auto& x : page.entities)
    result["groups"].push_back(summary_of(x));
  if (page.next)
    result["next"] = *page.next;
  return {dump_json(result), json_type};
}

} // namespace

void gateway::groups(http::exchange& x, const path_view& path) {
  if (path.count > 3)
    refuse(errc::not_found,
           "there are /groups, /groups/{id} and /groups/{id}/cancel");
  auto& request = x.request();
  if (!host_.store->commits_work())
    refuse(errc::not_implemented, "this store has no groups yet");
  auto target = port_.service(groups_service);
  if (!target)
    throw error_exception{target.error()};
  if (path.count == 1 && request.method() == http::method::post)
    return begin_group(x, **target);
  if (wants_queue(request))
    not_built("Prefer: respond-async on this path");
  if (path.count == 1) {
    check_get(request, "GET, HEAD, POST");
    return list_service(x, **target, std::string{groups_service}, to_payload);
  }
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  auto id = decode(path[1]);
  if (!is_valid_key(id))
    refuse(errc::bad_request, "an id is 1 to 512 bytes of UTF-8");
  if (path.count == 2) {
    check_get(request);
    return show_group(x, **target, std::move(id));
  }
  if (path[2] != "cancel")
    refuse(errc::not_found, "a group can be cancelled");
  check_post(request);
  request.body().clear();
  auto to = std::make_unique<entity_call>();
  to->service = groups_service;
  to->key = std::move(id);
  to->method = path[2];
  call_entity(x, **target, std::move(to));
}

/// What the store has of it, with what became of those that follow it: so the
/// answer has no revision of its own.
void gateway::show_group(http::exchange& x, call_target& service,
                         std::string id) {
  auto call = begin_read(x, service);
  auto then = [id](gateway& me, http_call& call, expected<stored_state> found) {
    if (!found)
      return me.conclude(call, found.error());
    auto group = troupe::show_group(id, found->state);
    if (!group)
      return me.conclude(call, group.error());
    std::reverse(group->followed_by.begin(), group->followed_by.end());
    me.find_follow_ups(
      call, std::make_shared<followed>(
              followed{std::move(group->text), std::move(group->followed_by)}));
  };
  host_.store->load({std::string{groups_service}, id},
                    come_back<stored_state>(*call, then));
}

/// The answer comes once all calls of the group are durable.
void gateway::begin_group(http::exchange& x, call_target& service) {
  auto& request = x.request();
  if (!request.query().empty())
    refuse(errc::bad_request, "this takes no parameters");
  if (request.field("Troupe-Key"))
    refuse(errc::bad_request,
           "Troupe-Key needs a call of a function: a call of a group has its "
           "routingKey");
  check_group(request.body());
  auto key = read_idempotency_key(request);
  auto id = key.empty() ? to_string(work_ids_.next(host_.work->now()))
                        : key_prefix + key;
  auto to = std::make_unique<entity_call>();
  to->service = groups_service;
  to->key = id;
  to->method = "begin";
  auto call = make_entity_call(x, service, std::move(to));
  call->answer.status = status_accepted;
  call->answer.add("Location", "/groups/" + http::percent_encode(id));
  submit(x, std::move(call), service);
}

void gateway::check_group(std::string_view body) {
  if (body.size() > body_max)
    refuse(errc::payload_too_large,
           "a group takes " + std::to_string(body_max) + " bytes at most");
  auto spec = group_spec::parse(body);
  for (auto& x : spec.calls)
    check_target(x.target);
  for (auto list : {&spec.then, &spec.on_failure})
    for (auto& x : *list) {
      if (x.is_outside())
        refuse(
          errc::bad_request,
          "'" + x.name
            + "' is outside: destinations outside are declared by who runs "
              "the nodes (--queued, --event)");
      if (x.key.find('{') != x.key.npos)
        refuse(errc::bad_request,
               "'" + to_string(x)
                 + "': what follows a group is called as it is written, there "
                   "are no {names}");
      check_target(x);
    }
}

} // namespace troupe
