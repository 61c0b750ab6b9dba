#include "nodes/store/postgres_work_writer.hpp"

#include "nodes/store/postgres_asker.hpp"
#include "nodes/store/postgres_sending.hpp"
#include "nodes/store/postgres_work_moves.hpp"
#include "nodes/store/postgres_work_rows.hpp"

namespace troupe {

namespace {

using fate = postgres_outcome::fate;
using accepting = postgres_work_writer::accepting;
using accepting_all = postgres_work_writer::accepting_all;
using reporting = postgres_work_writer::reporting;
using moving = postgres_work_writer::moving;

/// Each row of what is under way is removed a moment after it was written. The
/// server's own vacuum comes every minute: by then the table is a hundred times
/// what is in it, and whoever asks for the claims goes through all of it.
constexpr postgres_statement vacuum_claimed{
  "work_vacuum", "VACUUM (SKIP_LOCKED true, TRUNCATE false) work_claimed"};

constexpr size_t removed_per_vacuum = 20'000;

/// Times what one took.
constexpr int pause_per_vacuum = 20;

postgres_role work_role(const postgres_options& options) {
  postgres_role result{"work",
                       options.statement_time,
                       options.lock_time,
                       options.connect_time,
                       options.backoff,
                       {&postgres_work_accepts::plain,
                        &postgres_work_accepts::full,
                        &postgres_work_reports::plain,
                        &postgres_work_reports::full, &vacuum_claimed}};
  for (auto x : postgres_work_moves::statements())
    result.statements.push_back(x);
  for (auto x : sending_statements())
    result.statements.push_back(x);
  result.awaits_end = true;
  return result;
}

/// What a row of many is taken for beside its arguments: about a thousand are in
/// a transaction then, which is a part of a second.
constexpr size_t bytes_of_row = 4096;

size_t bytes_of(const postgres_work_writer::job& x) {
  if (auto accept = std::get_if<accepting>(&x))
    return bytes_of(*accept->request);
  if (auto all = std::get_if<accepting_all>(&x)) {
    size_t result = 0;
    for (auto& next : all->requests)
      result += bytes_of(next) + bytes_of_row;
    return result;
  }
  auto report = std::get_if<reporting>(&x);
  if (!report)
    return 0;
  auto result = report->report->answer.bytes.size();
  for (auto& next : report->report->follow)
    result += bytes_of(next);
  return result;
}

bool is_alone(const postgres_work_writer::job& x) {
  auto move = std::get_if<moving>(&x);
  return move && move->is_alone;
}

} // namespace

postgres_work_writer::postgres_work_writer(postgres_server& server)
  : session_(server, work_role(server.options())),
    bytes_max_(server.options().bytes_per_commit),
    queue_(server.options().queue) {
  session_.open();
  thread_ = std::thread{[this] { work(); }};
}

postgres_work_writer::~postgres_work_writer() {
  queue_.close();
  thread_.join();
}

void postgres_work_writer::work() {
  auto& options = session_.server().options();
  std::vector<job> batch;
  while (queue_.pop_within(batch, options.requests_per_commit,
                           options.check_interval)) {
    if (batch.empty())
      session_.is_ready();
    else
      write(batch);
    batch.clear(); // also what was called back
    if (removed_ >= removed_per_vacuum)
      vacuum();
  }
}

/// If it fails, the server's own comes. While somebody reads what was removed (a
/// backup does), it takes longer each time and frees nothing: it gets no more
/// than a small part of the time.
void postgres_work_writer::vacuum() {
  auto begin = std::chrono::steady_clock::now();
  if (begin < next_vacuum_ || !session_.is_open())
    return;
  session_.run({{{{&vacuum_claimed, {}}}}});
  auto end = std::chrono::steady_clock::now();
  removed_ = 0;
  next_vacuum_ = end + (end - begin) * pause_per_vacuum;
}

// -- a batch -----------------------------------------------------------------

/// One group after the other: if one failed, and its requests were tried again
/// while the next one is done already, they would not be in their order.
void postgres_work_writer::write(std::vector<job>& batch) {
  group current;
  for (auto& x : batch) {
    if (!current.jobs.empty() && !has_room(current, x)) {
      write_group(current);
      current = {};
    }
    add(current, x);
  }
  write_group(current);
}

bool postgres_work_writer::has_room(const group& to, const job& x) const {
  if (to.is_full || is_alone(x) || to.bytes + bytes_of(x) > bytes_max_)
    return false;
  auto report = std::get_if<reporting>(&x);
  return !report || to.steps.has_room_for(*report->report);
}

void postgres_work_writer::add(group& to, job& x) {
  to.jobs.push_back(&x);
  to.bytes += bytes_of(x);
  to.is_full = is_alone(x);
  auto& places = to.places.emplace_back();
  if (auto accept = std::get_if<accepting>(&x))
    places.push_back(to.steps.add(*accept->request));
  else if (auto all = std::get_if<accepting_all>(&x))
    for (auto& next : all->requests)
      places.push_back(to.steps.add(next));
  else if (auto report = std::get_if<reporting>(&x))
    places.push_back(to.steps.add(*report->report, report->now));
  else
    places.push_back(to.steps.add(std::get<moving>(x).calls));
}

void postgres_work_writer::write_group(group& x) {
  // Who is about to go has no time to connect.
  if (queue_.is_closed() ? !session_.is_open() : !session_.is_ready()) {
    for (auto y : x.jobs)
      refuse(*y, session_.trouble());
    return;
  }
  auto outcome =
    std::move(send(session_, {x.steps.transaction()}, true).front());
  if (outcome.what == fate::undone && x.jobs.size() > 1
      && !is_of_the_server(outcome.sqlstate))
    write_one_by_one(x.jobs);
  else
    answer(x, outcome);
}

void postgres_work_writer::write_one_by_one(const std::vector<job*>& failed) {
  if (!session_.is_open()) {
    for (auto x : failed)
      refuse(*x, session_.trouble());
    return;
  }
  std::vector<group> groups(failed.size());
  std::vector<postgres_transaction> transactions;
  for (size_t i = 0; i < failed.size(); ++i) {
    add(groups[i], *failed[i]);
    transactions.push_back(groups[i].steps.transaction());
  }
  auto outcomes = send(session_, std::move(transactions), false);
  for (size_t i = 0; i < failed.size(); ++i)
    answer(groups[i], outcomes[i]);
}

// -- what is answered --------------------------------------------------------

void postgres_work_writer::answer(group& x, postgres_outcome& outcome) {
  if (outcome.what != fate::done) {
    for (auto y : x.jobs)
      answer_failed(*y, outcome);
    return drop_if_read_only(session_, outcome);
  }
  postgres_work_steps::answers found{x.steps, std::move(outcome.rows)};
  for (size_t i = 0; i < x.jobs.size(); ++i) {
    auto& places = x.places[i];
    if (auto accept = std::get_if<accepting>(x.jobs[i]))
      accept->done(found.accepted(places.front()));
    else if (auto all = std::get_if<accepting_all>(x.jobs[i]))
      answer(*all, found, places);
    else if (auto report = std::get_if<reporting>(x.jobs[i])) {
      ++removed_;
      report->done(found.reported(places.front()));
    } else
      std::get<moving>(*x.jobs[i]).done(found.rows(places.front()));
  }
}

void postgres_work_writer::answer(
  accepting_all& x, const postgres_work_steps::answers& found,
  const std::vector<postgres_work_steps::place>& places) {
  std::vector<work_accepted> result;
  for (size_t i = 0; i < places.size(); ++i)
    result.push_back(found.accepted(places[i]).value_or(
      work_accepted{x.requests[i].item.id, false}));
  x.done(std::move(result));
}

void postgres_work_writer::answer_failed(job& x,
                                         const postgres_outcome& outcome) {
  if (outcome.what != fate::unknown)
    return refuse(x, outcome.message);
  auto lost = [&] {
    return postgres_unavailable(outcome.message).with_effect(effect::unknown);
  };
  if (auto accept = std::get_if<accepting>(&x))
    accept->done(lost());
  else if (auto all = std::get_if<accepting_all>(&x))
    all->done(lost());
  else if (auto report = std::get_if<reporting>(&x))
    report->done(work_outcome::unknown);
  else
    std::get<moving>(x).done(lost());
}

void postgres_work_writer::refuse(job& x, const std::string& why) {
  if (auto accept = std::get_if<accepting>(&x))
    accept->done(postgres_unavailable(why));
  else if (auto all = std::get_if<accepting_all>(&x))
    all->done(postgres_unavailable(why));
  else if (auto report = std::get_if<reporting>(&x))
    report->done(work_outcome::failed);
  else
    std::get<moving>(x).done(postgres_unavailable(why));
}

} // namespace troupe
