#include "apps/bench/postgres.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <libpq-fe.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/free_port.hpp"

namespace troupe::bench {

namespace {

constexpr const char* programs = "/usr/lib/postgresql/15/bin/";

/// What the server may take to start.
constexpr std::chrono::seconds start_time_max{60};

/// `command` as who the server runs as.
std::vector<std::string> as_server(std::vector<std::string> command) {
  command.front().insert(0, programs);
  if (::geteuid() != 0)
    return command;
  std::vector<std::string> result{"setpriv",
                                  "--reuid=postgres",
                                  "--regid=postgres",
                                  "--clear-groups",
                                  "--pdeathsig",
                                  "QUIT",
                                  "--"};
  result.insert(result.end(), command.begin(), command.end());
  return result;
}

} // namespace

bool postgres_bench_server::is_installed() {
  for (auto name : {"initdb", "postgres", "pgbench"})
    if (::access((std::string{programs} + name).c_str(), X_OK) != 0)
      return false;
  return true;
}

postgres_bench_server::postgres_bench_server() : port_(free_port()) {
  if (::geteuid() == 0) {
    auto user = ::getpwnam("postgres");
    if (!user
        || ::chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
      throw cannot_measure{"there is no user postgres"};
  }
  run(as_server({"initdb", "-D", data_folder(), "-U", "troupe", "-A", "trust",
                 "-E", "UTF8", "--locale=C.UTF-8"}));
  process_.emplace(
    as_server({"postgres", "-D", data_folder(), "-k", folder_.path().string(),
               "-p", std::to_string(port_), "-c", "listen_addresses=127.0.0.1",
               "-c", "log_min_messages=panic"}),
    -1);
  auto end = std::chrono::steady_clock::now() + start_time_max;
  while (PQping(url().c_str()) != PQPING_OK) {
    if (std::chrono::steady_clock::now() > end)
      throw cannot_measure{"PostgreSQL does not start"};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

std::string postgres_bench_server::data_folder() const {
  return (folder_.path() / "data").string();
}

std::string postgres_bench_server::url(const std::string& database) const {
  return "postgresql://troupe@127.0.0.1:" + std::to_string(port_) + '/'
         + database;
}

void postgres_bench_server::make_database(const std::string& name) const {
  run({std::string{programs} + "psql", "-q", url(), "-c",
       "CREATE DATABASE " + name});
}

std::string postgres_bench_server::run(std::vector<std::string> command) {
  auto name = command.front();
  std::string output;
  if (child_process{command, -1}.finish(output) != 0)
    throw cannot_measure{name + " fails: " + output};
  return output;
}

void postgres_bench_server::prepare(unsigned keys) {
  auto table = "bench_" + std::to_string(keys);
  run({std::string{programs} + "psql", "-q", url(), "-c",
       "CREATE TABLE " + table + " (id int PRIMARY KEY, value bigint)", "-c",
       "INSERT INTO " + table + " SELECT i, 0 FROM generate_series(1, "
         + std::to_string(keys) + ") i",
       "-c", "VACUUM ANALYZE " + table});
  std::ofstream{folder_.path() / table}
    << "\\set id random(1, " << keys << ")\nUPDATE " << table
    << " SET value = value + 1 WHERE id = :id\n";
}

double postgres_bench_server::update(unsigned keys,
                                     std::chrono::seconds time) const {
  return script((folder_.path() / ("bench_" + std::to_string(keys))).string(),
                time);
}

double postgres_bench_server::queue(std::chrono::seconds time) const {
  run({std::string{programs} + "psql", "-q", url(), "-c",
       "SET client_min_messages = warning", "-c",
       "CREATE TABLE IF NOT EXISTS job (id uuid PRIMARY KEY, name text NOT "
       "NULL, state int NOT NULL, due timestamptz NOT NULL, body bytea NOT "
       "NULL, result bytea)",
       "-c",
       "CREATE INDEX IF NOT EXISTS job_due ON job (due) WHERE state = 0"});
  auto path = (folder_.path() / "queue").string();
  std::ofstream{path}
    << "INSERT INTO job VALUES (gen_random_uuid(), 'add', 0, now(), '[2,3]', "
       "NULL);\n"
       "UPDATE job SET state = 1 WHERE id = (SELECT id FROM job WHERE state = "
       "0 AND due <= now() ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED) "
       "RETURNING id \\aset\n"
       "UPDATE job SET state = 2, result = '5' WHERE id = :id;\n";
  return script(path, time);
}

double postgres_bench_server::script(const std::string& path,
                                     std::chrono::seconds time) const {
  auto output =
    run({std::string{programs} + "pgbench", "-n", "-M", "prepared", "-c", "64",
         "-j", "2", "-T", std::to_string(time.count()), "-f", path, url()});
  // tps = 690.123456 (without initial connection time)
  auto line = output.find("tps = ");
  if (line == output.npos)
    throw cannot_measure{"pgbench says something else than expected"};
  return std::strtod(&output[line + 6], nullptr);
}

} // namespace troupe::bench
