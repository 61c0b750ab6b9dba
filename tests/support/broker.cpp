#include "tests/support/broker.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/support/process.hpp"

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

/// Far more than a broker needs.
constexpr auto patience = 30s;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return result;
}

uint16_t free_port() {
  auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t length = sizeof address;
  auto raw = reinterpret_cast<sockaddr*>(&address);
  auto good =
    ::bind(fd, raw, length) == 0 && ::getsockname(fd, raw, &length) == 0;
  ::close(fd);
  if (!good)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

bool listens(uint16_t port) {
  auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(port);
  auto good =
    ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return good;
}

pid_t spawn(const std::vector<std::string>& command, int out) {
  std::vector<char*> argv;
  for (auto& x : command)
    argv.push_back(const_cast<char*>(x.c_str()));
  argv.push_back(nullptr);
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
  ::dup2(out, STDERR_FILENO);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out{file};
  out << text;
}

} // namespace

broker_process::broker_process() = default;

broker_process::~broker_process() {
  kill();
}

std::string broker_process::log() const {
  std::ifstream in{folder() / "log"};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void broker_process::take_port() {
  port_ = free_port();
}

void broker_process::start() {
  auto words = command();
  auto out = ::open((folder() / "log").c_str(),
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  pid_ = spawn(words, out);
  ::close(out);
  auto until = std::chrono::steady_clock::now() + patience;
  while (!listens(port_)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error(words[0] + " does not start: " + log());
    }
    if (std::chrono::steady_clock::now() > until)
      throw std::runtime_error(words[0] + " does not listen: " + log());
    std::this_thread::sleep_for(5ms);
  }
}

void broker_process::end(int signal) {
  if (pid_ < 0)
    return;
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void broker_process::stop() {
  end(SIGTERM);
}

void broker_process::kill() {
  end(SIGKILL);
}

mosquitto_server::mosquitto_server(std::string settings) {
  take_port();
  write_file(folder() / "conf",
             "listener " + std::to_string(port())
               + " 127.0.0.1\n"
                 "persistence true\npersistence_location "
               + folder().string()
               + "/\nmax_queued_messages 100000\nmax_queued_bytes 0\n"
                 "log_type all\n"
                 // As root it would change to a user who may not write there.
                 "user root\n"
               + settings);
  start();
}

std::string mosquitto_server::url() const {
  return "mqtt://127.0.0.1:" + std::to_string(port());
}

std::vector<std::string> mosquitto_server::command() const {
  return {"/usr/sbin/mosquitto", "-c", (folder() / "conf").string()};
}

nats_server::nats_server(std::string settings) {
  take_port();
  write_file(folder() / "conf", "listen: \"127.0.0.1:" + std::to_string(port())
                                  + "\"\njetstream { store_dir: \""
                                  + folder().string() + "\" }\n" + settings);
  start();
}

std::string nats_server::url() const {
  return "nats://127.0.0.1:" + std::to_string(port());
}

std::vector<std::string> nats_server::command() const {
  return {"/usr/sbin/nats-server", "-c", (folder() / "conf").string()};
}

int messages_of_tests() {
  auto text = std::getenv("TROUPE_MESSAGES");
  return text ? std::stoi(text) : 2000;
}

void run_tool(const std::vector<std::string>& command) {
  testing::process_input what;
  what.command = command;
  auto result = testing::run_process(what);
  if (result.status != 0)
    throw std::runtime_error(command[0] + ": " + result.err);
}

void make_certificate(const std::filesystem::path& file) {
  run_tool({"/usr/bin/openssl", "req", "-x509", "-nodes", "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj",
            "/CN=" + file.filename().string(), "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", file.string() + ".key",
            "-out", file.string() + ".pem"});
}

} // namespace troupe::test
