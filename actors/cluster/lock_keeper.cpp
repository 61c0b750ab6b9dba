#include "actors/cluster/lock_keeper.hpp"

#include <map>
#include <random>
#include <unordered_map>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/local_actor.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/module.hpp"
#include "actors/core/random_name.hpp"
#include "actors/model/lock_line.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;
using wall_clock = std::chrono::system_clock;

/// INTERNAL: somebody asks for a lock.
struct lock_wish {
  uint64_t id = 0;
  lock_request request;
  milliseconds wait{0};
  lock_keeper::callback<lock_grant> done;
};

/// INTERNAL: the one of this number goes.
struct lock_goodbye {
  uint64_t id = 0;
};

/// INTERNAL: what the store says to the one who was asked for.
struct lock_verdict {
  std::string name;
  wall_clock::time_point asked;
  expected<lock_answer> answer;
};

/// INTERNAL: the lock was released by this node.
struct lock_released {
  std::string name;
};

/// INTERNAL: it is time to look at those who wait for the lock.
struct lock_look {
  std::string name;
};

} // namespace

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lock_wish)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lock_goodbye)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lock_verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lock_released)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lock_look)

namespace troupe {

namespace {

std::string lock_text(const std::string& name) {
  return "the lock '" + name + "'";
}

error leaving() {
  return error{errc::shutting_down, "the node is leaving"}.retry_after(1);
}

error no_locks() {
  return {errc::not_implemented, "this store has no locks"};
}

error still_held(const std::string& name, milliseconds left) {
  using std::chrono::seconds;
  auto rest = std::chrono::ceil<seconds>(left).count();
  return error{errc::lock_held, lock_text(name) + " is held by somebody else"}
    .retry_after(static_cast<uint32_t>(rest));
}

/// Why `held` was not renewed or released.
error lost(const lock_proof& held, const lock_row& now) {
  if (now.token == 0)
    return {errc::not_found, lock_text(held.name) + " was never granted"};
  if (now.token != held.token)
    return {errc::lock_held, lock_text(held.name)
                               + " was last granted with token "
                               + std::to_string(now.token)};
  return {errc::lock_held,
          lock_text(held.name) + " was released, or its time was over"};
}

std::mt19937_64::result_type seed_of(const lock_keeper_options& options) {
  return options.seed ? options.seed : std::random_device{}();
}

} // namespace

// -- the actor ---------------------------------------------------------------

class lock_keeper::keeper_actor final : public caf::event_based_actor {
public:
  keeper_actor(caf::actor_config& cfg, lock_keeper& front)
    : caf::event_based_actor(cfg), front_(front),
      random_(seed_of(front.options_)) {}

  const char* name() const override { return "lock-keeper"; }

  caf::behavior make_behavior() override {
    return {
      [this](lock_wish& x) { take(std::move(x)); },
      [this](const lock_goodbye& x) { forget(x.id); },
      [this](const lock_verdict& x) { take(x); },
      [this](const lock_released& x) { released(x.name); },
      [this](const lock_look& x) { look_again(x.name); },
      [this](atom::drain) { drain(); },
    };
  }

  void on_exit() override {
    {
      std::lock_guard guard{front_.mutex_};
      if (front_.actor_ == this)
        front_.actor_ = nullptr;
    }
    for (auto& [id, x] : std::exchange(waiters_, {}))
      answer(x, leaving());
    lines_.clear();
  }

private:
  using clock = std::chrono::steady_clock;

  struct waiter {
    lock_request request;
    clock::time_point asked;
    callback<lock_grant> done;

    /// It did not get the lock at once.
    bool waits = false;
  };

  struct line {
    explicit line(const backoff_options& pauses) : order(pauses) {}

    lock_line order;

    /// A look is due then.
    std::optional<clock::time_point> look_at;
  };

  using lines = std::unordered_map<std::string, line>;

  clock::time_point now() const { return home_system().clock().now(); }

  void take(lock_wish x) {
    auto name = x.request.name;
    auto id = x.id;
    auto i = lines_.try_emplace(name, front_.options_.pauses).first;
    auto& order = i->second.order;
    auto time = now();
    auto until = draining_ ? time : time + x.wait;
    waiter next{std::move(x.request), time, std::move(x.done)};
    if (order.size() >= front_.options_.waiting)
      return answer(next, error{errc::too_many_requests,
                                "too many wait for " + lock_text(name)}
                            .retry_after(1));
    if (!order.add({id, until}, time))
      return time_over(next, name, order.left(time));
    waiters_.emplace(id, std::move(next));
    look(i);
    if (order.asking() != id)
      has_to_wait(id);
  }

  void forget(uint64_t id) {
    auto i = waiters_.find(id);
    if (i == waiters_.end())
      return;
    auto line = lines_.find(i->second.request.name);
    waiters_.erase(i);
    front_.under_way_.fetch_sub(1);
    line->second.order.remove(id);
    look(line);
  }

  // -- the store's answers ---------------------------------------------------

  void take(const lock_verdict& x) {
    auto i = lines_.find(x.name);
    if (!x.answer)
      failed(i->second.order, x.answer.error());
    else if (x.answer->done)
      granted(i->second.order, x);
    else
      held(i->second.order, x.name, x.answer->now.left);
    look(i);
  }

  void granted(lock_line& order, const lock_verdict& x) {
    auto id = *order.asking();
    lock_proof proof{x.name, x.answer->now.token};
    if (!order.granted()) {
      // Nobody wants it any more.
      front_.release(std::move(proof), [](const expected<void>&) {});
      return;
    }
    auto node = waiters_.extract(id);
    auto ttl = node.mapped().request.ttl;
    front_.counts_.granted(proof, clock::now(), ttl,
                           now() - node.mapped().asked);
    answer(node.mapped(), lock_grant{std::move(proof), x.asked + ttl});
  }

  void held(lock_line& order, const std::string& name, milliseconds left) {
    auto asked = *order.asking();
    for (auto& late : order.held(left, now(), random_))
      time_over(waiters_.extract(late.id).mapped(), name, left);
    has_to_wait(asked);
  }

  void failed(lock_line& order, const error& reason) {
    auto asked = *order.asking();
    for (auto& late : order.failed(now(), random_)) {
      auto own = reason;
      if (late.id != asked)
        own.with_effect(effect::none);
      answer(waiters_.extract(late.id).mapped(), std::move(own));
    }
  }

  // -- time ------------------------------------------------------------------

  void released(const std::string& name) {
    auto i = lines_.find(name);
    if (i == lines_.end())
      return;
    i->second.order.released();
    look(i);
  }

  void look_again(const std::string& name) {
    auto i = lines_.find(name);
    if (i == lines_.end())
      return;
    auto& x = i->second;
    auto time = now();
    if (x.look_at && *x.look_at <= time)
      x.look_at.reset();
    for (auto& late : x.order.expire(time))
      time_over(waiters_.extract(late.id).mapped(), name, x.order.left(time));
    look(i);
  }

  /// Asks the store if it is time, or comes back when it is.
  void look(lines::iterator i) {
    auto& [name, x] = *i;
    auto time = now();
    if (auto first = x.order.ask(time))
      ask(waiters_.at(first->id).request);
    else if (x.order.empty())
      lines_.erase(i);
    else if (auto next = x.order.next_look();
             next && (!x.look_at || *next < *x.look_at)) {
      x.look_at = next;
      delayed_send(this, *next - time, lock_look{name});
    }
  }

  void ask(const lock_request& request) {
    front_.table_->acquire(
      request, [self = caf::actor{this}, name = request.name,
                asked = wall_clock::now()](expected<lock_answer> x) {
        caf::anon_send(self, lock_verdict{name, asked, std::move(x)});
      });
  }

  void drain() {
    draining_ = true;
    for (auto i = lines_.begin(); i != lines_.end();) {
      auto here = i++;
      for (auto& x : here->second.order.take_all())
        answer(waiters_.extract(x.id).mapped(), leaving());
      look(here);
    }
  }

  void has_to_wait(uint64_t id) {
    auto i = waiters_.find(id);
    if (i == waiters_.end() || std::exchange(i->second.waits, true))
      return;
    front_.counts_.waits();
  }

  void time_over(waiter& x, const std::string& name, milliseconds left) {
    front_.counts_.timed_out();
    answer(x, still_held(name, left));
  }

  void answer(waiter& x, expected<lock_grant> what) {
    front_.under_way_.fetch_sub(1);
    x.done(std::move(what));
  }

  lock_keeper& front_;
  std::mt19937_64 random_;
  lines lines_;
  std::unordered_map<uint64_t, waiter> waiters_;
  bool draining_ = false;
};

// -- the front ---------------------------------------------------------------

lock_keeper::lock_keeper(lock_table* table, lock_keeper_options options)
  : table_(table), options_(std::move(options)) {}

caf::actor lock_keeper::start(caf::local_actor* parent) {
  auto result = parent->spawn<keeper_actor>(std::ref(*this));
  std::lock_guard guard{mutex_};
  actor_ = result;
  return result;
}

caf::actor lock_keeper::handle() const {
  std::lock_guard guard{mutex_};
  return actor_;
}

uint64_t lock_keeper::acquire(std::string name, const lock_options& options,
                              callback<lock_grant> done) {
  auto refuse = [&](error reason) {
    done(std::move(reason));
    return uint64_t{0};
  };
  if (!table_)
    return refuse(no_locks());
  if (!is_valid_name(name))
    return refuse({errc::bad_request, "'" + name.substr(0, 100)
                                        + "' is no name of a lock: "
                                          "[A-Za-z0-9_-]{1,64}"});
  if (auto valid = options.validate(); !valid)
    return refuse(valid.error());
  auto keeper = handle();
  if (!keeper)
    return refuse(leaving());
  if (under_way_.fetch_add(1) >= options_.waiting_on_node) {
    under_way_.fetch_sub(1);
    return refuse(
      error{errc::too_many_requests, "too many wait for locks"}.retry_after(1));
  }
  auto id = last_id_.fetch_add(1) + 1;
  caf::anon_send(keeper,
                 lock_wish{id,
                           {std::move(name), random_name(), options.ttl},
                           options.wait,
                           std::move(done)});
  return id;
}

void lock_keeper::give_up(uint64_t id) {
  if (auto keeper = handle(); keeper && id > 0)
    caf::anon_send(keeper, lock_goodbye{id});
}

void lock_keeper::renew(lock_proof held, std::optional<milliseconds> ttl,
                        callback<lock_grant> done) {
  if (!table_)
    return done(no_locks());
  if (ttl)
    if (auto valid = lock_options{*ttl}.validate(); !valid)
      return done(valid.error());
  auto asked = wall_clock::now();
  table_->renew(
    held, ttl, [this, held, ttl, asked, done](const expected<lock_answer>& x) {
      if (!x)
        return done(x.error());
      if (!x->done) {
        counts_.renewal_refused(held);
        return done(lost(held, x->now));
      }
      auto time = ttl.value_or(x->now.left);
      counts_.renewed(held, std::chrono::steady_clock::now() + time);
      done(lock_grant{held, asked + time});
    });
}

void lock_keeper::release(lock_proof held, callback<void> done) {
  if (!table_)
    return done(no_locks());
  table_->release(held, [this, held, done](const expected<lock_answer>& x) {
    if (!x)
      return done(x.error());
    if (!x->done)
      return done(lost(held, x->now));
    counts_.released(held);
    released(held.name);
    done({});
  });
}

void lock_keeper::released(const std::string& name) {
  if (under_way_.load() == 0)
    return;
  if (auto keeper = handle())
    caf::anon_send(keeper, lock_released{name});
}

lock_stats lock_keeper::stats() {
  auto result = counts_.read(std::chrono::steady_clock::now());
  result.waiting = waiting();
  return result;
}

void lock_keeper::show(std::string name, callback<lock_info> done) {
  if (!table_)
    return done(no_locks());
  auto asked = wall_clock::now();
  table_->find(name, [name, asked, done](const expected<lock_row>& x) {
    if (!x)
      return done(x.error());
    if (x->token == 0)
      return done(
        error{errc::not_found, lock_text(name) + " was never granted"});
    lock_info result{name, x->token, std::nullopt};
    if (x->held())
      result.expires = asked + x->left;
    done(std::move(result));
  });
}

void lock_keeper::stop_waiting() {
  if (auto keeper = handle())
    caf::anon_send(keeper, atom::drain::value);
}

} // namespace troupe
