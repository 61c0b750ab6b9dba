#include "nodes/subscription_follower.hpp"

#include <utility>
#include <vector>

#include "actors/messages/subscription_book.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe {

namespace {

/// How long an answer of the store is waited for; it has a limit of its own.
constexpr std::chrono::seconds answer_limit{60};

} // namespace

/// Outlives the follower for an answer that comes late.
struct subscription_follower::shared {
  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  bool stops = false;
  uint64_t asked = 0; // numbers the looks
  std::optional<expected<stored_state>> answer{};
};

subscription_follower::subscription_follower(state_store& store,
                                             subscriptions& to,
                                             follower_options options)
  : store_(store), to_(to), options_(std::move(options)),
    shared_(std::make_shared<shared>()) {}

subscription_follower::~subscription_follower() {
  stop();
}

void subscription_follower::start() {
  thread_ = std::thread{[this] { run(); }};
}

void subscription_follower::stop() {
  {
    std::lock_guard guard{shared_->mutex};
    shared_->stops = true;
    shared_->changed.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

void subscription_follower::run() {
  for (;;) {
    if (auto found = look(); found && found->state != last_)
      follow(last_ = found->state);
    std::unique_lock guard{shared_->mutex};
    if (shared_->changed.wait_for(guard, options_.interval,
                                  [this] { return shared_->stops; }))
      return;
  }
}

std::optional<stored_state> subscription_follower::look() {
  uint64_t number = 0;
  {
    std::lock_guard guard{shared_->mutex};
    shared_->answer.reset();
    number = ++shared_->asked;
  }
  store_.load(
    {std::string{subscriptions_service}, std::string{subscriptions_key}},
    [to = shared_, number](expected<stored_state> found) {
      std::lock_guard guard{to->mutex};
      if (to->asked != number)
        return;
      to->answer = std::move(found);
      to->changed.notify_all();
    });
  std::unique_lock guard{shared_->mutex};
  shared_->changed.wait_for(
    guard, answer_limit, [this] { return shared_->stops || shared_->answer; });
  if (shared_->stops || !shared_->answer || !*shared_->answer)
    return std::nullopt;
  return std::move(**shared_->answer);
}

subscription
subscription_follower::read(const std::string& name,
                            const subscription_fields& fields) const {
  auto result = parse_subscription(name, fields);
  result.cluster = options_.cluster;
  result.broker = options_.secrets.resolve(std::move(result.broker));
  return result;
}

void subscription_follower::follow(const std::string& state) {
  std::vector<subscription> declared;
  std::vector<passed_over_subscription> passed;
  auto fault = [this](const std::string& name, const std::string& why) {
    if (options_.on_fault)
      options_.on_fault(name, why);
  };
  try {
    subscription_book book;
    if (!state.empty())
      parse_json(state).get_to(book);
    for (auto& [name, fields] : book.all())
      try {
        if (to_.is_option(name))
          fault(name, "an option has that name");
        else
          declared.push_back(read(name, fields));
      } catch (const std::invalid_argument& e) {
        fault(name, e.what());
        passed.push_back({name, fields, e.what()});
      }
  } catch (const std::exception& e) {
    return fault("*", e.what()); // of a later version: what there is goes on
  }
  to_.pass_over(std::move(passed));
  to_.follow(declared, options_.patience);
}

} // namespace troupe
