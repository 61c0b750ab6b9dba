// Nodes that share a folder, as their users and operators see them.

#include <atomic>
#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/node_cluster.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

http_answer increment(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/increment");
}

TEST(cluster, answers_for_every_key_at_every_node) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  for (auto owner : {"a", "b", "c"}) {
    auto key = nodes.key_of(owner);
    int value = 0;
    for (auto asked : {"a", "b", "c"}) {
      auto x = increment(nodes[asked], key);
      EXPECT_EQ(x.body, std::to_string(++value)) << asked << " for " << owner;
      EXPECT_EQ(x.field("etag"), "\"" + std::to_string(value) + "\"");
      EXPECT_EQ(nodes.owner(asked, key), owner);
    }
  }
}

TEST(cluster, carries_errors_conditions_and_states_between_nodes) {
  node_cluster nodes;
  nodes.start_all({"a", "b"});
  auto key = nodes.key_of("b");
  auto path = "/services/counter/" + key;
  auto& a = nodes["a"];
  EXPECT_EQ(post(a, path + "/increment", "\"x\"").error_type(), "bad_request");
  EXPECT_EQ(post(a, path + "/nothing").error_type(), "not_found");
  EXPECT_EQ(post(a, path + "/increment", "5").body, "5");
  EXPECT_EQ(post(a, path + "/increment", "1", {"If-Match: \"7\""}).status,
            412u);
  EXPECT_EQ(post(a, path + "/increment", "1", {"If-Match: \"1\""}).body, "6");
  fields once{"Idempotency-Key: one"};
  EXPECT_EQ(post(a, path + "/increment", "1", once).body, "7");
  EXPECT_EQ(post(nodes["b"], path + "/increment", "1", once).body, "7");
  EXPECT_EQ(send(a, "PUT", path, R"({"value":40})").status, 204u);
  EXPECT_EQ(post(nodes["b"], path + "/get").body, "40");
  EXPECT_EQ(send(a, "DELETE", path).status, 204u);
  EXPECT_EQ(send(nodes["b"], "GET", path).status, 404u);
}

TEST(cluster, lists_its_nodes_and_shards_on_the_command_line) {
  node_cluster nodes{{"--cluster.shards", "64"}};
  nodes.start_all({"a", "b"});
  auto key = nodes.key_of("b");
  auto list = cli(nodes["a"], {"nodes", "--json"});
  ASSERT_EQ(json::parse(list.out).size(), 2u);
  EXPECT_EQ(json::parse(list.out)[1]["endpoint"], nodes["b"].url());
  auto shards = json::parse(cli(nodes["a"], {"shards", "--json"}).out);
  EXPECT_EQ(shards["shards"].size(), 64u);
  EXPECT_THAT(cli(nodes["a"], {"shards"}).out, HasSubstr("\nb     "));
  EXPECT_THAT(cli(nodes["a"], {"owner", "counter", key}).out,
              HasSubstr("\nb     "));
  EXPECT_EQ(json::parse(
              cli(nodes["b"], {"owner", "counter", key, "--json"}).out)["node"],
            "b");
}

TEST(cluster, goes_on_after_kill_9_with_all_that_was_acknowledged) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  auto key = nodes.key_of("b");
  for (int i = 1; i <= 10; ++i)
    ASSERT_EQ(increment(nodes["a"], key).body, std::to_string(i));
  nodes["b"].kill();
  auto begin = std::chrono::steady_clock::now();
  auto x = increment(nodes["a"], key);
  auto took = std::chrono::steady_clock::now() - begin;
  if (x.status == 504u) { // it was sent into a link that was about to break
    x = increment(nodes["a"], key);
  }
  EXPECT_THAT(x.body, ::testing::AnyOf("11", "12")) << x.body;
  EXPECT_NE(nodes.owner("a", key), "b");
  std::cout
    << "takeover: "
    << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
    << " ms\n";
  nodes.forget("b");
  nodes.settle();
  EXPECT_EQ(nodes.seen_by("c").size(), 2u);
}

/// Increments many keys through some nodes until it is told to stop.
class callers {
public:
  callers(std::vector<const node_process*> through, size_t keys)
    : counts_(keys) {
    for (size_t i = 0; i < keys; ++i)
      threads_.emplace_back(
        [this, i, node = through[i % through.size()]] { call(*node, i); });
  }

  ~callers() { end(); }

  void end() {
    done_ = true;
    for (auto& x : threads_)
      if (x.joinable())
        x.join();
  }

  static std::string key(size_t i) { return "caller" + std::to_string(i); }

  /// Calls that were answered, by key.
  const std::vector<std::atomic<int>>& counts() const { return counts_; }

  size_t failures() const { return failures_; }

  std::string first_failure() {
    std::lock_guard guard{mutex_};
    return first_;
  }

private:
  void call(const node_process& node, size_t i) {
    raw_client client{node.port()};
    while (!done_) {
      client.send(
        request("POST", "/services/counter/" + key(i) + "/increment"));
      auto x = client.read();
      if (x.status == 200u) {
        ++counts_[i];
        continue;
      }
      ++failures_;
      std::lock_guard guard{mutex_};
      if (first_.empty())
        first_ = std::to_string(x.status) + " " + x.body;
      if (x.status == 0)
        return;
    }
  }

  std::atomic<bool> done_{false};
  std::vector<std::atomic<int>> counts_;
  std::atomic<size_t> failures_{0};
  std::mutex mutex_;
  std::string first_;
  std::vector<std::thread> threads_;
};

TEST(cluster, fails_no_call_while_nodes_are_drained_and_come_back) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  callers under_load{{&nodes["a"]}, 8};
  for (auto id : {"b", "c"}) {
    auto x = cli(nodes["a"], {"drain", id});
    EXPECT_EQ(x.status, 0) << x.err;
    EXPECT_EQ(nodes[id].wait(), 0) << nodes[id].log();
    EXPECT_EQ(nodes.seen_by("a").count(id), 0u);
    nodes.start(id);
  }
  under_load.end();
  EXPECT_EQ(under_load.failures(), 0u) << under_load.first_failure();
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ(
      post(nodes["b"], "/services/counter/" + callers::key(i) + "/get").body,
      std::to_string(under_load.counts()[i]));
}

TEST(cluster, leaves_in_order_on_sigterm_and_comes_back) {
  node_cluster nodes;
  nodes.start_all({"a", "b"});
  auto key = nodes.key_of("a");
  EXPECT_EQ(increment(nodes["b"], key).body, "1");
  EXPECT_EQ(nodes["a"].stop(), 0) << nodes["a"].log();
  EXPECT_EQ(increment(nodes["b"], key).body, "2");
  EXPECT_EQ(nodes.owner("b", key), "b");
  nodes.start("a");
  EXPECT_EQ(increment(nodes["a"], key).body, "3");
}

TEST(cluster, the_last_node_that_leaves_leaves_everything_to_the_next) {
  node_cluster nodes;
  nodes.start("a");
  EXPECT_EQ(increment(nodes["a"], "k").body, "1");
  EXPECT_EQ(nodes["a"].stop(), 0) << nodes["a"].log();
  nodes.forget("a");
  nodes.start("b");
  EXPECT_EQ(increment(nodes["b"], "k").body, "2");
}

TEST(cluster, a_paused_node_serves_nothing_when_it_wakes) {
  node_cluster nodes;
  nodes.start_all({"a", "b"});
  auto key = nodes.key_of("b");
  EXPECT_EQ(increment(nodes["b"], key).body, "1");
  nodes["b"].signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return nodes.owner("a", key) == "a"; }));
  auto x = increment(nodes["a"], key);
  EXPECT_EQ(x.body, "2");
  nodes["b"].signal(SIGCONT);
  // Whatever it believes: it answers with what the other one has done.
  EXPECT_EQ(post(nodes["b"], "/services/counter/" + key + "/get").body, "2");
  ASSERT_TRUE(eventually([&] { return nodes.seen_by("b").size() == 2; }));
  nodes.settle();
  EXPECT_EQ(nodes.metric("b", "troupe_cluster_fenced_total"), 1);
  EXPECT_EQ(increment(nodes["b"], key).body, "3");
}

// -- what does not fit -------------------------------------------------------

std::string refusal(const node_settings& settings) {
  try {
    node_process node{settings};
    return "it started";
  } catch (const std::runtime_error& e) {
    return e.what();
  }
}

TEST(cluster, and_a_node_by_itself_exclude_each_other_on_a_folder) {
  node_cluster nodes;
  nodes.start("a");
  node_settings alone;
  alone.folder = nodes.folder();
  EXPECT_THAT(refusal(alone), HasSubstr("in use by another node"));
  nodes["a"].kill();
  node_process first{alone};
  node_settings member = alone;
  member.options = {"--cluster.listen", "127.0.0.1:0"};
  EXPECT_THAT(refusal(member), HasSubstr("has it alone"));
}

TEST(cluster, refuses_a_node_with_another_number_of_shards) {
  node_cluster nodes;
  nodes.start("a");
  node_settings other;
  other.folder = nodes.folder();
  other.options = {"--node.id",        "b", "--cluster.listen", "127.0.0.1:0",
                   "--cluster.shards", "64"};
  EXPECT_THAT(refusal(other), HasSubstr("1024 shards"));
}

TEST(cluster, refuses_a_node_whose_id_is_taken) {
  node_cluster nodes;
  nodes.start_all({"a", "b"});
  node_settings other;
  other.folder = nodes.folder();
  other.options = {"--node.id", "a", "--cluster.listen", "127.0.0.1:0"};
  EXPECT_THAT(refusal(other), HasSubstr("node 'a' is there already"));
  EXPECT_EQ(increment(nodes["b"], nodes.key_of("a")).body, "1");
  // When the first one has died, there is nothing in the way of the next.
  nodes["a"].kill();
  nodes.start("a");
}

TEST(cluster, refuses_a_port_that_is_taken) {
  node_cluster nodes;
  nodes.start("a");
  auto link = nodes.seen_by("a").at("a").at("link").get<std::string>();
  node_settings other;
  other.folder = nodes.folder();
  other.options = {"--node.id", "b", "--cluster.listen", link};
  EXPECT_THAT(refusal(other), HasSubstr(link.substr(link.rfind(':') + 1)));
}

TEST(cluster, refuses_certificates_that_cannot_be_used) {
  testing::temporary_folder folder;
  node_settings x;
  x.folder = folder.path();
  x.options = {"--cluster.listen", "127.0.0.1:0", "--cluster.ca",  "/no/ca.pem",
               "--cluster.cert",   "/no/c.pem",   "--cluster.key", "/no/c.key"};
  EXPECT_THAT(refusal(x), HasSubstr("/no/ca.pem"));
}

// -- TLS ---------------------------------------------------------------------

/// The files of a node, made by `troupe certs`.
words certificates(const std::filesystem::path& folder, const std::string& id) {
  testing::process_input input;
  input.command = {TROUPE_BINARY, "certs", id, "--dir", folder.string()};
  auto made = testing::run_process(input);
  if (made.status != 0)
    throw std::runtime_error(made.err);
  return {"--cluster.ca",   (folder / "ca.pem").string(),
          "--cluster.cert", (folder / (id + ".pem")).string(),
          "--cluster.key",  (folder / (id + ".key")).string()};
}

TEST(cluster, with_certificates_lets_in_nobody_who_has_none) {
  testing::temporary_folder certs;
  testing::temporary_folder others;
  node_cluster nodes;
  nodes.start("a", certificates(certs.path(), "a"));
  nodes.start("b", certificates(certs.path(), "b"));
  nodes.settle();
  auto key = nodes.key_of("b");
  EXPECT_EQ(increment(nodes["a"], key).body, "1");
  auto a_link = nodes.seen_by("a").at("a").at("link").get<std::string>();
  auto before = get(nodes["a"], "/cluster/shards").body;
  // They share the store; but no call would get through to them.
  nodes.start("plain");
  nodes.start("stranger", certificates(others.path(), "stranger"));
  for (auto id : {"plain", "stranger"}) {
    EXPECT_EQ(nodes.seen_by("a").at(id).at("state"), "joining");
    EXPECT_EQ(get(nodes[id], "/readyz").status, 503u);
    EXPECT_THAT(
      nodes[id].log(),
      AllOf(HasSubstr("linked to 0 of 2 others: cannot link to "),
            HasSubstr("cannot link to node 'a' at " + a_link + ": ")));
    auto text = get(nodes[id], "/metrics").body;
    EXPECT_THAT(text, HasSubstr("troupe_link_up{node=\"a\"} 0"));
    EXPECT_THAT(
      get(nodes["a"], "/metrics").body,
      HasSubstr("troupe_link_up{node=\"" + std::string{id} + "\"} 0"));
  }
  EXPECT_THAT(nodes["stranger"].log(), HasSubstr("certificate"));
  EXPECT_THAT(
    nodes["stranger"].log(),
    ::testing::ContainsRegex("a link from 127.0.0.1:[0-9]+ was refused: "));
  EXPECT_THAT(
    nodes["a"].log(),
    ::testing::ContainsRegex("a link from 127.0.0.1:[0-9]+ was refused: TLS"));
  EXPECT_EQ(get(nodes["a"], "/cluster/shards").body, before);
  EXPECT_EQ(increment(nodes["a"], key).body, "2");
  EXPECT_EQ(nodes["stranger"].stop(), 0) << nodes["stranger"].log();
}

// -- what an operator meets ----------------------------------------------------

TEST(cluster, names_the_node_that_lacks_a_service) {
  node_cluster nodes;
  nodes.start("a");
  node_settings bare;
  bare.folder = nodes.folder();
  bare.plugins = {};
  bare.options = {"--node.id", "d", "--cluster.listen", "127.0.0.1:0"};
  node_process d{bare};
  std::string key;
  ASSERT_TRUE(eventually([&] {
    for (int i = 0; i < 50 && key.empty(); ++i)
      if (auto x = "k" + std::to_string(i); nodes.owner("a", x) == "d")
        key = x;
    return !key.empty();
  }));
  auto x = increment(nodes["a"], key);
  EXPECT_EQ(x.status, 404u);
  EXPECT_THAT(x.body, HasSubstr("node 'd' has no service 'counter'"));
}

TEST(cluster, frees_the_ports_of_a_node_that_was_drained) {
  node_cluster nodes;
  nodes.start_all({"a", "b"});
  auto b_link = nodes.seen_by("a").at("b").at("link").get<std::string>();
  auto b_http = nodes["b"].url().substr(std::string_view{"http://"}.size());
  // It takes its time to end.
  std::thread caller{[&] { post(nodes["b"], "/invoke/sleep", "4000"); }};
  auto drained = cli(nodes["a"], {"drain", "b"});
  EXPECT_EQ(drained.status, 0) << drained.err;
  node_settings next;
  next.folder = nodes.folder();
  next.bare = true;
  next.options = {"--node.id",        "b",
                  "--http.listen",    b_http,
                  "--cluster.listen", b_link,
                  "--data-dir",       nodes.folder().string(),
                  "--plugin",         examples_plugin()};
  EXPECT_NO_THROW({
    node_process again{next};
    EXPECT_EQ(get(again, "/readyz").status, 200u);
  });
  caller.join();
  EXPECT_EQ(nodes["b"].wait(), 0) << nodes["b"].log();
}

TEST(cluster, says_in_the_log_who_comes_and_goes) {
  node_cluster nodes;
  nodes.start_all({"a", "b", "c"});
  auto key = nodes.key_of("c");
  EXPECT_EQ(cli(nodes["a"], {"drain", "b"}).status, 0);
  EXPECT_EQ(nodes["b"].wait(), 0);
  nodes["c"].kill();
  ASSERT_TRUE(eventually([&] { return nodes.owner("a", key) == "a"; }));
  auto log = [&] { return nodes["a"].log(); };
  EXPECT_TRUE(eventually([&] {
    return log().find("declared dead") != std::string::npos
           && log().find("shards of dead nodes over") != std::string::npos;
  }))
    << log();
  EXPECT_THAT(log(), HasSubstr("info: this node is up, the only one\n"));
  EXPECT_THAT(log(), HasSubstr("info: node 'b' joined\n"));
  EXPECT_THAT(log(), HasSubstr("info: node 'c' joined\n"));
  EXPECT_THAT(log(), HasSubstr("info: node 'b' left\n")) << nodes["b"].log();
  EXPECT_THAT(log(),
              HasSubstr("warning: node 'c' declared dead by this node\n"));
  EXPECT_THAT(log(), HasSubstr("the link to node 'c' is lost: "));
  EXPECT_THAT(log(), ::testing::Not(HasSubstr("link to node 'b' is lost")));
}

} // namespace
} // namespace troupe::test
