#include "nodes/store/postgres_asker.hpp"

namespace troupe {

namespace {

constexpr size_t questions_per_turn = 64;

} // namespace

error postgres_unavailable(const std::string& why) {
  return error{errc::store_unavailable, "the store does not answer: " + why}
    .retry_after(1);
}

postgres_asker::postgres_asker(postgres_server& server, postgres_role role,
                               size_t limit)
  : session_(server, std::move(role)), queue_(limit) {
  session_.open();
  thread_ = std::thread{[this] { work(); }};
}

postgres_asker::~postgres_asker() {
  queue_.close();
  thread_.join();
}

void postgres_asker::put(question x, bool first) {
  auto is_taken = first ? queue_.push_first(x) : queue_.push(x);
  if (!is_taken)
    x.done(postgres_unavailable("too much waits for it"));
}

void postgres_asker::work() {
  auto interval = session_.server().options().check_interval;
  std::vector<question> turn;
  while (queue_.pop_within(turn, questions_per_turn, interval)) {
    if (turn.empty())
      session_.is_ready();
    else
      ask_all(std::move(turn), true);
  }
}

void postgres_asker::ask_all(std::vector<question> questions, bool may_repeat) {
  // Who is about to go has no time to connect.
  if (queue_.is_closed() ? !session_.is_open() : !session_.is_ready()) {
    for (auto& x : questions)
      x.done(postgres_unavailable(session_.trouble()));
    return;
  }
  std::vector<postgres_transaction> transactions;
  for (auto& x : questions)
    transactions.push_back(x.what);
  auto outcomes = session_.run(transactions);
  std::vector<question> again;
  for (size_t i = 0; i < questions.size(); ++i) {
    auto& x = outcomes[i];
    auto is_lost = x.what == postgres_outcome::fate::unknown;
    if (x.what == postgres_outcome::fate::done)
      questions[i].done(std::move(x.rows));
    else if (is_lost && questions[i].is_repeatable && may_repeat)
      again.push_back(std::move(questions[i]));
    else
      questions[i].done(postgres_unavailable(x.message));
  }
  if (!again.empty())
    ask_all(std::move(again), false);
}

} // namespace troupe
