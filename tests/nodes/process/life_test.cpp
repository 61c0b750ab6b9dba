// How a node starts, leaves and dies, and what is left of its state.

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "tests/support/node_process.hpp"

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace troupe::test {

namespace {

node_settings in(const testing::temporary_folder& folder, words options = {}) {
  node_settings result;
  result.folder = folder.path();
  result.options = std::move(options);
  return result;
}

testing::process_result run_node(const node_settings& settings) {
  return testing::run_process(node_command(settings));
}

/// A port that somebody listens on.
class taken_port {
public:
  taken_port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    auto address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(fd_, address, size) != 0 || ::listen(fd_, 1) != 0
        || ::getsockname(fd_, address, &size) != 0)
      throw std::runtime_error("no port");
    number_ = ntohs(at.sin_port);
  }

  taken_port(const taken_port&) = delete;

  ~taken_port() { ::close(fd_); }

  std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

private:
  int fd_;
  uint16_t number_ = 0;
};

/// Starts a call of `hold`, and returns when it runs.
void hold(const node_process& node, raw_client& client, int ms) {
  auto before = post(node, "/invoke/held").body;
  client.send(request("POST", "/invoke/hold", std::to_string(ms)));
  ASSERT_TRUE(
    eventually([&] { return post(node, "/invoke/held").body != before; }));
}

void expect_drains_after(int signal) {
  testing::temporary_folder folder;
  auto settings = in(folder);
  settings.plugins.push_back(test_plugin("misbehaving"));
  node_process node{settings};
  raw_client holder{node.port()};
  hold(node, holder, 400);
  node.signal(signal);
  auto x = holder.read();
  EXPECT_EQ(x.status, 200u) << x.head << x.body;
  EXPECT_EQ(x.body, "400");
  EXPECT_EQ(node.wait(), 0) << node.log();
}

} // namespace

// -- start -------------------------------------------------------------------

TEST(node, says_at_its_start_where_it_is_and_what_to_try) {
  testing::temporary_folder folder;
  node_process node{in(folder)};
  EXPECT_THAT(node.banner(), StartsWith("Troupe serves http://127.0.0.1:"));
  EXPECT_THAT(node.banner(),
              AllOf(HasSubstr("sqlite:" + folder.path().string()),
                    HasSubstr("add, data_function, echo, fail, sleep"),
                    HasSubstr("counter, data_service"), HasSubstr("Try:"),
                    HasSubstr("curl -d '[2,3]' " + node.url() + "/invoke/add"),
                    HasSubstr("/services/data_service/"),
                    HasSubstr(std::string{"\n  "} + TROUPE_BINARY
                              + " tree --endpoint " + node.url())));
  EXPECT_EQ(node.stop(), 0);
}

TEST(node, makes_its_folder_and_the_folders_above_it) {
  testing::temporary_folder folder;
  auto settings = in(folder);
  settings.folder = folder.path() / "a" / "b";
  node_process node{settings};
  EXPECT_EQ(post(node, "/services/counter/k/increment").body, "1");
  EXPECT_TRUE(std::filesystem::exists(settings.folder / "data.db"));
}

TEST(node, with_a_store_in_memory_forgets_at_its_end_and_leaves_no_files) {
  testing::temporary_folder folder;
  auto settings = in(folder, {"--store", "memory:"});
  settings.folder = folder.path() / "unused";
  {
    node_process node{settings};
    EXPECT_EQ(post(node, "/services/counter/k/increment").body, "1");
    EXPECT_EQ(node.stop(), 0);
  }
  node_process node{settings};
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "0");
  EXPECT_FALSE(std::filesystem::exists(settings.folder));
}

TEST(node, does_not_start_on_a_folder_that_another_one_serves) {
  testing::temporary_folder folder;
  node_process first{in(folder)};
  auto second = run_node(in(folder));
  EXPECT_EQ(second.status, 1);
  EXPECT_EQ(second.out, "");
  EXPECT_THAT(second.err,
              AllOf(StartsWith("error: "), HasSubstr(folder.path().string())));
  EXPECT_EQ(post(first, "/services/counter/k/increment").body, "1");
  EXPECT_EQ(first.stop(), 0);
  node_process third{in(folder)};
  EXPECT_EQ(post(third, "/services/counter/k/get").body, "1");
}

TEST(node, does_not_start_on_a_port_that_is_taken) {
  taken_port taken;
  testing::temporary_folder folder;
  node_settings settings;
  settings.bare = true;
  settings.options = {"--http.listen", taken.address(), "--data-dir",
                      folder.path().string()};
  auto x = run_node(settings);
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, AllOf(StartsWith("error: "), HasSubstr(taken.address()),
                           HasSubstr("in use")));
}

TEST(node, does_not_start_where_it_cannot_keep_its_state) {
  testing::temporary_folder folder;
  std::ofstream{folder.path() / "file"} << "no folder";
  auto settings = in(folder);
  settings.folder = folder.path() / "file";
  auto x = run_node(settings);
  EXPECT_EQ(x.status, 1);
  EXPECT_THAT(x.err, AllOf(StartsWith("error: "), HasSubstr("file")));
  std::ofstream{folder.path() / "data.db"}
    << std::string(100'000, 'x'); // no database
  auto y = run_node(in(folder));
  EXPECT_EQ(y.status, 1);
  EXPECT_THAT(y.err, StartsWith("error: "));
}

TEST(node, refuses_a_wrong_command_line_with_status_2) {
  testing::temporary_folder folder;
  const std::vector<words> wrong{{"--no-such-option"},
                                 {"word"},
                                 {"--http.threads", "0"},
                                 {"--http.threads", "x"},
                                 {"--http.listen", "127.0.0.1"},
                                 {"--http.listen", "nobody.example:80"},
                                 {"--http.listen", "127.0.0.1:70000"},
                                 {"--store", "mysql://x"},
                                 {"--store", "sqlite:"},
                                 {"--limit", "sleep"},
                                 {"--limit", "sleep=concurrency:0"},
                                 {"--limit", "sleep=speed:1"},
                                 {"--shutdown.timeout", "5"},
                                 {"--config", "/nowhere/troupe.ini"},
                                 {"--log.level", "loud"},
                                 {"--data-dir"},
                                 {"--data-dir", ""},
                                 {"--node.id", "a b"},
                                 {"--http.body-size", "-1"},
                                 {"--data-dir", "a", "--data-dir", "b"}};
  for (auto& options : wrong) {
    node_settings settings;
    settings.bare = true;
    settings.options = options;
    auto x = run_node(settings);
    EXPECT_EQ(x.status, 2) << options[0] << x.err;
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, AllOf(StartsWith("troupe node: "), HasSubstr("--help")));
  }
}

TEST(node, listens_for_other_machines_only_if_told_that_this_is_insecure) {
  testing::temporary_folder folder;
  for (auto address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    node_settings settings;
    settings.bare = true;
    settings.options = {"--http.listen", address, "--store", "memory:"};
    auto x = run_node(settings);
    EXPECT_NE(x.status, 0) << address;
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, HasSubstr("--insecure"));
  }
  node_settings settings;
  settings.bare = true;
  settings.options = {"--http.listen", "0.0.0.0:0", "--store",        "memory:",
                      "--insecure",    "--plugin",  examples_plugin()};
  node_process node{settings};
  EXPECT_EQ(post(node, "/invoke/add", "[2,3]").body, "5");
}

// -- kill --------------------------------------------------------------------

TEST(node, keeps_what_it_acknowledged_through_a_kill_under_load) {
  testing::temporary_folder folder;
  std::atomic<int> acknowledged[3] = {0, 0, 0};
  std::atomic<int> sent[3] = {0, 0, 0};
  for (int round = 1; round <= 3; ++round) {
    node_process node{in(folder)};
    std::atomic<bool> killed{false};
    std::vector<std::thread> callers;
    for (int i = 0; i < 6; ++i)
      callers.emplace_back([&, key = i % 3] {
        raw_client client{node.port()};
        auto call = request("POST", "/services/counter/k" + std::to_string(key)
                                      + "/increment");
        while (!killed) {
          ++sent[key];
          if (!client.send(call) || client.read().status != 200)
            return;
          ++acknowledged[key];
        }
      });
    auto enough = round * 200;
    EXPECT_TRUE(eventually([&] {
      return acknowledged[0] > enough && acknowledged[1] > enough
             && acknowledged[2] > enough;
    }));
    node.kill();
    killed = true;
    for (auto& x : callers)
      x.join();
    node_process again{in(folder)};
    for (int key = 0; key < 3; ++key) {
      auto x =
        post(again, "/services/counter/k" + std::to_string(key) + "/get");
      auto value = std::stoi(x.body);
      EXPECT_GE(value, acknowledged[key]);
      EXPECT_LE(value, sent[key]);
      // Each call is one change of the state.
      EXPECT_EQ(x.field("ETag"), "\"" + std::to_string(value) + "\"");
    }
    EXPECT_EQ(again.stop(), 0);
  }
}

TEST(node, has_the_same_data_after_a_kill) {
  testing::temporary_folder folder;
  {
    node_process node{in(folder)};
    EXPECT_EQ(post(node, "/services/data_service/a%2Fb/set_data",
                   R"({"name":"Ada","years":[1815,1852]})")
                .status,
              200u);
    node.kill();
  }
  node_process node{in(folder)};
  auto x = post(node, "/services/data_service/a%2Fb/get_data");
  EXPECT_EQ(x.body, R"({"name":"Ada","years":[1815,1852]})");
  EXPECT_EQ(x.field("ETag"), "\"1\"");
  EXPECT_EQ(post(node, "/invoke/data_function", "\"a/b\"").body, x.body);
}

TEST(node, keeps_keys_and_values_at_their_limits) {
  testing::temporary_folder folder;
  const words keys{"%00", "a%00",         "a%00b", "a",  std::string(512, 'k'),
                   "%2F", "%F0%9F%8E%AD", "%25",   "..", "a%27%3B--"};
  auto path = [](const std::string& key, const char* method) {
    return "/services/data_service/" + key + "/" + method;
  };
  auto deepest = std::string(512, '[') + std::string(512, ']');
  auto largest = "\"" + std::string(6 * 1024 * 1024 - 2, 'x') + "\"";
  {
    node_process node{in(folder)};
    for (size_t i = 0; i < keys.size(); ++i)
      EXPECT_EQ(post(node, path(keys[i], "set_data"), std::to_string(i)).body,
                std::to_string(i))
        << keys[i];
    EXPECT_EQ(post(node, path("deepest", "set_data"), deepest).status, 200u);
    EXPECT_EQ(post(node, path("largest", "set_data"), largest).status, 200u);
    node.kill();
  }
  node_process node{in(folder)};
  for (size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(post(node, path(keys[i], "get_data")).body, std::to_string(i))
      << keys[i];
  EXPECT_EQ(post(node, path("deepest", "get_data")).body, deepest);
  EXPECT_TRUE(post(node, path("largest", "get_data")).body == largest);
  EXPECT_EQ(post(node, "/invoke/data_function", "\"a\\u0000b\"").body, "2");
}

// -- leaving -----------------------------------------------------------------

TEST(node, lets_calls_finish_when_it_is_told_to_leave) {
  expect_drains_after(SIGTERM);
}

TEST(node, lets_calls_that_wait_finish_too_when_it_is_told_to_leave) {
  testing::temporary_folder folder;
  auto settings = in(folder, {"--limit", "hold=concurrency:1"});
  settings.plugins.push_back(test_plugin("misbehaving"));
  node_process node{settings};
  raw_client holder{node.port()};
  hold(node, holder, 400);
  std::vector<std::unique_ptr<raw_client>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(std::make_unique<raw_client>(node.port()));
    waiting.back()->send(request("POST", "/invoke/hold", "10"));
  }
  ASSERT_TRUE(eventually([&] {
    return get(node, "/metrics")
             .body.find("troupe_calls_queued{kind=\"function\",name=\"hold\","
                        "version=\"1\"} 4\n")
           != std::string::npos;
  }));
  node.signal(SIGTERM);
  EXPECT_EQ(holder.read().body, "400");
  for (auto& x : waiting)
    EXPECT_EQ(x->read().body, "10");
  EXPECT_EQ(node.wait(), 0) << node.log();
}

TEST(node, takes_an_interrupt_as_it_takes_a_termination) {
  expect_drains_after(SIGINT);
}

TEST(node, ends_at_once_with_0_when_nothing_is_under_way) {
  testing::temporary_folder folder;
  node_process node{in(folder)};
  raw_client idle{node.port()};
  idle.send(request("POST", "/invoke/add", "[2,3]"));
  EXPECT_EQ(idle.read().body, "5");
  auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(node.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
  EXPECT_TRUE(idle.at_end());
}

TEST(node, is_not_ready_while_it_leaves_and_still_serves_in_its_grace) {
  testing::temporary_folder folder;
  node_process node{in(folder, {"--shutdown.grace", "2s"})};
  node.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return get(node, "/readyz").status == 503; }));
  auto x = get(node, "/readyz");
  EXPECT_EQ(x.error_type(), "shutting_down");
  EXPECT_EQ(x.effect(), "none");
  EXPECT_FALSE(x.field("Retry-After").empty());
  EXPECT_EQ(get(node, "/healthz").status, 200u);
  EXPECT_EQ(post(node, "/invoke/add", "[2,3]").body, "5");
  EXPECT_THAT(get(node, "/cluster").body, HasSubstr("\"draining\""));
  EXPECT_EQ(node.wait(), 0);
}

TEST(node, ends_at_once_at_a_second_signal) {
  testing::temporary_folder folder;
  auto settings = in(folder);
  settings.plugins.push_back(test_plugin("misbehaving"));
  node_process node{settings};
  raw_client holder{node.port()};
  hold(node, holder, 60'000);
  auto begin = std::chrono::steady_clock::now();
  node.signal(SIGTERM);
  ASSERT_TRUE(eventually(
    [&] { return node.log().find("leaving") != std::string::npos; }));
  node.signal(SIGTERM);
  auto status = node.wait();
  EXPECT_NE(status, -1);
  EXPECT_NE(status, 0); // calls were cut off
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
}

TEST(node, cuts_off_what_still_runs_when_its_time_to_leave_is_up) {
  testing::temporary_folder folder;
  auto settings = in(folder, {"--shutdown.timeout", "200ms"});
  settings.plugins.push_back(test_plugin("misbehaving"));
  node_process node{settings};
  raw_client holder{node.port()};
  hold(node, holder, 60'000);
  EXPECT_EQ(node.stop(), 1);
}

TEST(node, keeps_what_it_acknowledged_while_it_leaves_under_load) {
  testing::temporary_folder folder;
  std::atomic<int> acknowledged{0};
  {
    node_process node{in(folder)};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
      callers.emplace_back([&] {
        raw_client client{node.port()};
        auto call = request("POST", "/services/counter/k/increment");
        for (;;) {
          if (!client.send(call))
            return;
          auto x = client.read();
          if (x.status != 200) {
            // Gone, or told so: never an answer that leaves one guessing.
            EXPECT_TRUE(x.status == 0 || x.effect() == "none") << x.body;
            return;
          }
          ++acknowledged;
        }
      });
    EXPECT_TRUE(eventually([&] { return acknowledged > 200; }));
    EXPECT_EQ(node.stop(), 0) << node.log();
    for (auto& x : callers)
      x.join();
  }
  node_process node{in(folder)};
  EXPECT_EQ(post(node, "/services/counter/k/get").body,
            std::to_string(acknowledged));
}

} // namespace troupe::test
