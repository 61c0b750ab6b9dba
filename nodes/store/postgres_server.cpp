#include "nodes/store/postgres_server.hpp"

#include <charconv>

#include "actors/core/errors.hpp"
#include "nodes/store/postgres_schema.hpp"
#include "nodes/store/postgres_url.hpp"

namespace troupe {

namespace {

/// Sessions notice a client that is gone since then, while they work.
constexpr int version_min = 140'000;

/// The timeline is that of the log's file: pg_control learns of a new one only
/// from the next checkpoint.
constexpr const char* ask_server = R"(
SELECT current_setting('server_version_num'), pg_is_in_recovery(),
  (SELECT system_identifier FROM pg_control_system()),
  CASE WHEN NOT pg_is_in_recovery()
       THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
  current_setting('synchronous_standby_names'),
  current_setting('synchronous_commit'), current_setting('fsync'),
  current_setting('transaction_read_only'), pg_backend_pid(),
  (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()))";

struct server_facts {
  explicit server_facts(const std::vector<std::string>& row)
    : version(std::stoi(row.at(0))), is_standby(row.at(1) == "t"),
      system(row.at(2)), standbys(row.at(4)), commit(row.at(5)),
      fsync(row.at(6)),
      is_read_only(row.at(7) == "on"), backend{row.at(8), row.at(9)} {
    auto& name = row.at(3);
    std::from_chars(name.data(), name.data() + name.size(), timeline, 16);
  }

  int version;
  bool is_standby;
  std::string system;
  uint32_t timeline = 0;
  std::string standbys;
  std::string commit;
  std::string fsync;
  bool is_read_only;
  postgres_backend backend;
};

[[noreturn]] void refuse(const std::string& why) {
  throw error_exception{
    error{errc::store_unavailable, "the PostgreSQL server " + why}};
}

/// Whoever gets this signal does nothing any more that it has not begun; what it
/// has begun keeps its rows locked until it is through. One that waits for its
/// standby is left: it would be done at once, on one disk, if it were ended.
void end_session(postgres_connection& db, const postgres_backend& x) {
  if (!x.pid.empty())
    db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE pid = $1::integer AND backend_start = $2::timestamptz "
               "AND wait_event IS DISTINCT FROM 'SyncRep'",
               {x.pid, x.started});
}

constexpr const char* end_time_ms = "1000";

void await_end(postgres_connection& db, const postgres_backend& x) {
  if (x.pid.empty())
    return;
  db.execute("SELECT pg_terminate_backend(pid, $3::bigint) "
             "FROM pg_stat_activity WHERE pid = $1::integer "
             "AND backend_start = $2::timestamptz "
             "AND wait_event IS DISTINCT FROM 'SyncRep'",
             {x.pid, x.started, end_time_ms});
  if (!db.execute("SELECT FROM pg_stat_activity WHERE pid = $1::integer "
                  "AND backend_start = $2::timestamptz",
                  {x.pid, x.started})
         .empty())
    throw postgres_error{"", "the session before has not ended yet"};
}

/// The lock ends with the session. One's own session of before may have it for a
/// moment still. The number is "troupe" in ASCII.
void take_store(postgres_connection& db, bool is_shared) {
  constexpr auto lock_not_available = "55P03";
  try {
    db.execute(is_shared ? "SELECT pg_advisory_lock_shared(128034845061221)"
                         : "SELECT pg_advisory_lock(128034845061221)");
  } catch (const postgres_error& e) {
    if (e.sqlstate() != lock_not_available)
      throw;
    refuse(is_shared ? "has a database that another node has for itself alone"
                     : "has a database that other nodes use, and this one is "
                       "to have it alone (without --cluster.listen)");
  }
}

std::string setting(const char* name, const std::string& value) {
  return std::string{"SELECT set_config('"} + name + "', '" + value
         + "', false);";
}

std::string setting(const char* name, std::chrono::milliseconds value) {
  return setting(name, std::to_string(value.count()));
}

/// The planner never has enough to go by: its statistics are of before, and
/// arrays have any length. There is one good plan for each statement, by index.
std::string settings(const postgres_role& role,
                     const postgres_options& options) {
  return setting("search_path", postgres_schema_name)
         + setting("default_transaction_isolation", "read committed")
         + setting("lock_timeout", role.lock_time)
         + setting("statement_timeout", role.answer_time * 4 / 5)
         + setting("idle_in_transaction_session_timeout",
                   options.idle_in_transaction_time)
         + setting("client_connection_check_interval", "1000")
         + setting("tcp_keepalives_idle", "5")
         + setting("tcp_keepalives_interval", "2")
         + setting("tcp_keepalives_count", "3")
         + setting("tcp_user_timeout", "10000")
         + setting("enable_seqscan", "off") + setting("jit", "off")
         + setting("plan_cache_mode", "force_generic_plan");
}

} // namespace

postgres_server::postgres_server(std::string url, postgres_options options)
  : url_(std::move(url)), options_(std::move(options)) {
  check_postgres_url(url_).value();
  description_ = describe_postgres_url(url_);
}

void postgres_server::log(const std::string& text, postgres_notice kind) const {
  if (options_.log)
    options_.log(kind, text);
}

void postgres_server::check_replication(const std::string& standbys,
                                        const std::string& commit) const {
  if (options_.replication != replication_mode::sync)
    return;
  if (standbys.empty())
    refuse("waits for no standby (synchronous_standby_names is empty), and the "
           "store is to have replication = sync");
  if (commit != "on" && commit != "remote_apply")
    refuse("acknowledges commits that are not on a standby's disk "
           "(synchronous_commit is '"
           + commit + "'), and the store is to have replication = sync");
}

/// A history goes on, and never back: an old server that came up again beside
/// the new one must not be taken for the store.
void postgres_server::note(const postgres_timeline& x) {
  std::lock_guard guard{mutex_};
  if (timeline_ == x)
    return;
  if (timeline_.number > 0 && timeline_.system != x.system)
    refuse("is another one than before (system " + x.system + ", it was "
           + timeline_.system + ")");
  if (x.number < timeline_.number)
    refuse("is one of the past (timeline " + std::to_string(x.number)
           + ", the store has gone on to " + std::to_string(timeline_.number)
           + "): is an old primary back?");
  auto was = std::exchange(timeline_, x);
  timeline_number_.store(x.number, std::memory_order_release);
  if (was.number == 0)
    return;
  log("the PostgreSQL server is on a new timeline: " + std::to_string(x.number)
      + ", it was " + std::to_string(was.number));
  if (options_.on_new_timeline)
    options_.on_new_timeline(was, x);
}

postgres_link postgres_server::connect(const postgres_role& role,
                                       const postgres_backend& before) {
  postgres_link result;
  result.connection = std::make_unique<postgres_connection>(
    postgres_url_parameters(url_, role.name, role.connect_time),
    role.answer_time);
  auto& db = *result.connection;
  server_facts facts{db.execute(ask_server).at(0)};
  if (facts.version < version_min)
    refuse("is older than version 14");
  if (facts.is_standby)
    refuse("is a standby");
  if (facts.is_read_only)
    refuse("takes no writes (default_transaction_read_only is on)");
  result.timeline = {facts.system, facts.timeline};
  result.backend = facts.backend;
  note(result.timeline); // also of one that is then refused
  check_replication(facts.standbys, facts.commit);
  if (role.awaits_end)
    await_end(db, before);
  else
    end_session(db, before);
  migrate_schema(db);
  db.execute(settings(role, options_));
  if (facts.commit == "off") { // an acknowledged commit is on a disk
    log("the PostgreSQL server has synchronous_commit = off; the store's "
        "sessions use 'local'");
    db.execute(setting("synchronous_commit", "local"));
  }
  if (facts.fsync != "on")
    log("the PostgreSQL server has fsync = off: a power loss can damage it");
  if (role.has_store)
    take_store(db, options_.is_shared);
  if (!role.statements.empty())
    db.prepare(role.statements);
  return result;
}

} // namespace troupe
