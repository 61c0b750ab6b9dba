#include "tests/support/postgres_server.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

/// Far more than anything here needs.
constexpr auto patience = 60s;

constexpr const char* programs = "/usr/lib/postgresql/15/bin/";

constexpr const char* admin = "admin";

/// Memory, if there is enough: a database has some 300 files, and what is tested
/// are processes that end, not disks.
std::filesystem::path place_of_data() {
  constexpr uintmax_t bytes_wanted = 4'000'000'000;
  std::error_code wrong;
  auto memory = std::filesystem::space("/dev/shm", wrong);
  return !wrong && memory.available >= bytes_wanted
           ? "/dev/shm"
           : std::filesystem::temp_directory_path();
}

uint16_t free_port(const postgres_place& place) {
  test::inside_network there{place.network};
  auto fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, place.address.c_str(), &address.sin_addr);
  socklen_t length = sizeof address;
  auto is_bound =
    bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0
    && getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(fd);
  if (!is_bound)
    throw std::runtime_error{"no free port"};
  return ntohs(address.sin_port);
}

/// Gives a folder to the user that the server runs as.
void give_away(const std::filesystem::path& folder) {
  if (geteuid() != 0)
    return;
  auto user = getpwnam("postgres");
  if (!user || chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0)
    throw std::runtime_error{"there is no user postgres"};
}

/// `command` as the user that the server runs as; it ends with this process.
std::vector<std::string> as_server(std::vector<std::string> command) {
  std::vector<std::string> result{"/usr/bin/setpriv", "--pdeathsig", "QUIT"};
  if (geteuid() == 0)
    for (auto x : {"--reuid=postgres", "--regid=postgres", "--clear-groups"})
      result.push_back(x);
  result.push_back("--");
  result.push_back(programs + command.front());
  result.insert(result.end(), command.begin() + 1, command.end());
  return result;
}

pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  for (auto& x : command)
    argv.push_back(const_cast<char*>(x.c_str()));
  argv.push_back(nullptr);
  char locale[] = "LC_ALL=C.UTF-8";
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {locale, path, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0666);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  auto failure =
    posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0)
    throw std::runtime_error{"cannot run " + command.front()};
  return pid;
}

/// @returns whether it ended well
bool wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Until `condition` holds; looks often.
template <class Condition>
void wait_until(const char* what, Condition condition) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error{std::string{"PostgreSQL: "} + what};
    std::this_thread::sleep_for(5ms);
  }
}

std::string read_file(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

postgres_instance::postgres_instance(std::vector<std::string> settings,
                                     postgres_place place)
  : folder_(place_of_data()), data_((folder_.path() / "data").string()),
    settings_(std::move(settings)), place_(std::move(place)),
    port_(free_port(place_)) {
  give_away(folder_.path());
  run({"initdb", "--no-sync", "-D", data_, "-U", admin, "-A", "trust", "-E",
       "UTF8", "--locale=C.UTF-8"});
  open_to_all();
  start();
  sql("CREATE ROLE troupe LOGIN");
}

postgres_instance::postgres_instance(postgres_instance& primary,
                                     const std::string& name)
  : folder_(place_of_data()), data_((folder_.path() / "data").string()),
    settings_(primary.settings_), place_(primary.place_),
    port_(free_port(place_)) {
  give_away(folder_.path());
  run({"pg_basebackup", "--no-sync", "-D", data_, "-R", "-X", "stream", "-c",
       "fast", "-d",
       "host=" + place_.address + " port=" + std::to_string(primary.port_)
         + " user=" + admin + " application_name=" + name});
  start();
}

postgres_instance::~postgres_instance() {
  if (pid_ != 0)
    stop(postgres_stop::killed);
}

void postgres_instance::run(std::vector<std::string> command) const {
  auto log = (folder_.path() / "log").string();
  auto name = command.front();
  test::inside_network there{place_.network};
  if (!wait_for(spawn(as_server(std::move(command)), log)))
    throw std::runtime_error{name + " failed: " + read_file(log)};
}

/// One role needs a password.
void postgres_instance::open_to_all() const {
  std::ofstream{data_ + "/pg_hba.conf"}
    << "host all guarded samenet scram-sha-256\n"
       "local all all trust\n"
       "host all all samenet trust\n"
       "host replication all samenet trust\n";
}

// -- life --------------------------------------------------------------------

void postgres_instance::start() {
  std::vector<std::string> command{"postgres",
                                   "-D",
                                   data_,
                                   "-k",
                                   folder_.path().string(),
                                   "-p",
                                   std::to_string(port_),
                                   "-c",
                                   "listen_addresses=" + place_.address,
                                   "-c",
                                   "shared_buffers=64MB"};
  for (auto& x : settings_) {
    command.push_back("-c");
    command.push_back(x);
  }
  test::inside_network there{place_.network};
  pid_ =
    spawn(as_server(std::move(command)), (folder_.path() / "log").string());
  wait_until_it_answers();
}

void postgres_instance::wait_until_it_answers() {
  auto where = "host=" + place_.address + " dbname=postgres port="
               + std::to_string(port_) + " user=" + admin;
  wait_until("it does not answer", [&] {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = 0;
      throw std::runtime_error{"PostgreSQL does not start: " + log()};
    }
    return PQping(where.c_str()) == PQPING_OK;
  });
}

void postgres_instance::stop(postgres_stop how) {
  switch (how) {
  case postgres_stop::fast:
    kill(pid_, SIGINT);
    break;
  case postgres_stop::immediate:
    kill(pid_, SIGQUIT);
    break;
  case postgres_stop::killed:
    signal_all(SIGKILL);
    break;
  }
  wait_for(pid_);
  pid_ = 0;
}

std::vector<pid_t> postgres_instance::children() const {
  auto pid = std::to_string(pid_);
  std::istringstream list{
    read_file("/proc/" + pid + "/task/" + pid + "/children")};
  return {std::istream_iterator<pid_t>{list}, {}};
}

/// Whether /proc says so of a process; it may be gone.
static bool is_in_state(pid_t x, char state) {
  auto text = read_file("/proc/" + std::to_string(x) + "/stat");
  return text.find(std::string{") "} + state + " ") != std::string::npos;
}

/// It makes no more children while they are counted.
void postgres_instance::signal_all(int signal) {
  kill(pid_, SIGSTOP);
  wait_until("it does not stop", [this] { return is_in_state(pid_, 'T'); });
  for (auto x : children())
    kill(x, signal);
  if (signal == SIGKILL)
    for (auto x : children())
      wait_until("a process does not end",
                 [x] { return ::kill(x, 0) != 0 || is_in_state(x, 'Z'); });
  kill(pid_, signal);
}

void postgres_instance::pause() {
  signal_all(SIGSTOP);
}

void postgres_instance::resume() {
  signal_all(SIGCONT);
}

void postgres_instance::promote() {
  sql("SELECT pg_promote(true, 60)");
}

// -- use ---------------------------------------------------------------------

std::string postgres_instance::new_database() {
  auto name = "test_" + std::to_string(++databases_);
  sql("CREATE DATABASE " + name + " OWNER troupe");
  return url(name);
}

std::string postgres_instance::url(const std::string& database,
                                   const std::string& user) const {
  return "postgresql://" + user + "@" + place_.address + ":"
         + std::to_string(port_) + "/" + database;
}

std::string postgres_instance::url_of(const std::string& other_url) const {
  return url(database_of(other_url));
}

postgres_instance::rows postgres_instance::sql(const std::string& statement,
                                               const std::string& database) {
  test::inside_network there{place_.network};
  std::unique_ptr<PGconn, void (*)(PGconn*)> db{
    PQconnectdb(url(database, admin).c_str()), PQfinish};
  PQsetNoticeProcessor(
    db.get(), [](void*, const char*) {}, nullptr);
  std::unique_ptr<PGresult, void (*)(PGresult*)> found{
    PQexec(db.get(), statement.c_str()), PQclear};
  auto status = PQresultStatus(found.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error{PQerrorMessage(db.get())};
  rows result;
  for (int row = 0; row < PQntuples(found.get()); ++row) {
    auto& fields = result.emplace_back();
    for (int column = 0; column < PQnfields(found.get()); ++column)
      fields.emplace_back(PQgetvalue(found.get(), row, column));
  }
  return result;
}

void postgres_instance::set(const std::string& name, const std::string& value) {
  sql("ALTER SYSTEM SET " + name + " = '" + value + "'");
  sql("SELECT pg_reload_conf()");
  wait_until("a setting does not come",
             [&] { return sql("SHOW " + name).at(0).at(0) == value; });
}

std::string postgres_instance::log() const {
  return read_file((folder_.path() / "log").string());
}

postgres_instance& shared_postgres() {
  static postgres_instance server;
  return server;
}

std::string database_of(const std::string& url) {
  return url.substr(url.rfind('/') + 1);
}

} // namespace troupe::testing
