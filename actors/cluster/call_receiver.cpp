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

} // namespace

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::arrived_calls)

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

  void answered(invocation&, caf::execution_unit*) noexcept override {
    forwarded_answer x;
    if (auto reason = failure())
      x = failed(*reason);
    else
      x.result = std::move(result());
    x.revision = revision;
    from_->answer(std::move(x));
  }

private:
  incoming_call_ptr from_;
};

class receiver final : public caf::event_based_actor {
public:
  receiver(caf::actor_config& cfg, const call_environment& env,
           const call_admission& admission)
    : caf::event_based_actor(cfg), env_(env), admission_(admission),
      routes_(env.routes) {}

  const char* name() const override { return "call-receiver"; }

  caf::behavior make_behavior() override {
    return {
      [this](arrived_calls& x) {
        for (auto& call : x.calls)
          run(std::move(call));
      },
    };
  }

private:
  void run(incoming_call_ptr from) {
    auto& content = from->content;
    if (content.shard)
      if (auto owner = admission_.refuse(*content.shard)) {
        forwarded_answer x;
        x.what = outcome::wrong_owner;
        x.owner = std::move(*owner);
        from->answer(std::move(x));
        return;
      }
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
  const call_admission& admission_;
  route_view routes_;
};

} // namespace

call_receiver::call_receiver(caf::actor_system& sys,
                             const call_environment& env,
                             const call_admission& admission,
                             call_receiver_options options)
  : together_(std::max(options.together, 1u)) {
  for (uint32_t i = 0; i < std::max(options.actors, 1u); ++i)
    actors_.push_back(
      sys.spawn<receiver>(std::cref(env), std::cref(admission)));
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
    auto& to = actors_[next_.fetch_add(1, std::memory_order_relaxed)
                       % actors_.size()];
    caf::anon_send(to, std::move(some));
  }
}

} // namespace troupe
