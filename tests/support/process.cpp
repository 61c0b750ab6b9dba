#include "tests/support/process.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace troupe::testing {

namespace {

/// A file descriptor that is closed once.
class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_(fd) {}

  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~descriptor() { reset(); }

  void reset() {
    if (fd_ >= 0)
      close(std::exchange(fd_, -1));
  }

  int get() const { return fd_; }

private:
  int fd_;
};

struct pipe_ends {
  descriptor ours;
  descriptor theirs;
};

pipe_ends make_pipe(bool we_write) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  pipe_ends result{descriptor{fds[we_write ? 1 : 0]},
                   descriptor{fds[we_write ? 0 : 1]}};
  fcntl(result.ours.get(), F_SETFL, O_NONBLOCK);
  return result;
}

pipe_ends make_terminal() {
  descriptor ours{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (grantpt(ours.get()) != 0 || unlockpt(ours.get()) != 0)
    throw std::runtime_error{"no terminal"};
  descriptor theirs{open(ptsname(ours.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return {std::move(ours), std::move(theirs)};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const auto& x : texts)
    result.push_back(const_cast<char*>(x.c_str()));
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const process_input& input, int in, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  auto argv = pointers(input.command);
  auto env = pointers(input.environment);
  pid_t pid = 0;
  auto failure =
    posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0)
    throw std::runtime_error{"cannot run " + input.command.at(0)};
  return pid;
}

/// @returns false when there is nothing more to come
bool read_some(const descriptor& from, std::string& to) {
  char buffer[65536];
  auto count = read(from.get(), buffer, sizeof buffer);
  if (count > 0)
    to.append(buffer, static_cast<size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

/// @returns false when there is nothing more to write
bool write_some(const descriptor& to, std::string_view& from) {
  auto count = write(to.get(), from.data(), from.size());
  if (count > 0)
    from.remove_prefix(static_cast<size_t>(count));
  auto is_open = count >= 0 || errno == EAGAIN || errno == EINTR;
  return is_open && !from.empty();
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

process_result run_process(const process_input& input) {
  std::signal(SIGPIPE, SIG_IGN);
  auto in = make_pipe(true);
  auto out = input.on_terminal ? make_terminal() : make_pipe(false);
  auto err = input.err_on_terminal ? make_terminal() : make_pipe(false);
  auto pid = spawn(input, in.theirs.get(), out.theirs.get(), err.theirs.get());
  in.theirs.reset();
  out.theirs.reset();
  err.theirs.reset();
  process_result result;
  std::string_view to_write{input.in};
  if (to_write.empty())
    in.ours.reset();
  auto end = std::chrono::steady_clock::now() + input.patience;
  auto is_late = [&] { return std::chrono::steady_clock::now() > end; };
  while ((out.ours.get() >= 0 || err.ours.get() >= 0) && !is_late()) {
    pollfd fds[] = {{in.ours.get(), POLLOUT, 0},
                    {out.ours.get(), POLLIN, 0},
                    {err.ours.get(), POLLIN, 0}};
    poll(fds, 3, 1000);
    if (fds[0].revents && !write_some(in.ours, to_write))
      in.ours.reset();
    if (fds[1].revents && !read_some(out.ours, result.out))
      out.ours.reset();
    if (fds[2].revents && !read_some(err.ours, result.err))
      err.ours.reset();
  }
  auto hung = is_late();
  if (hung)
    kill(pid, SIGKILL);
  result.status = wait_for(pid);
  if (hung)
    result.status = -1;
  return result;
}

} // namespace troupe::testing
