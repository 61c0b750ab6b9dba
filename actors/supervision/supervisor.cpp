#include "actors/supervision/supervisor.hpp"

#include <unordered_set>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>

#include "actors/supervision/supervisor_state.hpp"

namespace troupe {

namespace {

constexpr auto category = caf::atom("supervisor");

using supervisor_self = supervisor_actor::stateful_pointer<supervisor_state>;

supervisor_actor::behavior_type
run_supervisor(supervisor_self self, supervisor_options options,
               std::vector<child_spec> children) {
  auto state = &self->state;
  self->set_down_handler([state](caf::down_msg& x) { state->on_down(x); });
  self->set_exit_handler([state](caf::exit_msg& x) { state->on_exit(x); });
  state->init(std::move(options), std::move(children));
  return {
    [=](atom::start, const child_spec& spec) {
      auto promise = self->make_response_promise<caf::actor>();
      state->start_child(spec, promise);
      return promise;
    },
    [=](atom::terminate, const std::string& id) {
      auto promise = self->make_response_promise<child_info>();
      state->terminate_child(id, promise);
      return promise;
    },
    [=](atom::restart, const std::string& id) {
      auto promise = self->make_response_promise<caf::actor>();
      state->restart_child(id, promise);
      return promise;
    },
    [=](atom::erase, const std::string& id) {
      auto promise = self->make_response_promise<child_info>();
      state->erase_child(id, promise);
      return promise;
    },
    [=](atom::children) { return state->list_children(); },
    [=](atom::count) { return state->count_children(); },
    [=](atom::describe) {
      auto promise = self->make_response_promise<tree_node>();
      state->describe(promise);
      return promise;
    },
    [=](atom::retry, uint64_t timer) { state->on_retry(timer); },
    [=](atom::late, uint64_t timer) { state->on_late(timer); },
  };
}

std::optional<std::string> check(const supervisor_options& options,
                                 const std::vector<child_spec>& children) {
  if (auto problem = options.validate())
    return problem;
  std::unordered_set<std::string> ids;
  for (auto& x : children) {
    if (auto problem = check_child(options, x))
      return problem;
    if (!ids.insert(x.id).second)
      return "two children have the id '" + x.id + "'";
  }
  return std::nullopt;
}

template <class Spawner>
caf::expected<supervisor_actor> launch(Spawner& spawner,
                                       supervisor_options&& options,
                                       std::vector<child_spec>&& children) {
  if (auto problem = check(options, children))
    return make_error(supervisor_errc::bad_spec, *problem);
  return spawner.spawn(run_supervisor, std::move(options), std::move(children));
}

} // namespace

caf::expected<supervisor_actor> supervisor(caf::actor_system& system,
                                           supervisor_options options,
                                           std::vector<child_spec> children) {
  return launch(system, std::move(options), std::move(children));
}

caf::expected<supervisor_actor> supervisor(caf::local_actor* parent,
                                           supervisor_options options,
                                           std::vector<child_spec> children) {
  return launch(*parent, std::move(options), std::move(children));
}

child_spec supervisor_child(std::string id, supervisor_options options,
                            std::vector<child_spec> children) {
  child_spec result;
  result.id = std::move(id);
  result.kind = child_kind::supervisor;
  result.start = [options = std::move(options), children = std::move(children)](
                   caf::local_actor* parent) -> caf::expected<caf::actor> {
    auto child = supervisor(parent, options, children);
    if (!child)
      return std::move(child.error());
    return caf::actor_cast<caf::actor>(*child);
  };
  return result;
}

std::optional<std::string> supervisor_options::validate() const {
  if (period.count() <= 0)
    return "the period of a supervisor must be positive";
  if (backoff_reset.count() <= 0)
    return "the backoff reset of a supervisor must be positive";
  if (kill_limit.count() <= 0)
    return "the kill limit of a supervisor must be positive";
  if (describe_timeout.count() <= 0)
    return "the describe timeout of a supervisor must be positive";
  return backoff.validate();
}

std::optional<std::string> check_child(const supervisor_options& options,
                                       const child_spec& spec) {
  if (spec.significant && options.significance == auto_shutdown::never)
    return "child '" + spec.id
           + "' is significant under a supervisor that "
             "never shuts down by itself";
  return spec.validate();
}

caf::error make_error(supervisor_errc code, std::string context) {
  if (context.empty())
    return {static_cast<uint8_t>(code), category};
  return {static_cast<uint8_t>(code), category,
          caf::make_message(std::move(context))};
}

bool is(const caf::error& x, supervisor_errc code) {
  return x.compare(static_cast<uint8_t>(code), category) == 0;
}

std::string render_reason(const caf::actor_system& system,
                          const caf::error& reason) {
  if (!reason)
    return "normal";
  if (reason.category() == caf::atom("exit"))
    return to_string(static_cast<caf::exit_reason>(reason.code()));
  if (reason.category() != category)
    return system.render(reason);
  std::string result = to_string(static_cast<supervisor_errc>(reason.code()));
  if (reason.context().match_elements<std::string>())
    result += ": " + reason.context().get_as<std::string>(0);
  return result;
}

const char* to_string(supervisor_errc x) {
  switch (x) {
  case supervisor_errc::bad_spec:
    return "bad_spec";
  case supervisor_errc::already_started:
    return "already_started";
  case supervisor_errc::already_present:
    return "already_present";
  case supervisor_errc::not_found:
    return "not_found";
  case supervisor_errc::running:
    return "running";
  case supervisor_errc::restarting:
    return "restarting";
  case supervisor_errc::start_failed:
    return "start_failed";
  case supervisor_errc::shutting_down:
    return "shutting_down";
  case supervisor_errc::intensity_exceeded:
    return "intensity_exceeded";
  }
  return "";
}

const char* to_string(restart_strategy x) {
  switch (x) {
  case restart_strategy::one_for_one:
    return "one_for_one";
  case restart_strategy::one_for_all:
    return "one_for_all";
  case restart_strategy::rest_for_one:
    return "rest_for_one";
  }
  return "";
}

const char* to_string(auto_shutdown x) {
  switch (x) {
  case auto_shutdown::never:
    return "never";
  case auto_shutdown::any_significant:
    return "any_significant";
  case auto_shutdown::all_significant:
    return "all_significant";
  }
  return "";
}

const char* to_string(child_state x) {
  switch (x) {
  case child_state::up:
    return "up";
  case child_state::waiting:
    return "waiting";
  case child_state::stopping:
    return "stopping";
  case child_state::down:
    return "down";
  }
  return "";
}

const char* to_string(supervisor_event::kind x) {
  switch (x) {
  case supervisor_event::kind::started:
    return "started";
  case supervisor_event::kind::start_failed:
    return "start_failed";
  case supervisor_event::kind::ended:
    return "ended";
  case supervisor_event::kind::restart_due:
    return "restart_due";
  case supervisor_event::kind::killed:
    return "killed";
  case supervisor_event::kind::given_up:
    return "given_up";
  case supervisor_event::kind::stopping:
    return "stopping";
  }
  return "";
}

} // namespace troupe
