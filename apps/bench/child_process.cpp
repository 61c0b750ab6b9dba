#include "apps/bench/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

/// Between fork and exec: only what is safe there. Ends the process.
[[noreturn]] void become(char** arguments, const cpu_set_t* cores, int output,
                         int failure) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (cores)
    ::sched_setaffinity(0, sizeof(*cores), cores);
  ::dup2(output, STDOUT_FILENO);
  ::execvp(arguments[0], arguments);
  auto reason = errno;
  if (::write(failure, &reason, sizeof(reason)) < 0)
    ::_exit(126);
  ::_exit(127);
}

int status_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

child_process::child_process(const std::vector<std::string>& command,
                             int core) {
  int out[2];
  int failure[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(failure, O_CLOEXEC) != 0)
    throw cannot_measure{std::strerror(errno)};
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (auto& x : command)
    arguments.push_back(const_cast<char*>(x.c_str()));
  arguments.push_back(nullptr);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core >= 0)
    CPU_SET(core, &cores);
  id_ = ::fork();
  if (id_ == 0)
    become(arguments.data(), core >= 0 ? &cores : nullptr, out[1], failure[1]);
  ::close(out[1]);
  ::close(failure[1]);
  output_ = out[0];
  int reason = id_ < 0 ? errno : 0;
  auto failed = id_ < 0 || ::read(failure[0], &reason, sizeof(reason)) > 0;
  ::close(failure[0]);
  if (!failed)
    return;
  ::close(output_);
  if (id_ > 0)
    ::waitpid(id_, nullptr, 0);
  throw cannot_measure{command[0] + ": " + std::strerror(reason)};
}

child_process::~child_process() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  ::close(output_);
}

bool child_process::read_some() {
  constexpr int silence_ms_max = 10'000;
  pollfd wanted{output_, POLLIN, 0};
  if (::poll(&wanted, 1, silence_ms_max) <= 0)
    return false;
  char bytes[4096];
  auto n = ::read(output_, bytes, sizeof(bytes));
  if (n > 0)
    buffer_.append(bytes, static_cast<size_t>(n));
  return n > 0;
}

bool child_process::read_line(std::string& line) {
  auto end = buffer_.find('\n');
  while (end == buffer_.npos) {
    if (!read_some())
      return false;
    end = buffer_.find('\n');
  }
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return true;
}

int child_process::finish(std::string& output) {
  while (read_some()) {
  }
  output = std::move(buffer_);
  int status = 0;
  ::waitpid(id_, &status, 0);
  id_ = -1;
  return status_of(status);
}

} // namespace troupe::bench
