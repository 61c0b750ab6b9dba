#include "actors/cluster/cluster_target.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/lender.hpp"

namespace troupe {

namespace {

using outcome = forwarded_answer::outcome;

/// To read more than this as JSON takes so long that the thread of the link is
/// not the place for it.
constexpr size_t small_result = 16 * 1024;

std::vector<entity_id> path_of(const invocation& call) {
  std::vector<entity_id> result;
  for (auto x = call.path.get(); x; x = x->outer.get())
    result.push_back({x->service, x->key});
  return result;
}

error lost(const invocation& call, const std::string& peer) {
  return {call.entity ? errc::outcome_unknown : errc::instance_lost,
          effect::unknown,
          "the link to " + peer + " broke while the call was under way"};
}

void answer(invocation& call, payload result, caf::execution_unit* host) {
  try {
    call.set_result(std::move(result));
  } catch (...) {
    call.fail(error::from_exception(std::current_exception()));
  }
  call.finish(host);
}

/// What a peer answers that has no such function, or is about to leave: there may
/// be one elsewhere.
bool may_run_elsewhere(const error& x) noexcept {
  return x.what_happened() == effect::none
         && (x == errc::not_found || x == errc::shutting_down);
}

} // namespace

/// One try.
class cluster_target::forwarding final : public outgoing_call {
public:
  forwarding(cluster_target& owner, invocation_ptr call, const placement& where)
    : owner_(&owner), call_(std::move(call)),
      peer_(where.peer->where().who.node) {
    content.id = call_->id;
    if (call_->entity)
      content.entity = *call_->entity;
    else
      content.function = owner.name_;
    content.qualifier = owner.qualifier_;
    content.shard = where.shard;
    content.routing_key = call_->routing_key;
    content.trace = call_->trace;
    content.deadline = call_->deadline;
    content.root = call_->root();
    content.path = path_of(*call_);
    content.arguments = call_->take_arguments();
  }

  bool leave() noexcept override { return call_->start(); }

  void answered(forwarded_answer x,
                caf::execution_unit* host) noexcept override {
    call_->revision = x.revision;
    switch (x.what) {
    case outcome::done:
      done(std::move(x.result), host);
      break;
    case outcome::failed:
      failed(std::move(*x.failure), host);
      break;
    case outcome::lost:
      call_->finish(lost(*call_, peer_), host);
      break;
    case outcome::wrong_owner:
      if (call_->unstart())
        again({content.shard, true, x.owner}, "is not the owner");
      break;
    case outcome::unsent:
      // Whether it had begun to leave or not.
      if (call_->unstart() || call_->wanted())
        again({content.shard, false, {}}, "cannot be reached");
      break;
    }
  }

private:
  void done(payload result, caf::execution_unit* host) {
    if (result.bytes.size() <= small_result
        || dynamic_cast<raw_invocation*>(call_.get())) {
      answer(*call_, std::move(result), host);
      return;
    }
    owner_->sys_.spawn<caf::hidden>([call = call_, result = std::move(result)](
                                      caf::event_based_actor* self) mutable {
      answer(*call, std::move(result), self->context());
    });
  }

  void failed(error reason, caf::execution_unit* host) {
    if (call_->entity || !may_run_elsewhere(reason)) {
      call_->finish(std::move(reason), host);
    } else if (call_->unstart()) {
      // This node has it: the name was found.
      call_->give_back(std::move(content.arguments));
      lender thread{owner_->sys_, host, false};
      owner_->here_->submit(call_, thread);
    }
  }

  void again(const failed_placement& last, const char* why) {
    call_->give_back(std::move(content.arguments));
    owner_->redirect(call_, last, peer_ + ' ' + why);
  }

  caf::intrusive_ptr<cluster_target> owner_;
  invocation_ptr call_;
  std::string peer_;
};

cluster_target::cluster_target(caf::actor_system& sys, std::string name,
                               std::string qualifier, call_target_ptr here,
                               call_placement& places)
  : sys_(sys), name_(std::move(name)), qualifier_(std::move(qualifier)),
    here_(std::move(here)), places_(places) {}

void cluster_target::submit(invocation_ptr call, lender& from) {
  if (!here_->callable_by_bytes()) {
    here_->submit(std::move(call), from);
    return;
  }
  auto where = places_.place(*call, name_, *here_);
  if (!where && where.error() == errc::not_owner)
    hold(std::move(call), {});
  else if (!where)
    call->finish(where.error(), from.outer());
  else if (!where->peer)
    run_here(std::move(call), from);
  else
    send(std::move(call), std::move(*where), from.together());
}

void cluster_target::run_here(invocation_ptr call, lender& from) {
  if (call->entity)
    call->placed_by.reset(this);
  here_->submit(std::move(call), from);
}

void cluster_target::turned_away(invocation_ptr call, error why) noexcept {
  redirect(std::move(call), {{}, true, {}}, why.message());
}

void cluster_target::send(invocation_ptr call, placement where,
                          turn* together) {
  outgoing_call_ptr outgoing;
  try {
    outgoing = caf::make_counted<forwarding>(*this, call, where);
  } catch (...) {
    auto reason = error::from_exception(std::current_exception());
    call->finish(reason.with_effect(effect::none), nullptr);
    return;
  }
  where.peer->send(std::move(outgoing), together);
}

void cluster_target::redirect(invocation_ptr call, const failed_placement& last,
                              const std::string& why) {
  if (call->redirects >= redirects_max) {
    call->finish(
      error{errc::not_owner, "nobody runs it: " + why + ", after two others"}
        .retry_after(1),
      nullptr);
    return;
  }
  ++call->redirects;
  hold(std::move(call), last);
}

void cluster_target::hold(invocation_ptr call, const failed_placement& last) {
  auto& asked = *call;
  places_.refresh(asked, last,
                  [self = caf::intrusive_ptr<cluster_target>{this},
                   call = std::move(call)](const expected<void>& settled) {
                    if (settled)
                      self->place_again(call);
                    else
                      call->finish(settled.error(), nullptr);
                  });
}

void cluster_target::place_again(invocation_ptr call) {
  if (!call->wanted())
    return;
  auto where = places_.place(*call, name_, *here_);
  if (!where && where.error() == errc::not_owner) {
    redirect(std::move(call), {}, where.error().message());
  } else if (!where) {
    call->finish(where.error(), nullptr);
  } else if (where->peer) {
    send(std::move(call), std::move(*where), nullptr);
  } else {
    // Whose thread this is nobody knows: no handler runs on it.
    lender thread{sys_, nullptr, false};
    run_here(std::move(call), thread);
  }
}

} // namespace troupe
