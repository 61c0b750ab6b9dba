// A real node as a process of its own, for tests that look at it as its users
// do: over HTTP, by signals and by its exit status. Every wait is for a
// condition and ends; no node outlives its test.

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "tests/support/network.hpp"
#include "tests/support/process.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::test {

using words = std::vector<std::string>;

/// The examples' plugin.
std::string examples_plugin();

/// A plugin of tests/support/plugins.
std::string test_plugin(const std::string& name);

/// Waits until `condition` holds; false if it does not within the patience of
/// the tests, which is far above what anything takes.
bool eventually(const std::function<bool()>& condition);

struct node_settings {
  /// Files for `--plugin`.
  words plugins{examples_plugin()};

  /// Further options. `--http.listen` and `--data-dir` are there already unless
  /// `bare`.
  words options;

  /// "NAME=value"; nothing is inherited.
  words environment;

  /// Where its state is.
  std::filesystem::path folder;

  /// Another build of `troupe`; empty: this one.
  std::string binary;

  /// Only `options`, nothing of the test's.
  bool bare = false;

  /// Where it lives, and outlives it; null: where the test does.
  const network_namespace* network = nullptr;

  /// What it logs is added to this file; empty: to one that goes with it.
  std::filesystem::path log;
};

/// `troupe node` and its arguments.
testing::process_input node_command(const node_settings& settings);

/// A node that listens.
class node_process {
public:
  /// Returns once the node has printed what it serves.
  /// @throws std::runtime_error with what it said, if it does not start
  explicit node_process(const node_settings& settings);

  node_process(const node_process&) = delete;

  node_process& operator=(const node_process&) = delete;

  /// Kills it if it still runs.
  ~node_process();

  // -- properties ------------------------------------------------------------

  pid_t pid() const noexcept { return pid_; }

  uint16_t port() const noexcept { return port_; }

  const std::string& url() const noexcept { return url_; }

  const network_namespace* network() const noexcept { return network_; }

  /// What it printed at its start.
  const std::string& banner() const noexcept { return banner_; }

  /// What it has logged so far, with what was in the file before.
  std::string log() const;

  bool is_alive();

  /// Bytes of memory that it holds.
  size_t resident_bytes() const;

  // -- its end ---------------------------------------------------------------

  void signal(int number);

  /// Waits for its end. The exit status; 128 + the signal that ended it; -1 if
  /// it did not end in time.
  int wait();

  /// SIGTERM, and `wait`.
  int stop();

  /// SIGKILL: what a power cut leaves behind, but for the disk.
  void kill();

private:
  void read_banner(int from);

  testing::temporary_folder own_;
  const network_namespace* network_;
  std::filesystem::path log_;
  pid_t pid_ = -1;
  int status_ = -1;
  uint16_t port_ = 0;
  std::string url_;
  std::string banner_;
};

// -- HTTP --------------------------------------------------------------------

using fields = std::vector<std::string>; // "Name: value"

/// A request with a Content-Length.
std::string request(std::string_view method, std::string_view path,
                    std::string_view body = {}, const fields& more = {});

/// Sends a request on a connection of its own; knows that HEAD has no body.
http_answer send(const node_process& node, std::string_view method,
                 std::string_view path, std::string_view body = {},
                 const fields& more = {});

inline http_answer post(const node_process& node, std::string_view path,
                        std::string_view body = {}, const fields& more = {}) {
  return send(node, "POST", path, body, more);
}

inline http_answer get(const node_process& node, std::string_view path) {
  return send(node, "GET", path);
}

// -- the command line --------------------------------------------------------

/// `troupe words...`, talking to `node`.
testing::process_result cli(const node_process& node, const words& arguments,
                            const std::string& in = "");

// -- a test's own node -------------------------------------------------------

/// A folder and a node with the examples in it.
struct example_node {
  testing::temporary_folder folder;
  node_process node;

  explicit example_node(words options = {}, words more_plugins = {});

  node_process* operator->() { return &node; }

  operator const node_process&() const { return node; }
};

} // namespace troupe::test
