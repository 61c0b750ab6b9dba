#include "nodes/store/postgres_sending.hpp"

namespace troupe {

namespace {

using fate = postgres_outcome::fate;

/// When requests are tried one by one, those before them have waited already.
constexpr postgres_statement set_lock_time{
  "set_lock_time", "SELECT set_config('lock_timeout', $1::text, false)"};

constexpr std::chrono::milliseconds impatient_lock_time{20};

/// Settings may change while a session lasts.
constexpr postgres_statement check_standbys{
  "check_standbys",
  "SELECT current_setting('synchronous_standby_names') <> '' AND "
  "current_setting('synchronous_commit') IN ('on', 'remote_apply')"};

constexpr const char* read_only = "25006";

postgres_transaction lock_time(std::chrono::milliseconds x) {
  return {{{&set_lock_time, {as_bytes(std::to_string(x.count()))}}}};
}

/// What `check_standbys` answered.
bool is_confirmed(const postgres_outcome& x) {
  return x.what == fate::done && x.rows.front().flag(0, 0);
}

/// What was done may be on one disk only. Who connects later waits until it is
/// on two.
void doubt(postgres_session& session, std::vector<postgres_outcome>& outcomes) {
  constexpr auto why = "the server does not wait for a standby any more";
  for (auto& x : outcomes)
    if (x.what == fate::done)
      x = {fate::unknown, {}, "", why};
  if (session.is_open())
    session.drop(why);
}

} // namespace

std::vector<const postgres_statement*> sending_statements() {
  return {&set_lock_time, &check_standbys};
}

std::vector<postgres_outcome> send(postgres_session& session,
                                   std::vector<postgres_transaction> xs,
                                   bool is_patient) {
  auto& options = session.server().options();
  auto is_checked = options.replication == replication_mode::sync;
  auto count = xs.size();
  if (!is_patient) {
    xs.insert(xs.begin(), lock_time(impatient_lock_time));
    xs.push_back(lock_time(options.lock_time));
  }
  if (is_checked)
    xs.push_back({{{&check_standbys, {}}}});
  auto outcomes = session.run(xs);
  auto is_safe = !is_checked || is_confirmed(outcomes.back());
  if (!is_patient)
    outcomes.erase(outcomes.begin());
  outcomes.resize(count);
  if (!is_safe)
    doubt(session, outcomes);
  return outcomes;
}

bool is_of_the_server(const std::string& sqlstate) {
  for (auto beginning : {"08", "25006", "53", "57P", "58", "XX"})
    if (sqlstate.starts_with(beginning))
      return true;
  return sqlstate.empty();
}

void drop_if_read_only(postgres_session& session,
                       const postgres_outcome& outcome) {
  if (outcome.sqlstate == read_only && session.is_open())
    session.drop(outcome.message);
}

} // namespace troupe
