// `troupe lock run`: a program that runs only while a lock is held.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/lock_calls.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr const char* usage =
  R"(Usage: troupe lock run NAME [options] -- COMMAND [ARGUMENT...]

Asks for a lock, runs COMMAND, renews the lock while it runs, and releases it
afterwards. Ends with the status of COMMAND. If the lock is lost COMMAND gets a
SIGTERM, 5 s later a SIGKILL, and the status is 1.

COMMAND finds NAME=TOKEN in $TROUPE_LOCK, for troupe call --lock: what it does
under that token has no effect once somebody else has the lock.

  troupe lock run nightly --wait 60 -- ./clean-up --all
)";

/// What a program gets to end by itself.
constexpr milliseconds grace = 5s;

/// Also goes on while the machine sleeps, as the node's does.
milliseconds now() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return milliseconds{time.tv_sec * 1000 + time.tv_nsec / 1'000'000};
}

// -- the lock ----------------------------------------------------------------

class renewed_lock {
public:
  renewed_lock(endpoint node, lock_wish wish)
    : client_(std::move(node)), wish_(std::move(wish)) {
    auto answer = client_.send_checked(acquire_request(wish_));
    token_ = read_grant(client_.node(), answer).token;
    end_ = now() + wish_.ttl;
    // When it was granted while this waited is not known; of this it is.
    try_renew();
  }

  renewed_lock(const renewed_lock&) = delete;

  /// Releases it. If that fails its time ends by itself.
  ~renewed_lock() {
    if (lost_)
      return;
    try {
      client_.send_checked(release_request(wish_.name, token_));
    } catch (const std::exception& e) {
      std::fprintf(stderr, "warning: the lock was not released: %s\n",
                   printable(e.what()).c_str());
    }
  }

  uint64_t token() const noexcept { return token_; }

  const std::string& name() const noexcept { return wish_.name; }

  bool is_lost() const noexcept { return lost_ || now() >= end_; }

  /// When there is something to do.
  milliseconds next() const noexcept { return std::min(next_, end_); }

  /// Holds it for longer; if that fails, tries again until its time is over.
  void try_renew() {
    auto sent = now();
    auto request = renew_request(wish_.name, token_, wish_.ttl);
    request.timeout = std::clamp(end_ - sent, 1ms, request.timeout);
    next_ = sent + std::max(wish_.ttl / 10, 1ms);
    try {
      client_.send_checked(request);
      end_ = sent + wish_.ttl;
      next_ = sent + wish_.ttl / 3;
    } catch (const error_exception& e) {
      lost_ = e.reason() == errc::lock_held || e.reason() == errc::not_found;
    }
  }

private:
  http_client client_;
  lock_wish wish_;
  uint64_t token_ = 0;
  milliseconds end_{0};
  milliseconds next_{0};
  bool lost_ = false;
};

// -- the program -------------------------------------------------------------

/// SIGCHLD, and what others tell this process to end with.
sigset_t watched_signals() {
  sigset_t result;
  sigemptyset(&result);
  for (auto x : {SIGCHLD, SIGTERM, SIGINT, SIGHUP})
    sigaddset(&result, x);
  return result;
}

[[noreturn]] void become(const arguments& command) {
  // It does not go on without this process, which renews the lock.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_DFL);
  auto signals = watched_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  std::vector<char*> words;
  for (auto& x : command)
    words.push_back(const_cast<char*>(x.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  std::fprintf(stderr, "error: '%s' cannot be run: %s\n", words[0],
               std::strerror(errno));
  ::_exit(errno == ENOENT ? 127 : 126);
}

class child_program {
public:
  explicit child_program(const arguments& command) : pid_(::fork()) {
    if (pid_ == 0)
      become(command);
    if (pid_ < 0)
      throw error_exception{
        {errc::internal_error, effect::none,
         std::string{"no process can be made: "} + std::strerror(errno)}};
  }

  child_program(const child_program&) = delete;

  /// Does not outlive this.
  ~child_program() {
    if (!status())
      end();
  }

  void signal(int number) const { ::kill(pid_, number); }

  /// As a shell says it; nothing while it runs.
  std::optional<int> status() {
    int how = 0;
    if (!status_ && ::waitpid(pid_, &how, WNOHANG) == pid_)
      status_ = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return status_;
  }

  /// Ends it, whatever it takes.
  void end() {
    signal(SIGTERM);
    for (auto until = now() + grace; !status() && now() < until;)
      wait_until(until);
    if (status())
      return;
    signal(SIGKILL);
    while (!status())
      wait_until(now() + 100ms);
  }

  /// Waits for its end or a signal, which it gets as well.
  void wait_until(milliseconds until) const {
    auto left = std::max(until - now(), 0ms);
    timespec time{left / 1s, (left % 1s).count() * 1'000'000};
    auto signals = watched_signals();
    siginfo_t about{};
    auto number = ::sigtimedwait(&signals, &about, &time);
    // From a terminal it has it already.
    if (number > 0 && number != SIGCHLD && about.si_code != SI_KERNEL)
      signal(number);
  }

private:
  pid_t pid_;
  std::optional<int> status_;
};

void run(renewed_lock& lock, const arguments& command) {
  if (lock.is_lost())
    throw error_exception{
      {errc::lock_held, effect::none,
       "the lock '" + lock.name() + "' was lost before the program began"}};
  auto proof = lock.name() + "=" + std::to_string(lock.token());
  ::setenv("TROUPE_LOCK", proof.c_str(), 1);
  child_program child{command};
  while (!child.status()) {
    if (lock.is_lost()) {
      child.end();
      throw error_exception{
        {errc::lock_held, effect::unknown,
         "the lock '" + lock.name() + "' was lost while the program ran"}};
    }
    child.wait_until(lock.next());
    if (now() >= lock.next() && !lock.is_lost())
      lock.try_renew();
  }
  throw exit_request{*child.status()};
}

} // namespace

void lock_run(const arguments& args) {
  command_line line{usage, {"NAME"}};
  add_ttl_option(line);
  add_wait_option(line);
  auto end = std::find(args.begin(), args.end(), "--");
  if (!line.parse({args.begin(), end}))
    return;
  if (end == args.end() || end + 1 == args.end())
    throw usage_error{"COMMAND is missing: it comes after --"};
  // Whoever started this may ignore it, and then no end is told of.
  std::signal(SIGCHLD, SIG_DFL);
  renewed_lock lock{line.node(), read_wish(line)};
  // From here on none of these ends this process before the other one.
  auto signals = watched_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  run(lock, {end + 1, args.end()});
}

} // namespace troupe::cli
