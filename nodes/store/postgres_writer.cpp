#include "nodes/store/postgres_writer.hpp"

#include <map>

#include "nodes/store/claim_error.hpp"
#include "nodes/store/postgres_asker.hpp"
#include "nodes/store/postgres_commit_work.hpp"
#include "nodes/store/postgres_sending.hpp"
#include "nodes/store/postgres_work_rows.hpp"

namespace troupe {

namespace {

using fate = postgres_outcome::fate;
using claiming = postgres_writer::claiming;
using committing = postgres_writer::committing;
using releasing = postgres_writer::releasing;

/// What removes old outcomes is one transaction among others.
constexpr postgres_statement remove_outcomes{"remove_outcomes", R"(
DELETE FROM outcome WHERE number IN (
  SELECT number FROM outcome WHERE recorded_at < now() - interval '24 hours'
  ORDER BY recorded_at LIMIT 256 FOR UPDATE SKIP LOCKED))"};

constexpr int64_t removed_per_step = 256;

static_assert(state_store::outcome_retention == std::chrono::hours{24});

constexpr std::chrono::minutes removal_interval{1};

postgres_role writer_role(const postgres_options& options) {
  postgres_role result{"writer",
                       options.statement_time,
                       options.lock_time,
                       options.connect_time,
                       options.backoff,
                       {&postgres_claims::statement, &postgres_commits::plain,
                        &postgres_commits::full, &postgres_releases::statement,
                        &remove_outcomes},
                       true};
  for (auto x : postgres_commit_work::statements())
    result.statements.push_back(x);
  for (auto x : sending_statements())
    result.statements.push_back(x);
  return result;
}

const entity_id& entity_of(const postgres_writer::job& x) {
  struct {
    const entity_id& operator()(const claiming& y) { return y.entity; }
    const entity_id& operator()(const committing& y) {
      return y.request.entity;
    }
    const entity_id& operator()(const releasing& y) { return y.entity; }
  } visitor;
  return std::visit(visitor, x);
}

/// What a row of work is taken for beside its arguments: about a thousand are in a
/// transaction then, which is a part of a second.
constexpr size_t bytes_of_work = 4096;

size_t bytes_of(const postgres_writer::job& x) {
  auto commit = std::get_if<committing>(&x);
  if (!commit)
    return 0;
  auto result = commit->request.next.state.size();
  for (auto& y : commit->request.outcomes)
    result += y.body.size();
  for (auto& y : commit->request.work)
    result += bytes_of(y) + bytes_of_work;
  result += commit->request.withdrawn.size() * bytes_of_work;
  return result;
}

std::vector<postgres_claims::request>
claims_of(const std::vector<postgres_writer::job*>& xs) {
  std::vector<postgres_claims::request> result;
  for (auto x : xs) {
    auto& claim = std::get<claiming>(*x);
    result.push_back({&claim.entity, claim.token, &claim.owned});
  }
  return result;
}

std::vector<postgres_commits::request>
commits_of(const std::vector<postgres_writer::job*>& xs) {
  std::vector<postgres_commits::request> result;
  for (auto x : xs)
    result.push_back(&std::get<committing>(*x).request);
  return result;
}

postgres_transaction
commit_all(const std::vector<postgres_commits::request>& xs) {
  postgres_transaction result{{postgres_commits::call(xs)}};
  for (auto& x : postgres_commit_work::calls(xs))
    result.calls.push_back(std::move(x));
  return result;
}

postgres_transaction
transaction_of(const std::vector<postgres_writer::job*>& xs) {
  if (std::holds_alternative<claiming>(*xs.front()))
    return {{postgres_claims::call(claims_of(xs))}};
  if (std::holds_alternative<committing>(*xs.front()))
    return commit_all(commits_of(xs));
  std::vector<postgres_releases::request> releases;
  for (auto x : xs) {
    auto& release = std::get<releasing>(*x);
    releases.push_back({&release.entity, release.token});
  }
  return {{postgres_releases::call(releases)}};
}

constexpr const char* unique_violation = "23505";

} // namespace

postgres_writer::postgres_writer(postgres_server& server)
  : session_(server, writer_role(server.options())),
    queue_(server.options().queue) {
  session_.open();
  thread_ = std::thread{[this] { work(); }};
}

postgres_writer::~postgres_writer() {
  queue_.close();
  thread_.join();
}

void postgres_writer::work() {
  auto& options = session_.server().options();
  std::vector<job> batch;
  while (queue_.pop_within(batch, options.requests_per_commit,
                           options.check_interval)) {
    if (batch.empty())
      session_.is_ready();
    else
      write(batch);
    batch.clear(); // also what was called back
    remove_old_outcomes();
  }
}

// -- a batch -----------------------------------------------------------------

void postgres_writer::write(std::vector<job>& batch) {
  std::map<entity_id, size_t> depth;
  std::vector<part> waves;
  for (auto& x : batch) {
    auto wave = depth[entity_of(x)]++;
    if (wave == waves.size())
      waves.emplace_back();
    waves[wave].push_back(&x);
  }
  for (auto& x : waves)
    write_wave(std::move(x));
}

void postgres_writer::write_wave(part wave) {
  // Who is about to go has no time to connect.
  if (queue_.is_closed() ? session_.is_open() : session_.is_ready())
    return write_parts(split(wave));
  for (auto x : wave)
    refuse(*x, session_.trouble());
}

/// By kind, and so that no part has too many bytes.
std::vector<postgres_writer::part> postgres_writer::split(const part& wave) {
  std::vector<part> parts;
  size_t current[std::variant_size_v<job>] = {};
  size_t bytes[std::variant_size_v<job>] = {};
  auto bytes_max = session_.server().options().bytes_per_commit;
  for (auto x : wave) {
    auto kind = x->index();
    auto size = bytes_of(*x);
    if (current[kind] == 0 || bytes[kind] + size > bytes_max) {
      parts.emplace_back();
      current[kind] = parts.size(); // one more, so that 0 is none
      bytes[kind] = 0;
    }
    parts[current[kind] - 1].push_back(x);
    bytes[kind] += size;
  }
  return parts;
}

void postgres_writer::write_parts(const std::vector<part>& parts) {
  auto outcomes = send(parts, true);
  part again;
  for (size_t i = 0; i < parts.size(); ++i) {
    auto& x = outcomes[i];
    if (x.what == fate::undone && parts[i].size() > 1
        && !is_of_the_server(x.sqlstate))
      again.insert(again.end(), parts[i].begin(), parts[i].end());
    else
      answer(parts[i], x);
  }
  if (!again.empty())
    write_one_by_one(again);
}

void postgres_writer::write_one_by_one(const part& failed) {
  if (!session_.is_open()) {
    for (auto x : failed)
      refuse(*x, session_.trouble());
    return;
  }
  std::vector<part> parts;
  for (auto x : failed)
    parts.push_back({x});
  auto outcomes = send(parts, false);
  for (size_t i = 0; i < parts.size(); ++i)
    answer(parts[i], outcomes[i]);
}

// -- what is sent ------------------------------------------------------------

std::vector<postgres_outcome>
postgres_writer::send(const std::vector<part>& parts, bool is_patient) {
  std::vector<postgres_transaction> transactions;
  for (auto& x : parts)
    transactions.push_back(transaction_of(x));
  return troupe::send(session_, std::move(transactions), is_patient);
}

// -- what is answered --------------------------------------------------------

void postgres_writer::answer(const part& xs, postgres_outcome& outcome) {
  if (outcome.what == fate::done)
    return answer_done(xs, outcome.rows.front());
  for (auto x : xs)
    answer_failed(*x, outcome);
  drop_if_read_only(session_, outcome);
}

void postgres_writer::answer_done(const part& xs, const postgres_rows& rows) {
  if (std::holds_alternative<claiming>(*xs.front())) {
    auto found = postgres_claims::read(claims_of(xs), rows);
    for (size_t i = 0; i < xs.size(); ++i) {
      auto& claim = std::get<claiming>(*xs[i]);
      if (found[i])
        claim.done(std::move(*found[i]));
      else
        claim.done(not_the_owner(*claim.owned));
    }
  } else if (std::holds_alternative<committing>(*xs.front())) {
    auto outcomes = postgres_commits::read(commits_of(xs), rows);
    for (size_t i = 0; i < xs.size(); ++i)
      std::get<committing>(*xs[i]).done(outcomes[i]);
  }
}

void postgres_writer::answer_failed(job& x, const postgres_outcome& outcome) {
  auto commit = std::get_if<committing>(&x);
  if (!commit)
    return refuse(x, outcome.message);
  if (outcome.what == fate::unknown)
    commit->done(commit_outcome::unknown);
  else if (outcome.sqlstate == unique_violation) // an outcome's id
    commit->done(commit_outcome::refused);
  else
    commit->done(commit_outcome::failed);
}

void postgres_writer::refuse(job& x, const std::string& why) {
  if (auto claim = std::get_if<claiming>(&x))
    claim->done(postgres_unavailable(why));
  else if (auto commit = std::get_if<committing>(&x))
    commit->done(commit_outcome::failed);
}

// -- what is old -------------------------------------------------------------

void postgres_writer::remove_old_outcomes() {
  auto now = std::chrono::steady_clock::now();
  if (now < next_removal_ || !session_.is_open())
    return;
  auto removed = session_.run({{{{&remove_outcomes, {}}}}});
  auto is_more = removed[0].what == fate::done
                 && removed[0].rows[0].changed() == removed_per_step;
  next_removal_ = is_more ? now : now + removal_interval;
}

} // namespace troupe
