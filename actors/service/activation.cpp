#include "actors/service/activation.hpp"

#include <random>

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/submit.hpp"
#include "actors/service/if_match.hpp"

namespace troupe {

namespace {

fencing_token fresh_token() {
  std::random_device random;
  auto word = [&] { return uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

} // namespace

activation::activation(caf::actor_config& cfg, service_target_ptr target,
                       std::string key, activation_record_ptr record)
  : caf::event_based_actor(cfg), target_(std::move(target)),
    key_(std::move(key)), record_(std::move(record)),
    state_(target_->definition()), routes_(target_->environment().routes) {}

activation::~activation() = default;

caf::behavior activation::make_behavior() {
  return {
    [this](entity_message& msg) {
      queue_.push_back(std::move(msg.call));
      pump();
    },
    [this](load_answer& msg) { loaded(msg); },
    [this](commit_answer& msg) { committed(msg.outcome); },
    [this](atom::resume, uint64_t wait) { go_on(wait); },
    [this](atom::tick) { begin_load(phase::settling); },
    [this](atom::wake) { sweep(); },
  };
}

void activation::on_exit() {
  record_->gone.store(true);
  record_->method.store(nullptr);
  if (method_)
    target_->left_method((now() - began_).count(), true);
  // Frames first: they refer to the call.
  task_ = {};
  view_.reset();
  // Their tickets answer.
  current_ = nullptr;
  queue_.clear();
  target_->activations.fetch_sub(1);
}

// -- the queue ---------------------------------------------------------------

void activation::pump() {
  while (!queue_.empty()
         && (phase_ == phase::idle || phase_ == phase::vacant)) {
    if (phase_ == phase::vacant) {
      begin_load(phase::loading);
      return;
    }
    auto next = std::move(queue_.front());
    queue_.pop_front();
    begin(std::move(next));
  }
}

void activation::sweep() {
  std::erase_if(queue_, [this](ticket_ptr& x) {
    if (x->call().wanted())
      return false;
    x->finish(context());
    return true;
  });
}

void activation::refuse_queue(const error& reason) {
  auto refused = std::exchange(queue_, {});
  for (auto& x : refused)
    x->finish(reason, context());
}

// -- loading -----------------------------------------------------------------

void activation::begin_load(phase why) {
  phase_ = why;
  token_ = fresh_token();
  target_->store().claim(
    {target_->definition().name, key_}, token_,
    [self = self()](expected<claimed_state> found) {
      self->enqueue(nullptr, caf::make_message_id(),
                    caf::make_message(load_answer{std::move(found)}), nullptr);
    });
}

void activation::loaded(load_answer& answer) {
  if (phase_ == phase::settling) {
    settle(answer);
    pump();
    return;
  }
  phase_ = phase::vacant;
  if (!answer.found) {
    refuse_queue(answer.found.error());
    return;
  }
  try {
    state_.load(answer.found->found);
    phase_ = phase::idle;
  } catch (...) {
    auto why = error::from_exception(std::current_exception()).message();
    refuse_queue({errc::internal_error, effect::none,
                  "the stored state of " + target_->definition().name + "/"
                    + key_ + " does not fit its class: " + why});
  }
  pump();
}

// -- one call ----------------------------------------------------------------

void activation::begin(ticket_ptr next) {
  current_ = std::move(next);
  if (!current_->start()) {
    std::exchange(current_, nullptr)->finish(context());
    return;
  }
  if (now() >= current_->call().deadline) {
    target_->count_late();
    answer({errc::deadline_exceeded, "the deadline passed in the queue"});
    return;
  }
  if (auto reason = refuse(*current_->call().entity)) {
    answer(std::move(*reason));
    return;
  }
  run();
}

std::optional<error> activation::refuse(const entity_call& call) {
  auto& service = target_->definition();
  method_ = service.find(call.method);
  if (!method_)
    return error{errc::not_found, "the service '" + service.name
                                    + "' has no method '" + call.method + "'"};
  if (call.if_match.empty())
    return std::nullopt;
  auto condition = check_if_match(call.if_match, state_.revision());
  if (condition == if_match::holds)
    return std::nullopt;
  method_ = nullptr;
  if (condition == if_match::malformed)
    return error{errc::bad_request,
                 "If-Match is a list of quoted revisions, or *"};
  return error{errc::revision_mismatch,
               "the revision is " + std::to_string(state_.revision())};
}

void activation::run() {
  phase_ = phase::running;
  began_ = now();
  target_->entered_method();
  record_->running_since.store(began_.time_since_epoch().count());
  record_->method.store(method_);
  auto& call = current_->call();
  view_.emplace(*this, call);
  view_->first_wait(last_wait_);
  try {
    task_ = method_->code->run(state_.object(), *view_, call);
    if (task_)
      task_.start();
  } catch (...) {
    call.fail(error::from_exception(std::current_exception()));
  }
  end_if_done();
}

void activation::go_on(uint64_t wait) {
  if (!view_ || !view_->resume(wait))
    return;
  end_if_done();
  pump();
}

void activation::end_if_done() {
  if (!task_.done())
    return;
  auto& call = current_->call();
  if (task_) {
    try {
      task_.take();
    } catch (...) {
      call.fail(error::from_exception(std::current_exception()));
    }
    task_ = {};
  }
  last_wait_ = view_->last_wait();
  view_.reset();
  path_ = nullptr;
  if (method_->is_const) {
    answer();
  } else if (call.has_failed()) {
    restore();
    answer();
  } else {
    commit_if_changed();
  }
}

void activation::commit_if_changed() {
  try {
    auto next = state_.changed();
    if (!next) {
      answer();
      return;
    }
    pending_ = std::move(*next);
  } catch (...) {
    roll_back(error::from_exception(std::current_exception()));
    return;
  }
  phase_ = phase::committing;
  auto base = state_.revision();
  target_->store().commit(
    {{target_->definition().name, key_}, token_, base, {base + 1, pending_}, {}, {}},
    [self = self()](commit_outcome outcome) {
      self->enqueue(nullptr, caf::make_message_id(),
                    caf::make_message(commit_answer{outcome}), nullptr);
    });
}

void activation::committed(commit_outcome outcome) {
  switch (outcome) {
  case commit_outcome::done:
    committed_for_sure();
    break;
  case commit_outcome::refused:
    give_up({errc::not_owner, "somebody else has changed the entity"});
    break;
  case commit_outcome::failed:
    roll_back(
      error{errc::store_unavailable, "the state was not committed"}.retry_after(
        1));
    break;
  case commit_outcome::unknown:
    begin_load(phase::settling);
    break;
  }
  pump();
}

void activation::committed_for_sure() {
  state_.committed(std::move(pending_));
  answer();
}

// -- a commit whose outcome is unknown
// -----------------------------------------

void activation::settle(load_answer& answer) {
  if (!answer.found) {
    settle_later(answer.found.error());
    return;
  }
  auto& there = answer.found->found;
  auto revision = there.revision;
  auto ours = state_.revision() + 1;
  if (revision == ours && there.state == pending_)
    committed_for_sure();
  else if (revision < ours)
    roll_back(
      error{errc::store_unavailable, "the state was not committed"}.retry_after(
        1));
  else if (revision == ours)
    give_up({errc::not_owner, "somebody else has changed the entity"});
  else
    give_up({errc::outcome_unknown,
             "somebody else has changed the entity since the commit"});
}

void activation::settle_later(const error& reason) {
  auto delay = defaults::service::settle_delay;
  if (now() + delay < current_->call().deadline) {
    delayed_send(this, delay, atom::tick::value);
    return;
  }
  give_up({errc::outcome_unknown,
           "whether the state was committed could not be found out: "
             + reason.message()});
}

// -- its end -----------------------------------------------------------------

void activation::restore() {
  try {
    state_.restore();
  } catch (...) {
    state_.unload(); // the class cannot read what it wrote: the store decides
  }
}

void activation::roll_back(error reason) {
  restore();
  answer(std::move(reason));
}

void activation::give_up(error reason) {
  state_.unload();
  answer(std::move(reason));
}

void activation::answer() {
  auto& call = current_->call();
  auto failed = call.has_failed();
  if (!failed)
    call.revision = state_.revision();
  if (std::exchange(method_, nullptr)) {
    target_->left_method((now() - began_).count(), failed);
    record_->method.store(nullptr);
  }
  has_called_ = false;
  pending_.clear();
  phase_ = state_.loaded() ? phase::idle : phase::vacant;
  std::exchange(current_, nullptr)->finish(context());
}

void activation::answer(error reason) {
  // What those have done stays done: a repeat is not safe.
  if (has_called_ && reason.what_happened() == effect::none)
    reason.with_effect(effect::ran);
  current_->call().fail(std::move(reason));
  answer();
}

// -- call_host ---------------------------------------------------------------

time_point activation::now() const noexcept {
  return home_system().clock().now();
}

void activation::submit(invocation_ptr call, std::string_view name) {
  has_called_ = true;
  call->path = path();
  submit_nested(target_->environment(), *routes_, std::move(call), name,
                home_system(), context());
}

std::shared_ptr<const call_path> activation::path() {
  if (!path_) {
    auto outer = current_->call().path;
    auto depth = outer ? outer->depth + 1 : 1;
    path_ = std::make_shared<call_path>(
      call_path{target_->definition().name, key_, std::move(outer), depth});
  }
  return path_;
}

void activation::resume_after(std::chrono::nanoseconds delay, uint64_t wait) {
  delayed_send(this, delay, atom::resume::value, wait);
}

void activation::resume(uint64_t wait, caf::execution_unit* host) noexcept {
  ctrl()->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(atom::resume::value, wait), host);
}

const service_definition* activation::service_of(const std::type_info& type) {
  auto& table = *routes_;
  auto i = table.classes.find(std::type_index{type});
  return i != table.classes.end() ? i->second.get() : nullptr;
}

} // namespace troupe
