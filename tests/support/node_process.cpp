#include "tests/support/node_process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto patience = 30s;

constexpr std::string_view first_word = "Troupe serves ";

/// Whether it is all there: it ends with what shows the tree.
bool is_complete(const std::string& banner) {
  auto last = banner.find("troupe tree");
  return last != banner.npos && banner.find('\n', last) != banner.npos;
}

/// What a sanitizer was told goes on to the programs that are tested.
void inherit_sanitizer_options(words& environment) {
  for (auto name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"})
    if (auto value = std::getenv(name))
      environment.push_back(std::string{name} + "=" + value);
}

std::vector<char*> pointers(const words& texts) {
  std::vector<char*> result;
  for (auto& x : texts)
    result.push_back(const_cast<char*>(x.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Starts a program that ends with us, whatever ends us.
pid_t start(const testing::process_input& what, int out, int err) {
  auto argv = pointers(what.command);
  auto env = pointers(what.environment);
  auto parent = ::getpid();
  auto pid = ::fork();
  if (pid < 0)
    throw std::runtime_error("cannot fork");
  if (pid > 0)
    return pid;
  // Only what is safe after a fork from here on.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(126);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execve(argv[0], argv.data(), env.data());
  ::_exit(127);
}

int status_of(int raw) {
  return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

std::string examples_plugin() {
  return TROUPE_EXAMPLES;
}

std::string test_plugin(const std::string& name) {
  return std::string{TROUPE_TEST_PLUGINS} + "/" + name + ".so";
}

bool eventually(const std::function<bool()>& condition) {
  auto end = clock::now() + patience;
  while (!condition()) {
    if (clock::now() > end)
      return false;
    std::this_thread::sleep_for(2ms); // between two looks
  }
  return true;
}

testing::process_input node_command(const node_settings& settings) {
  testing::process_input result;
  result.command = {settings.binary.empty() ? TROUPE_BINARY : settings.binary,
                    "node"};
  auto& to = result.command;
  if (!settings.bare) {
    to.insert(to.end(), {"--http.listen", "127.0.0.1:0", "--data-dir",
                         settings.folder.string()});
    for (auto& x : settings.plugins)
      to.insert(to.end(), {"--plugin", x});
  }
  to.insert(to.end(), settings.options.begin(), settings.options.end());
  result.environment = settings.environment;
  inherit_sanitizer_options(result.environment);
  return result;
}

// -- a node ------------------------------------------------------------------

node_process::node_process(const node_settings& settings)
  : network_(settings.network),
    log_(settings.log.empty() ? own_.path() / "log" : settings.log) {
  inside_network here{network_};
  auto command = node_command(settings);
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  auto err =
    ::open(log_.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  pid_ = start(command, out[1], err);
  ::close(err);
  ::close(out[1]);
  read_banner(out[0]);
  ::close(out[0]);
  auto from = banner_.find(first_word);
  if (from == banner_.npos || !is_complete(banner_)) {
    kill();
    throw std::runtime_error("the node does not start: " + banner_ + log());
  }
  from += first_word.size();
  url_ = banner_.substr(from, banner_.find('\n', from) - from);
  port_ = static_cast<uint16_t>(std::stoul(url_.substr(url_.rfind(':') + 1)));
}

node_process::~node_process() {
  kill();
}

void node_process::read_banner(int from) {
  auto end = clock::now() + patience;
  while (!is_complete(banner_) && clock::now() < end) {
    pollfd waits{from, POLLIN, 0};
    if (::poll(&waits, 1, 1000) < 1)
      continue;
    char bytes[4096];
    auto n = ::read(from, bytes, sizeof(bytes));
    if (n <= 0)
      return;
    banner_.append(bytes, static_cast<size_t>(n));
  }
}

std::string node_process::log() const {
  return read_file(log_);
}

bool node_process::is_alive() {
  int raw = 0;
  if (pid_ < 0)
    return false;
  if (::waitpid(pid_, &raw, WNOHANG) != pid_)
    return true;
  status_ = status_of(raw);
  pid_ = -1;
  return false;
}

size_t node_process::resident_bytes() const {
  std::ifstream in{"/proc/" + std::to_string(pid_) + "/statm"};
  size_t pages = 0;
  in >> pages >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

void node_process::signal(int number) {
  if (pid_ > 0)
    ::kill(pid_, number);
}

int node_process::wait() {
  return eventually([this] { return !is_alive(); }) ? status_ : -1;
}

int node_process::stop() {
  signal(SIGTERM);
  return wait();
}

void node_process::kill() {
  if (!is_alive())
    return;
  signal(SIGKILL);
  wait();
}

// -- HTTP --------------------------------------------------------------------

std::string request(std::string_view method, std::string_view path,
                    std::string_view body, const fields& more) {
  std::string result;
  result.append(method).append(" ").append(path);
  result.append(" HTTP/1.1\r\nHost: node\r\n");
  for (auto& x : more)
    result.append(x).append("\r\n");
  if (method != "GET" && method != "HEAD")
    result.append("Content-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n");
  return result.append("\r\n").append(body);
}

http_answer send(const node_process& node, std::string_view method,
                 std::string_view path, std::string_view body,
                 const fields& more) {
  inside_network there{node.network()};
  raw_client client{node.port()};
  client.send(request(method, path, body, more));
  return client.read(method != "HEAD");
}

// -- the command line --------------------------------------------------------

testing::process_result cli(const node_process& node, const words& arguments,
                            const std::string& in) {
  testing::process_input input;
  input.command = {TROUPE_BINARY};
  input.command.insert(input.command.end(), arguments.begin(), arguments.end());
  input.environment = {"TROUPE_ENDPOINT=" + node.url(), "LC_ALL=C.UTF-8"};
  inherit_sanitizer_options(input.environment);
  input.in = in;
  inside_network there{node.network()};
  return testing::run_process(input);
}

// -- a test's own node -------------------------------------------------------

namespace {

node_settings example_settings(const testing::temporary_folder& folder,
                               words options, const words& more_plugins) {
  node_settings result;
  result.folder = folder.path();
  result.options = std::move(options);
  for (auto& x : more_plugins)
    result.plugins.push_back(x);
  return result;
}

} // namespace

example_node::example_node(words options, words more_plugins)
  : node(example_settings(folder, std::move(options), more_plugins)) {}

} // namespace troupe::test
