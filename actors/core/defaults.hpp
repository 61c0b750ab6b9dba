// Every constant that an operator or a developer may want to know, with its
// reason. Options override them; see nodes/options.hpp.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe::defaults {

using namespace std::chrono_literals;

namespace function {

/// Enough for handlers that wait for others; an instance exists only once it was
/// needed.
inline constexpr uint32_t concurrency = 256;

/// A few turns of all instances; longer queues only make calls late.
inline constexpr uint32_t queue = 1024;

/// What a caller waits for at most unless the function says otherwise.
inline constexpr std::chrono::milliseconds timeout = 60s;

/// AWS Lambda's limit, so that ours is no surprise.
inline constexpr std::chrono::milliseconds timeout_max = 900s;

/// Instances that were idle for so long are retired.
inline constexpr std::chrono::milliseconds idle_time = 60s;

/// How often a queue is searched for calls that nobody waits for any more: until
/// then they take the place of others.
inline constexpr std::chrono::milliseconds sweep = 50ms;

} // namespace function

namespace quarantine {

/// Crashes within `period` after which a version rests.
inline constexpr uint32_t intensity = 5;
inline constexpr std::chrono::milliseconds period = 10s;

/// Rest before the first probe; doubles with each probe that fails.
inline constexpr std::chrono::milliseconds cool_down = 1s;
inline constexpr std::chrono::milliseconds cool_down_max = 60s;

} // namespace quarantine

namespace exposed {

/// Wait before a restart; doubles with each end in a row.
inline constexpr std::chrono::milliseconds backoff = 10ms;
inline constexpr std::chrono::milliseconds backoff_max = 1s;

/// An actor that was up for so long is taken for healthy, also on probation.
inline constexpr std::chrono::milliseconds settled = 10s;

/// What the actor gets to end by itself; then it is killed, and after the same
/// time once more given up.
inline constexpr std::chrono::milliseconds stop_limit = 2s;

} // namespace exposed

namespace lending {

/// A handler that ran shorter than this is short: it may run on the thread of
/// its caller.
inline constexpr std::chrono::nanoseconds short_run = 50us;

/// One run longer than this, and it is not.
inline constexpr std::chrono::nanoseconds long_run = 1ms;

/// Short runs in a row after which a thread is lent.
inline constexpr int32_t credit_needed = 4;

/// How many short runs make good for a long one. After so many the next long one is
/// let pass: the thread was taken off its core, if it was not the handler.
inline constexpr int32_t long_run_penalty = 256;

/// Handlers that call handlers on one lent thread at most.
inline constexpr uint32_t depth_max = 8;

} // namespace lending

namespace service {

/// Calls that wait for one entity.
inline constexpr uint32_t queue = 1024;

/// Calls that one service has under way on a node.
inline constexpr uint32_t in_flight = 65536;

/// Activations of one service on a node: a stranger who names ever new keys
/// must not fill the memory. An idle one takes about 1.8 KB.
inline constexpr uint32_t activations = 100'000;

/// Activations that were idle for so long give their memory back.
inline constexpr std::chrono::milliseconds idle_time = 300s;

inline constexpr std::chrono::milliseconds timeout = 60s;

/// Between two looks at the store for a commit whose outcome is unknown.
inline constexpr std::chrono::milliseconds settle_delay = 50ms;

/// Levels of JSON in a state: an argument of the deepest kind may be a part of
/// it. Within what can be dumped on any stack.
inline constexpr size_t state_depth_max = 1024;

/// Entities that wait for each other in one path of calls.
inline constexpr uint32_t path_length_max = 16;

/// Calls that one call sends, reminders among them, and the bytes of their
/// arguments: they are one transaction, for which others wait.
inline constexpr size_t sends = 256;
inline constexpr size_t sent_bytes = size_t{4} << 20;

/// Reminders that one entity has: their names are written with each change.
inline constexpr size_t reminders = 64;

} // namespace service

namespace lock {

/// Long enough for a holder to renew it in peace, short enough to wait for when
/// the holder is dead.
inline constexpr std::chrono::milliseconds ttl = 10s;

/// As long as the longest call.
inline constexpr std::chrono::milliseconds ttl_max = function::timeout_max;

/// Those who wait for one lock on a node.
inline constexpr size_t waiting = 1024;

/// Those who wait for locks on a node.
inline constexpr size_t waiting_on_node = 8192;

/// How often a node asks for a lock that it waits for: releases on other nodes
/// are only seen by asking. From the first to the longest pause.
inline constexpr std::chrono::milliseconds poll = 10ms;
inline constexpr std::chrono::milliseconds poll_max = 250ms;

} // namespace lock

namespace work {

/// As AWS Lambda's asynchronous invocations.
inline constexpr uint32_t attempts = 3;
inline constexpr uint32_t attempts_max = 1000;
inline constexpr std::chrono::milliseconds age_max = 6h;

/// Keys and outcomes by which repeats are known are kept for a day.
inline constexpr std::chrono::milliseconds age_max_max = 24h;

/// Whoever waits for a result hardly notices the first one; a fault that lasts
/// is asked for now and then.
inline constexpr std::chrono::milliseconds pause = 1s;
inline constexpr std::chrono::milliseconds pause_max = 300s;

/// Of one function or service on a node at once; as many as have instances.
inline constexpr uint32_t lane_max = function::concurrency;

/// Of a node at once.
inline constexpr uint32_t node_max = 1024;

/// What is known to nobody else waits so long at most: work that another node
/// has accepted and has no room for.
inline constexpr std::chrono::milliseconds look = 1s;

/// Results are kept for so long, dead letters as SQS keeps them at most.
inline constexpr std::chrono::milliseconds keep_results = 1h;
inline constexpr std::chrono::milliseconds keep_dead = 14 * 24h;

/// AWS Lambda's limit for asynchronous calls, so that ours is no surprise.
inline constexpr size_t payload_max = size_t{1} << 20;

/// A call is not put off for longer. (SQS: 15 minutes; ours are in a database.)
inline constexpr std::chrono::milliseconds delay_max = 366 * 24h;

/// Of one outcome.
inline constexpr size_t destinations_max = 16;

/// Follow-ups of follow-ups: a pipeline has so many steps at most, so that one
/// that leads back into itself ends.
inline constexpr uint32_t steps_max = 64;

/// Calls of one group: all are sent with one commit, beside a reminder.
inline constexpr size_t group_calls_max = service::sends - 6;

/// What follows a group, each with all results.
inline constexpr size_t group_destinations_max =
  service::sent_bytes / payload_max;

/// A group that nobody hears of ends after the last attempt of any call.
inline constexpr std::chrono::milliseconds group_timeout = age_max_max + 1h;

/// Of a destination outside; what servers take, as a rule.
inline constexpr size_t url_length_max = 2048;

/// Somebody outside may ask for so long a pause.
inline constexpr std::chrono::seconds asked_max = 1h;

/// What somebody outside gets to say that it has an event.
inline constexpr std::chrono::milliseconds send_timeout = 30s;

} // namespace work

namespace scheduler {

/// Messages that an actor handles before another one gets the thread. Without a
/// bound a few busy actors starve the rest.
inline constexpr size_t max_throughput = 300;

} // namespace scheduler

/// Names of functions, services, methods and qualifiers: [A-Za-z0-9_-]{1,64}.
inline constexpr size_t name_length_max = 64;

/// Keys of entities: bytes of UTF-8.
inline constexpr size_t key_length_max = 512;

/// Bytes of an error's message: it goes through logs and headers of others, and
/// a handler may put a whole payload into it.
inline constexpr size_t error_message_max = 1024;

/// How long a node may take to answer a control message about itself.
inline constexpr std::chrono::milliseconds control_timeout = 1s;

} // namespace troupe::defaults
