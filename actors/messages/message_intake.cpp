#include "actors/messages/message_intake.hpp"

#include <utility>

#include <caf/actor_system.hpp>

#include "actors/core/codec.hpp"
#include "actors/core/submit.hpp"
#include "actors/messages/message_call.hpp"
#include "actors/model/backoff.hpp"
#include "actors/model/fingerprint.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// A message that came so often without an end, beyond its attempts, ends its
/// process each time; restarts of brokers and nodes alone bring one less often.
constexpr uint64_t deliveries_max = 20;

error is_given_back(bool has_begun) {
  return {errc::shutting_down, has_begun ? effect::unknown : effect::none,
          "this node takes no more messages"};
}

/// Between two tries to keep a dead letter.
constexpr backoff_options bury_pauses{milliseconds{100}, milliseconds{5'000}};

/// What an operator reads.
std::string text_of(const error& why) {
  return std::string{why.message().empty() ? why.type()
                                           : std::string_view{why.message()}};
}

error came_too_often(uint64_t times) {
  return {errc::instance_lost, "it was delivered " + std::to_string(times)
                                 + " times, and never came to an end"};
}

} // namespace

/// A message in flight.
struct message_intake::held {
  incoming_message message;
  callback done;
  message_call call{};
  work_time came{};
  bool has_begun = false;
  uint32_t attempts = 0; // that count
  uint32_t buryings = 0;
};

class message_intake::attempt final : public raw_invocation, public reply_port {
public:
  attempt(std::shared_ptr<message_intake> owner, held_ptr message)
    : raw_invocation(message->call.arguments), owner_(std::move(owner)),
      message_(std::move(message)) {
    port = this;
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    owner_->ended(message_, *this);
  }

private:
  std::shared_ptr<message_intake> owner_;
  held_ptr message_;
};

message_intake::message_intake(caf::actor_system& sys,
                               const call_environment& env, subscription what,
                               intake_surroundings around)
  : sys_(sys), env_(env), what_(std::move(what)), around_(std::move(around)),
    random_(around_.seed ? around_.seed : std::random_device{}()),
    ids_(random_()) {}

bool message_intake::is_paused() const {
  std::lock_guard guard{mutex_};
  return paused_;
}

std::string message_intake::last_error() const {
  std::lock_guard guard{mutex_};
  return last_error_;
}

// -- calling -------------------------------------------------------------------

void message_intake::take(incoming_message message, callback done) {
  auto x = std::make_shared<held>(held{std::move(message), std::move(done)});
  x->came = around_.clock();
  auto call = read_message(what_, x->message);
  if (!call)
    return bury(x, call.error());
  x->call = std::move(*call);
  if (x->message.deliveries > deliveries_max + what_.policy.attempts_max)
    return bury(x, came_too_often(x->message.deliveries));
  begin(x);
}

expected<call_target_ptr> message_intake::find_target() const {
  auto& to = what_.target;
  auto routes = env_.routes.load();
  auto result = to.is_entity()
                  ? find_service(*routes, to.service)
                  : find_function(*routes, to.function, to.qualifier);
  if (result && !(*result)->callable_by_bytes())
    return error{errc::bad_request,
                 "'" + to.function + "' can be called from C++ only"};
  return result;
}

void message_intake::begin(const held_ptr& x) {
  if (is_paused())
    return give_back(x);
  auto target = find_target();
  if (!target)
    return failed(x, target.error());
  auto call = caf::make_counted<attempt>(shared_from_this(), x);
  auto& from = x->call;
  if (auto& to = from.target; to.is_entity()) {
    call->entity =
      std::make_unique<entity_call>(entity_call{to.name, to.key, to.method});
    if (!from.identity.empty())
      call->entity->idempotency_key = idempotency_key_of(what_, from.identity);
  }
  call->routing_key = from.routing_key;
  call->trace = from.trace;
  {
    std::lock_guard guard{mutex_};
    call->id = ids_.next(around_.clock());
  }
  x->has_begun = true;
  call->submitted = sys_.clock().now();
  call->deadline = call->submitted + (*target)->timeout();
  submit_watched(env_, **target, std::move(call), sys_, nullptr);
}

void message_intake::ended(const held_ptr& x, attempt& call) {
  if (auto why = call.failure())
    return failed(x, *why);
  counts_.succeeded.fetch_add(1, std::memory_order_relaxed);
  finish(x, {message_fate::done, std::move(call.result())});
}

// -- what failed ---------------------------------------------------------------

void message_intake::failed(const held_ptr& x, const error& why) {
  work_verdict verdict;
  auto now = around_.clock();
  {
    std::lock_guard guard{mutex_};
    last_error_ = text_of(why);
    verdict =
      judge(what_.policy, why, x->attempts + 1, what_.policy.attempts_max,
            x->came, x->came + what_.policy.age_max, now, random_);
  }
  if (!verdict.again)
    return bury(x, why);
  if (!verdict.uncounted)
    ++x->attempts;
  else if (why == errc::not_found)
    tell_absence(*x, why);
  counts_.retried.fetch_add(1, std::memory_order_relaxed);
  wait(x, *verdict.again - now,
       [self = shared_from_this(), x] { self->begin(x); });
}

/// Who asks need not wait until the message is too old.
void message_intake::tell_absence(held& x, const error& why) {
  if (auto tell = std::exchange(x.message.on_absence, {}))
    tell(
      {errc::not_found, effect::unknown,
       why.message() + "; the message waits for it, and may be called later"});
}

void message_intake::bury(const held_ptr& x, const error& why) {
  work_request letter;
  auto& item = letter.item;
  milliseconds pause;
  {
    std::lock_guard guard{mutex_};
    last_error_ = text_of(why);
    item.id = ids_.next(around_.clock());
    pause = std::chrono::ceil<milliseconds>(
      backoff{bury_pauses}.delay(x->buryings++, random_));
  }
  auto was_read = !x->call.target.name.empty();
  item.target = was_read ? x->call.target : target_of(what_, x->message);
  item.arguments = was_read ? x->call.arguments : x->message.body;
  item.routing_key = x->call.routing_key;
  item.trace = x->call.trace;
  json notes{{"subscription", what_.name},
             {"topic", x->message.topic},
             {"attempts", x->attempts + (x->has_begun ? 1 : 0)}};
  if (x->message.deliveries > 1)
    notes["deliveries"] = x->message.deliveries;
  if (!was_read) // it is not to be called so
    notes[unreadable_name] = json::parse(why.to_json());
  item.notes = dump_json(notes);
  if (!x->call.identity.empty()) {
    letter.idempotency_key = idempotency_key_of(what_, x->call.identity);
    letter.fingerprint = fingerprint({x->message.topic, item.arguments.bytes});
  }
  around_.bury(
    std::move(letter), why,
    [self = shared_from_this(), x, why, pause](expected<work_accepted> kept) {
      if (kept) {
        self->counts_.dead.fetch_add(1, std::memory_order_relaxed);
        return self->finish(x, {message_fate::done, {}, why});
      }
      if (kept.error() == errc::idempotency_conflict) {
        // Another message with its identity is a dead letter already.
        x->call.identity.clear();
        return self->bury(x, why);
      }
      // It stays in flight: what cannot be kept must not be forgotten.
      self->wait(x, pause, [self, x, why] { self->bury(x, why); });
    });
}

void message_intake::wait(const held_ptr& x, milliseconds time,
                          std::function<void()> then) {
  {
    std::lock_guard guard{mutex_};
    if (!paused_) {
      waiting_.insert(x);
      return around_.after(
        time, [self = shared_from_this(), x, then = std::move(then)] {
          {
            std::lock_guard inner{self->mutex_};
            if (self->waiting_.erase(x) == 0)
              return; // it was given back
          }
          then();
        });
    }
  }
  give_back(x);
}

// -- the end of a message ------------------------------------------------------

void message_intake::finish(const held_ptr& x, message_verdict verdict) {
  x->done(std::move(verdict));
}

void message_intake::give_back(const held_ptr& x) {
  finish(x, {message_fate::give_back, {}, is_given_back(x->has_begun)});
}

void message_intake::pause() {
  std::set<held_ptr> waiting;
  {
    std::lock_guard guard{mutex_};
    paused_ = true;
    waiting.swap(waiting_);
  }
  for (auto& x : waiting)
    give_back(x);
}

void message_intake::resume() {
  std::lock_guard guard{mutex_};
  paused_ = false;
}

} // namespace troupe
