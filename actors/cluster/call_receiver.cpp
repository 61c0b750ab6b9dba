#include "actors/cluster/call_receiver.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include "actors/core/route_table.hpp"
#include "actors/core/submit.hpp"

namespace troupe {

namespace {

/// INTERNAL: calls that came together.
struct arrived_calls {
  std::vector<incoming_call_ptr> calls;
};

/// INTERNAL: there is news of the shard that a call waited for, or there will be
/// none.
struct held_call {
  incoming_call_ptr call;
  std::optional<error> failure;
};

} // namespace

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::arrived_calls)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::held_call)

namespace troupe {

namespace {

using outcome = forwarded_answer::outcome;

forwarded_answer failed(error reason) {
  forwarded_answer result;
  result.what = outcome::failed;
  result.failure = std::move(reason);
  return result;
}

std::shared_ptr<const call_path> path_of(const forwarded_call& call) {
  std::shared_ptr<const call_path> result;
  uint32_t depth = 0;
  for (auto i = call.path.rbegin(); i != call.path.rend(); ++i)
    result = std::make_shared<call_path>(
      call_path{i->service, i->key, std::move(result), ++depth, call.root});
  return result;
}

/// The call of a peer as the targets of this node know calls.
class received_call final : public raw_invocation, public reply_port {
public:
  received_call(incoming_call_ptr from, time_point now)
    : raw_invocation(std::move(from->content.arguments)),
      from_(std::move(from)) {
    auto& x = from_->content;
    id = x.id;
    submitted = now;
    deadline = x.deadline;
    routing_key = std::move(x.routing_key);
    trace = std::move(x.trace);
    path = path_of(x);
    if (x.entity)
      entity = std::make_unique<entity_call>(std::move(*x.entity));
    port = this;
  }

  void turn_away(error reason, caf::execution_unit* host) noexcept override {
    turned_away_ = reason == errc::not_owner;
    finish(std::move(reason), host);
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    forwarded_answer x;
    auto reason = failure();
    if (turned_away_ && reason && *reason == errc::not_owner)
      x.what = outcome::wrong_owner; // who is, the caller finds out
    else if (reason)
      x = failed(*reason);
    else
      x.result = std::move(result());
    x.revision = revision;
    from_->answer(std::move(x));
  }

private:
  incoming_call_ptr from_;
  std::atomic<bool> turned_away_{false};
};

class receiver final : public caf::event_based_actor {
public:
  receiver(caf::actor_config& cfg, const call_environment& env,
           call_admission& admission, std::string node)
    : caf::event_based_actor(cfg), env_(env), admission_(admission),
      node_(std::move(node)), routes_(env.routes) {}

  const char* name() const override { return "call-receiver"; }

  caf::behavior make_behavior() override {
    return {
      [this](arrived_calls& x) {
        for (auto& call : x.calls)
          admit(std::move(call), true);
      },
      [this](held_call& x) {
        if (x.failure)
          x.call->answer(failed(*std::exchange(x.failure, {})));
        else
          admit(std::move(x.call), false);
      },
    };
  }

private:
  void admit(incoming_call_ptr from, bool may_wait) {
    auto& claim = from->content.shard;
    if (claim)
      if (auto owner = admission_.refuse(*claim)) {
        if (may_wait)
          hold(std::move(from));
        else
          answer_wrong_owner(*from, std::move(*owner));
        return;
      }
    run(std::move(from));
  }

  void hold(incoming_call_ptr from) {
    auto& content = from->content;
    admission_.wait_for_owner(*content.shard, content.deadline,
                              [self = caf::actor_cast<caf::actor>(this),
                               from](const expected<void>& news) mutable {
                                held_call x{std::move(from), {}};
                                if (!news)
                                  x.failure = news.error();
                                caf::anon_send(self, std::move(x));
                              });
  }

  static void answer_wrong_owner(incoming_call& to, owner_hint owner) {
    forwarded_answer x;
    x.what = outcome::wrong_owner;
    x.owner = std::move(owner);
    to.answer(std::move(x));
  }

  void run(incoming_call_ptr from) {
    auto& content = from->content;
    auto target = find(content);
    if (!target) {
      from->answer(failed(target.error()));
      return;
    }
    auto now = home_system().clock().now();
    auto call = caf::make_counted<received_call>(std::move(from), now);
    auto& here = (*target)->here();
    call->deadline = std::min(call->deadline, now + here.timeout());
    submit_watched(env_, here, std::move(call), home_system(), context());
  }

  expected<call_target_ptr> find(const forwarded_call& content) {
    // Others may have loaded what this node has not: the caller is to know who
    // lacks it.
    if (content.entity && !routes_->services.contains(content.entity->service))
      return error{errc::not_found, "node '" + node_ + "' has no service '"
                                      + content.entity->service + "'"};
    auto target =
      content.entity
        ? find_service(*routes_, content.entity->service)
        : find_function(*routes_, content.function, content.qualifier);
    if (target && !(*target)->callable_by_bytes())
      return error{errc::not_found,
                   "'" + content.function + "' is for its own node only"};
    return target;
  }

  const call_environment& env_;
  call_admission& admission_;
  const std::string node_;
  route_view routes_;
};

} // namespace

call_receiver::call_receiver(caf::actor_system& sys,
                             const call_environment& env,
                             call_admission& admission,
                             call_receiver_options options)
  : together_(std::max(options.together, 1u)) {
  for (uint32_t i = 0; i < std::max(options.actors, 1u); ++i)
    actors_.push_back(
      sys.spawn<receiver>(std::cref(env), std::ref(admission), options.node));
}

call_receiver::~call_receiver() {
  for (auto& x : actors_)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
}

void call_receiver::received(std::vector<incoming_call_ptr> calls) noexcept {
  for (size_t i = 0; i < calls.size(); i += together_) {
    auto end = std::min(calls.size(), i + together_);
    arrived_calls some;
    some.calls.assign(std::make_move_iterator(calls.begin() + i),
                      std::make_move_iterator(calls.begin() + end));
    auto& to =
      actors_[next_.fetch_add(1, std::memory_order_relaxed) % actors_.size()];
    caf::anon_send(to, std::move(some));
  }
}

} // namespace troupe
