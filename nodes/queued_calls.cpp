#include "nodes/queued_calls.hpp"

#include <utility>

#include "actors/core/defaults.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/work_id.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/wait_for.hpp"

namespace troupe {

namespace {

/// What the store gets for its answer.
constexpr std::chrono::seconds patience{10};

expected<void> check(const async_options& x) {
  auto wrong = [](const char* why) { return error{errc::bad_request, why}; };
  if (!x.idempotency_key.empty()
      && !is_valid_idempotency_key(x.idempotency_key))
    return wrong("an idempotency key is 1 to 255 bytes of visible ASCII");
  if (x.delay.count() < 0 || x.delay > defaults::work::delay_max)
    return wrong("a delay is from 0 to 366 days");
  if (x.priority > work_priority_max)
    return wrong("a priority is from 0 to 9");
  return {};
}

} // namespace

expected<queued_call> queue_call(dispatcher* to, work_target target,
                                 payload arguments,
                                 const async_options& options) {
  if (!to)
    return error{errc::not_implemented, "there is no queue here"};
  if (auto good = check(options); !good)
    return good.error();
  work_request request;
  auto& item = request.item;
  item.id = work_ids{}.next(to->now());
  item.target = std::move(target);
  item.arguments = std::move(arguments);
  if (item.arguments.content_type.empty())
    item.arguments.content_type = "application/json";
  item.priority = options.priority;
  if (options.delay.count() > 0)
    item.due = to->now() + options.delay;
  request.idempotency_key = options.idempotency_key;
  auto accepted = wait_for<work_accepted>(
    patience, "the store did not say in time that it has the call",
    [&](auto done) { to->accept(std::move(request), std::move(done)); },
    [](auto&) {});
  if (accepted)
    return queued_call{accepted->id};
  if (accepted.error().code() == errc::deadline_exceeded)
    return error{accepted.error()}.with_effect(effect::unknown);
  return accepted.error();
}

expected<work_view> find_queued(dispatcher& in, const invocation_id& id) {
  auto queue = in.queue();
  if (!queue)
    return error{errc::not_implemented, "there is no queue here"};
  using answer = std::optional<work_view>;
  auto found = wait_for<answer>(
    patience, "the store did not answer in time",
    [&](auto done) { queue->find(id, std::move(done)); }, [](auto&) {});
  if (!found)
    return found.error();
  if (!*found)
    return error{errc::not_found, "no queued call has this id"};
  in.explain(**found);
  return std::move(**found);
}

} // namespace troupe
