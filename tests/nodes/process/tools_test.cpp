// What operators use on a real node: metrics, the command line, and the three
// places where options come from.

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using json = nlohmann::json;

namespace troupe::test {

namespace {

/// Every sample of a Prometheus text, by name and labels; fails the test at a
/// line that is none.
std::map<std::string, double> parse_metrics(const std::string& text) {
  static const std::regex comment{
    "# (HELP [a-zA-Z_:][a-zA-Z0-9_:]* .*|TYPE [a-zA-Z_:][a-zA-Z0-9_:]* "
    "(counter|gauge|histogram|summary|untyped))"};
  static const std::regex sample{
    "([a-zA-Z_:][a-zA-Z0-9_:]*(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\\n]|\\\\["
    "\\\\"
    "\"n])*\"(,[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\\n]|\\\\[\\\\\"n])*\")*\\})?) "
    "([-+]?[0-9.]+(e[-+]?[0-9]+)?|[+-]Inf|NaN)"};
  EXPECT_TRUE(text.ends_with('\n'));
  std::map<std::string, double> result;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, sample)) {
      EXPECT_TRUE(std::regex_match(line, comment)) << line;
      continue;
    }
    EXPECT_TRUE(result.emplace(match[1], std::stod(match[6])).second) << line;
  }
  return result;
}

std::map<std::string, double> metrics(const node_process& node) {
  return parse_metrics(get(node, "/metrics").body);
}

std::string of_function(const std::string& family, const std::string& name) {
  return family + "{kind=\"function\",name=\"" + name + "\",version=\"1\"}";
}

std::string of_service(const std::string& family, const std::string& name) {
  return family + "{kind=\"service\",name=\"" + name + "\"}";
}

} // namespace

// -- metrics -----------------------------------------------------------------

TEST(metrics, count_what_was_called) {
  example_node node;
  EXPECT_THAT(get(node, "/metrics").field("Content-Type"),
              StartsWith("text/plain; version=0.0.4"));
  for (int i = 0; i < 7; ++i)
    post(node, "/invoke/add", "[2,3]");
  for (int i = 0; i < 3; ++i)
    post(node, "/invoke/fail", "x");
  for (int i = 0; i < 4; ++i)
    post(node, "/services/counter/k" + std::to_string(i) + "/increment");
  auto x = metrics(node);
  EXPECT_EQ(x[of_function("troupe_calls_total", "add")], 7);
  EXPECT_EQ(x[of_function("troupe_call_failures_total", "add")], 0);
  EXPECT_EQ(x[of_function("troupe_calls_total", "fail")], 3);
  EXPECT_EQ(x[of_function("troupe_call_failures_total", "fail")], 3);
  EXPECT_EQ(x[of_function("troupe_calls_total", "echo")], 0);
  EXPECT_EQ(x[of_function("troupe_instances", "echo")], 0);
  EXPECT_EQ(x[of_service("troupe_calls_total", "counter")], 4);
  EXPECT_EQ(x[of_service("troupe_instances", "counter")], 4);
  EXPECT_EQ(x["troupe_http_requests_total"], 16); // with those of /metrics
  EXPECT_EQ(
    x["troupe_call_duration_seconds_count{kind=\"function\",name=\"add\","
      "version=\"1\"}"],
    7);
}

TEST(metrics, of_a_histogram_add_up) {
  example_node node;
  for (int i = 0; i < 5; ++i)
    post(node, "/invoke/sleep", "20");
  double last = 0;
  auto all = 0;
  auto x = metrics(node);
  std::map<double, double> by_bound;
  for (auto& [name, value] : x) {
    std::smatch match;
    static const std::regex bucket{
      "troupe_call_duration_seconds_bucket\\{.*name=\"sleep\".*le=\"(.*)\"\\}"};
    if (!std::regex_match(name, match, bucket))
      continue;
    auto bound = match[1] == "+Inf" ? std::numeric_limits<double>::infinity()
                                    : std::stod(match[1]);
    by_bound[bound] = value;
    ++all;
  }
  ASSERT_GT(all, 5);
  for (auto& [bound, value] : by_bound) {
    EXPECT_GE(value, last);
    last = value;
    if (bound < 0.005) {
      EXPECT_EQ(value, 0) << bound;
    }
  }
  EXPECT_EQ(last, 5);
  auto sum = x[of_function("troupe_call_duration_seconds_sum", "sleep")];
  EXPECT_GE(sum, 5 * 0.020);
}

TEST(metrics, show_what_runs_waits_and_was_refused) {
  example_node node{{"--limit", "hold=concurrency:1,queue:1"},
                    {test_plugin("misbehaving")}};
  raw_client runs{node->port()};
  raw_client waits{node->port()};
  runs.send(request("POST", "/invoke/hold", "60000"));
  auto becomes = [&](const char* family, double value) {
    return eventually(
      [&] { return metrics(node)[of_function(family, "hold")] == value; });
  };
  EXPECT_TRUE(becomes("troupe_calls_in_flight", 1));
  waits.send(request("POST", "/invoke/hold", "0"));
  EXPECT_TRUE(becomes("troupe_calls_queued", 1));
  EXPECT_EQ(post(node, "/invoke/hold", "0").status, 429u);
  EXPECT_TRUE(becomes("troupe_calls_rejected_total", 1));
}

TEST(metrics, count_requests_that_were_not_understood) {
  example_node node;
  ask(node->port(), "garbage\r\n\r\n");
  EXPECT_EQ(metrics(node)["troupe_http_requests_refused_total"], 1);
}

TEST(metrics, count_what_became_of_locks) {
  example_node node;
  auto ask = [&](const char* body = "") {
    return post(node, "/locks/door", body).status;
  };
  EXPECT_EQ(ask(), 200u);
  EXPECT_EQ(ask(), 409u);
  raw_client waiting{node->port()};
  waiting.send(request("POST", "/locks/door", R"({"waitMs":60000})"));
  EXPECT_TRUE(
    eventually([&] { return metrics(node)["troupe_locks_awaited"] == 1; }));
  EXPECT_EQ(metrics(node)["troupe_locks_held"], 1);
  EXPECT_EQ(send(node, "DELETE", "/locks/door?token=1").status, 204u);
  EXPECT_EQ(waiting.read().status, 200u);
  EXPECT_EQ(send(node, "PUT", "/locks/door", R"({"token":1})").status, 409u);
  EXPECT_EQ(
    post(node, "/services/counter/k/increment", "1", {"Troupe-Lock: door=1"})
      .status,
    409u);
  auto x = metrics(node);
  EXPECT_EQ(x["troupe_locks_held"], 1);
  EXPECT_EQ(x["troupe_locks_awaited"], 0);
  EXPECT_EQ(x["troupe_lock_grants_total"], 2);
  EXPECT_EQ(x["troupe_lock_waits_total"], 1);
  EXPECT_EQ(x["troupe_lock_timeouts_total"], 1);
  EXPECT_EQ(x["troupe_lock_renewals_refused_total"], 1);
  EXPECT_EQ(x["troupe_lock_commits_refused_total"], 1);
  EXPECT_EQ(x["troupe_lock_wait_seconds_count"], 2);
  EXPECT_EQ(x["troupe_lock_wait_seconds_bucket{le=\"+Inf\"}"], 2);
  EXPECT_EQ(send(node, "DELETE", "/locks/door?token=2").status, 204u);
  EXPECT_EQ(metrics(node)["troupe_locks_held"], 0);
}

// -- the command line --------------------------------------------------------

TEST(command_line, calls_functions_and_services_of_a_real_node) {
  example_node node;
  auto sum = cli(node, {"invoke", "add", "-d", "[2,3]"});
  EXPECT_EQ(sum.status, 0) << sum.err;
  EXPECT_EQ(sum.out, "5\n");
  std::string bytes{"a\0\xFF\n", 4};
  auto echo = cli(node, {"invoke", "echo", "-d", "-"}, bytes);
  EXPECT_EQ(echo.out, bytes);
  auto set = cli(node, {"call", "data_service", "user/\xC3\xA4 1", "set_data",
                        "-d", R"({"name":"Ada"})"});
  EXPECT_EQ(set.status, 0) << set.err;
  EXPECT_EQ(set.out, "{\"name\":\"Ada\"}\n");
  EXPECT_EQ(
    cli(node, {"invoke", "data_function", "-d", "\"user/\xC3\xA4 1\""}).out,
    "{\"name\":\"Ada\"}\n");
  EXPECT_EQ(cli(node, {"call", "counter", "k", "increment", "-d", "2"}).out,
            "2\n");
  EXPECT_EQ(cli(node, {"call", "counter", "k", "get"}).out, "2\n");
}

TEST(command_line, sends_qualifiers_keys_and_deadlines_that_a_node_takes) {
  example_node node;
  std::string key;
  for (int i = 0; i < 256; ++i)
    key += "\xC3\xA4"; // 512 bytes
  auto x = cli(node, {"invoke", "add", "-d", "[2,3]", "--qualifier", "$LATEST",
                      "--key", key, "--timeout", "5s"});
  EXPECT_EQ(x.out, "5\n") << x.err;
  EXPECT_EQ(cli(node, {"invoke", "add", "-d", "[2,3]", "--qualifier", "1",
                       "--key", "100%/a"})
              .out,
            "5\n");
  auto late =
    cli(node, {"invoke", "sleep", "-d", "60000", "--timeout", "20ms"});
  EXPECT_EQ(late.status, 1);
  EXPECT_EQ(late.out, "");
  EXPECT_THAT(late.err,
              AllOf(HasSubstr("deadline_exceeded"), HasSubstr("unknown")));
}

TEST(command_line, shows_the_errors_of_a_real_node) {
  example_node node;
  struct row {
    words arguments;
    const char* type;
    const char* effect;
  };
  const std::vector<row> rows{
    {{"invoke", "nobody"}, "not_found", "none"},
    {{"invoke", "add", "-d", "[1]"}, "bad_request", "none"},
    {{"invoke", "fail", "-d", "boom"}, "std::runtime_error: boom", "ran"},
    {{"invoke", "nobody", "--async"}, "not_found", "none"},
    {{"call", "counter", "k", "increment", "--if-match", "5"},
     "revision_mismatch",
     "none"},
    {{"call", "counter", "k", "nobody"}, "not_found", "none"}};
  for (auto& row : rows) {
    auto x = cli(node, row.arguments);
    EXPECT_EQ(x.status, 1) << row.type;
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, AllOf(StartsWith("error: "), HasSubstr(row.type),
                             HasSubstr(row.effect)));
  }
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "0");
}

TEST(command_line, lists_what_a_real_node_serves) {
  example_node node{{"--node.id", "first"}};
  EXPECT_EQ(cli(node, {"functions"}).out, "FUNCTION       KIND      VERSIONS\n"
                                          "add            function  1\n"
                                          "data_function  function  1\n"
                                          "echo           function  1\n"
                                          "fail           function  1\n"
                                          "sleep          function  1\n");
  EXPECT_EQ(cli(node, {"services"}).out,
            "SERVICE       SCHEMA  METHODS\n"
            "counter       1       increment, get\n"
            "data_service  1       set_data, get_data\n");
  EXPECT_THAT(
    cli(node, {"nodes"}).out,
    AllOf(HasSubstr("first"), HasSubstr("up"), HasSubstr(node->url())));
  auto functions = json::parse(cli(node, {"functions", "--json"}).out);
  EXPECT_EQ(functions.size(), 5u);
  EXPECT_EQ(functions[0]["name"], "add");
  auto services = json::parse(cli(node, {"services", "--json"}).out);
  EXPECT_EQ(services.size(), 2u);
  auto nodes = json::parse(cli(node, {"nodes", "--json"}).out);
  EXPECT_EQ(nodes[0]["id"], "first");
  EXPECT_EQ(nodes[0]["endpoint"], node->url());
}

namespace {

/// The first one; the number behind `#`, if there is one, may be any.
const json* find_actor(const json& actors, const std::string& kind,
                       const std::string& name) {
  for (auto& x : actors) {
    auto found = x["name"].get<std::string>();
    if (x["kind"] == kind && found.substr(0, found.find('#')) == name)
      return &x;
    if (auto below = find_actor(x["children"], kind, name))
      return below;
  }
  return nullptr;
}

} // namespace

TEST(command_line, shows_the_tree_of_a_real_node_with_what_runs_in_it) {
  example_node node;
  raw_client sleeper{node->port()};
  sleeper.send(request("POST", "/invoke/sleep", "60000"));
  post(node, "/services/counter/visits/increment");
  ASSERT_TRUE(eventually([&] {
    return cli(node, {"tree"}).out.find("sleep, ") != std::string::npos;
  }));
  auto text = cli(node, {"tree"});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, AllOf(StartsWith("ACTOR"), HasSubstr("pool sleep:1"),
                              HasSubstr("instance 0"), HasSubstr("router"),
                              HasSubstr("activation visits")));
  auto tree = json::parse(cli(node, {"tree", "--json"}).out);
  auto pool = find_actor(tree, "pool", "sleep:1");
  ASSERT_TRUE(pool);
  EXPECT_EQ((*pool)["state"], "up");
  auto instance = (*pool)["children"][0];
  EXPECT_EQ(instance["handler"], "sleep");
  EXPECT_GT(instance["runningUs"], 0);
  auto activation = find_actor(tree, "activation", "visits");
  ASSERT_TRUE(activation);
  EXPECT_EQ((*activation)["restarts"], 0);
}

namespace {

size_t active_entities(const node_process& node) {
  auto tree = json::parse(cli(node, {"tree", "--json"}).out);
  auto host = find_actor(tree, "host", "counter");
  return host ? (*host)["children"].size() : SIZE_MAX;
}

} // namespace

TEST(command_line, says_when_an_entity_leaves_the_memory) {
  example_node node{{"--service.idle-time", "50ms"}};
  post(node, "/services/counter/visits/increment");
  EXPECT_TRUE(eventually([&] { return active_entities(node) == 0; }));
  EXPECT_EQ(post(node, "/services/counter/visits/increment").body, "2");
}

TEST(command_line, bounds_the_entities_that_are_in_memory) {
  example_node node{{"--service.activations", "3"}};
  for (int i = 0; i < 20; ++i)
    post(node, "/services/counter/k" + std::to_string(i) + "/increment");
  EXPECT_TRUE(eventually([&] { return active_entities(node) == 3; }));
  EXPECT_EQ(post(node, "/services/counter/k0/increment").body, "2");
}

// -- options -----------------------------------------------------------------

namespace {

/// Sees four options through what a node does.
void expect_set(const node_process& node, const std::string& id) {
  auto body = json::parse(get(node, "/cluster").body);
  EXPECT_EQ(body["nodes"][0]["id"], id);
  EXPECT_EQ(post(node, "/invoke/add", "[2,3]").body, "5");
  EXPECT_EQ(post(node, "/invoke/sleep", "60000").status, 504u); // the limit
  EXPECT_EQ(post(node, "/invoke/echo", std::string(2001, 'x')).status, 413u);
  EXPECT_EQ(post(node, "/invoke/echo", std::string(2000, 'x')).status, 200u);
}

} // namespace

TEST(options, from_the_command_line_the_environment_and_a_file_do_the_same) {
  testing::temporary_folder folder;
  auto data = folder.path() / "data";
  auto file = folder.path() / "troupe.ini";
  std::ofstream{file} << "# comment\n"
                         "data-dir = "
                      << data.string()
                      << "\n"
                         "plugin = "
                      << examples_plugin()
                      << "\n"
                         "limit = sleep=timeout:20ms\n"
                         "[http]\n"
                         "listen = 127.0.0.1:0\n"
                         "body-size = 2000\n"
                         "[node]\n"
                         "id = same\n";
  node_settings by_line;
  by_line.bare = true;
  by_line.options = {"--data-dir",       data.string(),
                     "--plugin",         examples_plugin(),
                     "--limit",          "sleep=timeout:20ms",
                     "--http.listen",    "127.0.0.1:0",
                     "--http.body-size", "2000",
                     "--node.id",        "same"};
  node_settings by_environment;
  by_environment.bare = true;
  by_environment.environment = {
    "TROUPE_DATA_DIR=" + data.string(), "TROUPE_PLUGIN=" + examples_plugin(),
    "TROUPE_LIMIT=sleep=timeout:20ms",  "TROUPE_HTTP_LISTEN=127.0.0.1:0",
    "TROUPE_HTTP_BODY_SIZE=2000",       "TROUPE_NODE_ID=same"};
  node_settings by_file;
  by_file.bare = true;
  by_file.options = {"--config", file.string()};
  node_settings by_named_file;
  by_named_file.bare = true;
  by_named_file.environment = {"TROUPE_CONFIG=" + file.string()};
  for (auto& settings : {by_line, by_environment, by_file, by_named_file}) {
    node_process node{settings};
    expect_set(node, "same");
    EXPECT_EQ(node.stop(), 0);
  }
  EXPECT_TRUE(std::filesystem::exists(data / "data.db"));
}

TEST(options, on_the_command_line_go_before_the_environment_before_the_file) {
  testing::temporary_folder folder;
  auto file = folder.path() / "troupe.ini";
  std::ofstream{file} << "[http]\nlisten = 127.0.0.1:0\nbody-size = 1000\n"
                         "[node]\nid = of-file\n"
                         "[shutdown]\ntimeout = 3s\n";
  auto start = [&](words options, words environment) {
    node_settings result;
    result.bare = true;
    result.options = {"--config", file.string(), "--store",
                      "memory:",  "--plugin",    examples_plugin()};
    result.options.insert(result.options.end(), options.begin(), options.end());
    result.environment = std::move(environment);
    return result;
  };
  auto id = [](const node_process& node) {
    return json::parse(get(node, "/cluster").body)["nodes"][0]["id"];
  };
  EXPECT_EQ(id(node_process{start({}, {})}), "of-file");
  EXPECT_EQ(id(node_process{start({}, {"TROUPE_NODE_ID=of-env"})}), "of-env");
  EXPECT_EQ(id(node_process{
              start({"--node.id", "of-line"}, {"TROUPE_NODE_ID=of-env"})}),
            "of-line");
  node_process mixed{
    start({"--node.id", "of-line"}, {"TROUPE_HTTP_BODY_SIZE=2000"})};
  EXPECT_EQ(id(mixed), "of-line");
  EXPECT_EQ(post(mixed, "/invoke/echo", std::string(2000, 'x')).status, 200u);
  EXPECT_EQ(post(mixed, "/invoke/echo", std::string(2001, 'x')).status, 413u);
}

TEST(options, that_a_file_gets_wrong_are_refused_with_the_line) {
  testing::temporary_folder folder;
  auto file = folder.path() / "troupe.ini";
  std::ofstream{file} << "[http]\nlisten = 127.0.0.1:0\nthread = 2\n";
  node_settings settings;
  settings.bare = true;
  settings.options = {"--config", file.string()};
  auto x = testing::run_process(node_command(settings));
  EXPECT_EQ(x.status, 2);
  EXPECT_THAT(x.err, HasSubstr(file.string() + ":3"));
}

} // namespace troupe::test
