// Children to be supervised, and a transcript of what happened to them: every
// start and every end, in order, as text.

#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>

#include "actors/supervision/supervisor.hpp"
#include "tests/support/actor_fixture.hpp"

namespace troupe {

using transcript = std::shared_ptr<std::vector<std::string>>;

/// Ends as it is told, and notes its end.
inline caf::behavior obedient(caf::event_based_actor* self) {
  return {
    [=](const std::string& how) {
      if (how == "throw")
        throw std::runtime_error{"as told"};
      if (how == "normal")
        self->quit();
      else if (how == "shutdown")
        self->quit(caf::exit_reason::user_shutdown);
      else if (how == "error")
        self->quit(caf::sec::invalid_argument);
    },
  };
}

/// Ignores all exit messages but a kill.
inline caf::behavior stubborn(caf::event_based_actor* self) {
  self->set_exit_handler([](caf::exit_msg&) {});
  return obedient(self);
}

/// A supervisor and its children, in virtual time.
class supervision_fixture : public actor_fixture {
public:
  using errc = supervisor_errc;

  /// What happened to the children since the last call: "+a" a start, "-a" an
  /// end, in order.
  std::string take_log() {
    std::string result;
    for (auto& x : std::exchange(*log_, {}))
      result += (result.empty() ? "" : " ") + x;
    return result;
  }

  /// A worker that lives until told otherwise.
  child_spec worker(std::string id,
                    restart_type restart = restart_type::permanent,
                    caf::behavior (*body)(caf::event_based_actor*) = obedient) {
    child_spec spec;
    spec.id = id;
    spec.restart = restart;
    spec.start = [log = log_, newest = newest_, id,
                  body](caf::local_actor* parent) -> caf::expected<caf::actor> {
      log->push_back("+" + id);
      auto child = parent->spawn(body);
      (*newest)[id] = child.address();
      child->attach_functor([log, id] { log->push_back("-" + id); });
      return child;
    };
    return spec;
  }

  /// Like `inner`, but starts fail while `*failing` is above zero; each takes
  /// one off. A failed start of a is noted as "!a".
  child_spec flaky(child_spec inner, std::shared_ptr<int> failing) {
    inner.start = [log = log_, id = inner.id, start = inner.start, failing](
                    caf::local_actor* parent) -> caf::expected<caf::actor> {
      if (*failing == 0)
        return start(parent);
      --*failing;
      log->push_back("!" + id);
      return caf::make_error(caf::sec::cannot_open_port);
    };
    return inner;
  }

  /// Starts a supervisor that this fixture owns, and its children.
  supervisor_actor supervise(supervisor_options options,
                             std::vector<child_spec> children) {
    auto result = supervisor(system(), std::move(options), std::move(children));
    if (!result)
      throw std::runtime_error{render_reason(system(), result.error())};
    ended(*result);
    run();
    return own(*result);
  }

  /// The exit reason of an actor, as text; "alive" while it lives.
  template <class Handle>
  std::string end_of(const Handle& x) {
    auto reason = ended(x);
    return reason ? render_reason(system(), *reason) : "alive";
  }

  /// The error that a request was answered with, as text; "ok" if with none.
  template <class T>
  std::string error_of(const caf::expected<T>& x) {
    return x ? "ok" : render_reason(system(), x.error());
  }

  std::vector<child_info> children(const supervisor_actor& x) {
    return request<std::vector<child_info>>(x, atom::children::value).value();
  }

  child_info info(const supervisor_actor& x, const std::string& id) {
    for (auto& child : children(x))
      if (child.id == id)
        return child;
    throw std::runtime_error{"no child " + id};
  }

  caf::actor child(const supervisor_actor& x, const std::string& id) {
    return info(x, id).handle;
  }

  /// Lets a child end: "normal", "shutdown", "error", "throw" or "kill".
  void end_child(const caf::actor& x, const std::string& how) {
    if (how == "kill")
      caf::anon_send_exit(x, caf::exit_reason::kill);
    else
      caf::anon_send(x, how);
  }

  void end_child(const supervisor_actor& x, const std::string& id,
                 const std::string& how) {
    end_child(child(x, id), how);
    run();
  }

  /// The last `worker` that was started under this id, by whomever.
  caf::actor newest(const std::string& id) {
    return caf::actor_cast<caf::actor>((*newest_)[id]);
  }

  void kill_newest(const std::string& id) {
    end_child(newest(id), "kill");
    run();
  }

  void shut_down(const supervisor_actor& x) {
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    run();
  }

  /// Ids and states: "a b(waiting) c(down)"; up goes without saying.
  std::string states(const supervisor_actor& x) {
    std::string result;
    for (auto& child : children(x)) {
      result += (result.empty() ? "" : " ") + child.id;
      if (child.state != child_state::up)
        result += std::string{"("} + to_string(child.state) + ")";
    }
    return result;
  }

private:
  // shared with the children, for they outlive these members
  transcript log_ = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<std::map<std::string, caf::actor_addr>> newest_ =
    std::make_shared<std::map<std::string, caf::actor_addr>>();
};

} // namespace troupe
