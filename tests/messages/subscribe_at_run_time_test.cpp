// Subscriptions that are declared while nodes run: over HTTP and with the command
// line, at one node of several, and across restarts.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::test {

namespace {

using json = nlohmann::json;
using namespace std::chrono_literals;

json counting(const nats_server& server) {
  return {{"broker", server.url()}, {"topic", "meters.{key}.reading"},
          {"stream", "METERS"},     {"service", "counter"},
          {"method", "increment"},  {"ack-wait", "1s"},
          {"in-flight", 8}};
}

http_answer put(const node_process& node, const std::string& name,
                const json& fields) {
  return send(node, "PUT", "/subscriptions/" + name, fields.dump());
}

http_answer remove(const node_process& node, const std::string& name) {
  return send(node, "DELETE", "/subscriptions/" + name);
}

/// Those of a node, by name.
std::map<std::string, json> seen_by(const node_process& node) {
  std::map<std::string, json> result;
  auto body = json::parse(get(node, "/subscriptions").body);
  for (auto& x : body.at("subscriptions"))
    result[x.at("name")] = x;
  return result;
}

std::string state_of(const node_process& node, const std::string& name) {
  auto all = seen_by(node);
  auto i = all.find(name);
  return i == all.end() ? "" : i->second.at("state").get<std::string>();
}

std::string value_of(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/get").body;
}

std::string error_type(const http_answer& x) {
  return json::parse(x.body).at("errorType");
}

/// `eventually`, for what takes seconds and is asked of several nodes: each look
/// is a few connections, whose ports are not free again for a minute.
bool in_a_while(const std::function<bool()>& condition) {
  return eventually([&] {
    if (condition())
      return true;
    std::this_thread::sleep_for(50ms); // between two looks
    return false;
  });
}

/// A server with a stream of readings, and who fills it.
struct meters {
  nats_server server;
  nats_client client{server.url()};
  int sent = 0;

  meters() { client.add_stream("METERS", "meters.*.reading"); }

  void send(const std::string& key, int by) {
    client.publish_to_stream("meters." + key + ".reading", std::to_string(by),
                             "m" + std::to_string(++sent));
  }
};

} // namespace

TEST(subscribe_at_run_time, brings_messages_until_it_is_removed) {
  meters from;
  example_node node;
  auto made = put(node, "meters", counting(from.server));
  ASSERT_EQ(made.status, 200u) << made.body;
  auto body = json::parse(made.body);
  EXPECT_EQ(body.at("name"), "meters");
  EXPECT_EQ(body.at("declared"), "runtime");
  EXPECT_EQ(body.at("fields").at("in-flight"), "8");
  from.send("a", 4);
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "a") == "4"; }));
  auto shown = json::parse(get(node, "/subscriptions/meters").body);
  EXPECT_EQ(shown.at("state"), "connected");
  EXPECT_EQ(shown.at("fields").at("stream"), "METERS");
  auto metrics = get(node, "/metrics").body;
  for (auto line :
       {"troupe_subscription_owned{subscription=\"meters\"} 1",
        "troupe_subscription_lag{subscription=\"meters\"} 0",
        "troupe_subscription_done_total{subscription=\"meters\"} 1"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line;

  EXPECT_EQ(remove(node, "meters").status, 204u);
  EXPECT_TRUE(in_a_while([&] { return seen_by(node).empty(); }));
  EXPECT_EQ(get(node, "/subscriptions/meters").status, 404u);
  from.send("a", 5); // waits at the server
  ASSERT_EQ(put(node, "meters", counting(from.server)).status, 200u);
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "a") == "9"; }));
}

TEST(subscribe_at_run_time, is_there_again_after_a_restart) {
  meters from;
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  {
    node_process node{settings};
    ASSERT_EQ(put(node, "meters", counting(from.server)).status, 200u);
    node.kill();
  }
  from.send("a", 4);
  node_process node{settings};
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "a") == "4"; }));
  EXPECT_EQ(node.stop(), 0);
}

TEST(subscribe_at_run_time, the_same_again_changes_nothing_and_another_does) {
  meters from;
  example_node node;
  auto what = counting(from.server);
  ASSERT_EQ(put(node, "meters", what).status, 200u);
  ASSERT_TRUE(
    in_a_while([&] { return state_of(node, "meters") == "connected"; }));
  auto first = put(node, "meters", what);
  auto second = put(node, "meters", what);
  EXPECT_EQ(first.head.substr(first.head.find("ETag")).substr(0, 10),
            second.head.substr(second.head.find("ETag")).substr(0, 10));
  EXPECT_EQ(seen_by(node)["meters"].at("connections"), 1);

  what["topic"] = "meters.b.reading";
  what["key"] = "all";
  what["durable"] = "another";
  ASSERT_EQ(put(node, "meters", what).status, 200u);
  from.send("b", 3);
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "all") == "3"; }));
  EXPECT_EQ(seen_by(node)["meters"].at("topic"), "meters.b.reading");
  EXPECT_EQ(seen_by(node).size(), 1u);
}

TEST(subscribe_at_run_time, what_is_under_way_is_the_brokers_again) {
  meters from;
  example_node node;
  auto what = counting(from.server);
  what["ack-wait"] = "1h"; // else it comes by itself
  what["pause"] = what["pause-max"] = "1h";
  ASSERT_EQ(put(node, "meters", what).status, 200u);
  from.client.publish_to_stream("meters.a.reading", "9223372036854775807", "x");
  ASSERT_TRUE(in_a_while([&] { return value_of(node, "a") != "0"; }));
  from.send("a", 1); // overflows: waits for another attempt
  ASSERT_TRUE(
    in_a_while([&] { return seen_by(node)["meters"].at("retried") == 1; }));
  EXPECT_EQ(remove(node, "meters").status, 204u);
  EXPECT_TRUE(in_a_while([&] { return seen_by(node).empty(); }));

  what["service"] = "data_service";
  what["method"] = "set_data";
  ASSERT_EQ(put(node, "meters", what).status, 200u);
  EXPECT_TRUE(in_a_while([&] {
    return post(node, "/services/data_service/a/get_data").body == "1";
  }));
  EXPECT_EQ(seen_by(node)["meters"].at("redelivered"), 1);
}

TEST(subscribe_at_run_time, what_is_wrong_is_refused_and_changes_nothing) {
  nats_server server;
  auto good = counting(server);
  example_node node{
    {"--subscribe", "mine=broker:" + server.url() + ",topic:a,function:add"}};
  auto with = [&](const char* name, const json& value) {
    auto result = good;
    result[name] = value;
    return result;
  };
  struct wrong {
    const char* name;
    json fields;
    unsigned status;
    const char* type;
  };
  for (auto& x : {
         wrong{"a", json::array(), 400, "bad_request"},
         wrong{"a", json::object(), 400, "bad_request"},
         wrong{"a", with("colour", "red"), 400, "bad_request"},
         wrong{"a", with("broker", "http://h"), 400, "bad_request"},
         wrong{"a", with("in-flight", 0), 400, "bad_request"},
         wrong{"a", with("in-flight", 1.5), 400, "bad_request"},
         wrong{"a", with("durable", ""), 400, "bad_request"},
         wrong{"a", with("durable", nullptr), 400, "bad_request"},
         wrong{"a", with("function", "add"), 400, "bad_request"},
         wrong{"a", with("service", "nobody"), 404, "not_found"},
         wrong{"a", with("method", "dance"), 404, "not_found"},
         wrong{"a", with("service", "troupe-schedules"), 404, "not_found"},
         wrong{"a", with("qos", 1), 400, "bad_request"},
         wrong{"a", with("broker", "nats://h\r\nPUB"), 400, "bad_request"},
         wrong{"a", with("broker", "nats://h h"), 400, "bad_request"},
         wrong{"a", with("user", "a\nb"), 400, "bad_request"},
         wrong{"a", with("user", std::string{"a\0b", 3}), 400, "bad_request"},
         wrong{"a.b", good, 400, "bad_request"},
         wrong{"mine", good, 400, "bad_request"},
         wrong{"a", with("durable", std::string(70'000, 'x')), 413,
               "payload_too_large"},
       }) {
    auto answer = put(node, x.name, x.fields);
    EXPECT_EQ(answer.status, x.status) << x.fields << answer.body;
    EXPECT_EQ(error_type(answer), x.type) << x.fields << answer.body;
    EXPECT_EQ(json::parse(answer.body).at("effect"), "none") << x.fields;
  }
  EXPECT_EQ(send(node, "PUT", "/subscriptions/a", "{").status, 400u);
  auto twice = good.dump();
  twice.insert(1, R"("topic":"other",)");
  EXPECT_EQ(send(node, "PUT", "/subscriptions/a", twice).status, 400u) << twice;
  EXPECT_EQ(remove(node, "mine").status, 400u);
  EXPECT_EQ(remove(node, "a").status, 404u);
  EXPECT_EQ(get(node, "/subscriptions/a").status, 404u);
  EXPECT_EQ(get(node, "/subscriptions/a/b").status, 404u);
  EXPECT_EQ(post(node, "/subscriptions/a", good.dump()).status, 405u);
  EXPECT_EQ(
    post(node, "/services/troupe-subscriptions/all/remove", "\"a\"").status,
    404u);
  auto mine = json::parse(get(node, "/subscriptions/mine").body);
  EXPECT_EQ(mine.at("declared"), "option");
  EXPECT_EQ(seen_by(node).size(), 1u);
}

TEST(subscribe_at_run_time, what_options_call_is_looked_at_as_well) {
  nats_server server;
  auto of = "=broker:" + server.url() + ",topic:a.{key},";
  example_node node{{"--subscribe",
                     "a" + of + "service:counter,method:increment",
                     "--subscribe", "b" + of + "service:counter,method:dance",
                     "--subscribe", "c" + of + "service:nobody,method:dance",
                     "--subscribe", "d" + of + "function:nobody"}};
  for (auto line : {"--subscribe b: this node cannot call it: the service "
                    "'counter' has no method 'dance'",
                    "--subscribe c: this node cannot call it: ",
                    "--subscribe d: this node cannot call it: "})
    EXPECT_NE(node->log().find(line), std::string::npos)
      << line << " is not in " << node->log();
  EXPECT_EQ(node->log().find("--subscribe a:"), std::string::npos);
}

TEST(subscribe_at_run_time, names_no_file_but_those_of_the_secrets_folder) {
  testing::temporary_folder files;
  std::filesystem::create_directory(files.path() / "secrets");
  std::ofstream{files.path() / "secrets" / "broker"} << "secret\n";
  std::ofstream{files.path() / "other"} << "secret\n";
  nats_server server{"authorization { user: meter, password: secret }\n"};
  json good{{"broker", server.url()},
            {"topic", "sums"},
            {"function", "add"},
            {"user", "meter"}};
  auto with = [&](const char* field, const std::string& file) {
    auto result = good;
    result[field] = file;
    return result;
  };
  {
    example_node node;
    for (auto& file : {std::string{"broker"}, std::string{"/etc/passwd"},
                       (files.path() / "secrets/broker").string()}) {
      auto answer = put(node, "m", with("password-file", file));
      EXPECT_EQ(answer.status, 400u) << answer.body;
      EXPECT_EQ(error_type(answer), "bad_request");
      EXPECT_NE(answer.body.find("--secrets-folder"), std::string::npos);
    }
    EXPECT_EQ(get(node, "/subscriptions/m").status, 404u);
  }
  example_node node{{"--secrets-folder", (files.path() / "secrets").string()}};
  for (auto file : {"../other", "..", ".", "/etc/passwd", "a/broker",
                    "../secrets/broker"}) {
    EXPECT_EQ(put(node, "m", with("password-file", file)).status, 400u) << file;
    auto tls = with("ca", file);
    tls["broker"] = "tls://127.0.0.1:1";
    EXPECT_EQ(put(node, "m", tls).status, 400u) << file;
  }
  auto made = put(node, "m", with("password-file", "broker"));
  ASSERT_EQ(made.status, 200u) << made.body;
  EXPECT_TRUE(in_a_while([&] { return state_of(node, "m") == "connected"; }))
    << get(node, "/subscriptions/m").body;
  EXPECT_EQ(get(node, "/subscriptions/m").body.find(files.path().string()),
            std::string::npos);
}

TEST(subscribe_at_run_time, an_error_names_no_folder_of_the_node) {
  testing::temporary_folder files;
  nats_server server;
  mosquitto_server other;
  example_node node{{"--secrets-folder", files.path().string(), "--subscribe",
                     "mine=broker:" + server.url()
                       + ",topic:a,function:add,user:u,password-file:"
                       + (files.path() / "deep" / "own").string()}};
  for (auto& [name, url] : {std::pair{"n", server.url()}, {"m", other.url()}})
    ASSERT_EQ(put(node, name,
                  {{"broker", url},
                   {"topic", "a"},
                   {"function", "add"},
                   {"user", "u"},
                   {"password-file", "secret"}})
                .status,
              200u);
  for (auto [name, text] : {std::pair{"n", "cannot read 'secret': "},
                            {"m", "cannot read 'secret': "},
                            {"mine", "cannot read 'own': "}}) {
    auto why = [&] { return get(node, "/subscriptions/" + std::string{name}); };
    EXPECT_TRUE(
      in_a_while([&] { return why().body.find(text) != std::string::npos; }))
      << why().body;
    EXPECT_EQ(why().body.find(files.path().string()), std::string::npos)
      << why().body;
  }
  EXPECT_EQ(get(node, "/subscriptions").body.find(files.path().string()),
            std::string::npos);
  // The log is the operator's.
  EXPECT_TRUE(in_a_while([&] {
    return node->log().find((files.path() / "secret").string())
           != std::string::npos;
  }))
    << node->log();
}

TEST(subscribe_at_run_time, is_passed_over_by_a_node_without_its_files) {
  testing::temporary_folder files;
  testing::temporary_folder folder;
  nats_server server;
  node_settings settings;
  settings.folder = folder.path();
  auto plain = settings;
  settings.options = {"--secrets-folder", files.path().string()};
  {
    node_process node{settings};
    json what{{"broker", server.url()},
              {"topic", "sums"},
              {"function", "add"},
              {"user", "meter"},
              {"password-file", "p"}};
    ASSERT_EQ(put(node, "m", what).status, 200u);
    EXPECT_EQ(node.stop(), 0);
  }
  {
    node_process node{plain};
    EXPECT_TRUE(in_a_while([&] {
      return node.log().find("'m' is passed over: password-file")
             != std::string::npos;
    }));
    // It is shown, with why it is not there.
    ASSERT_EQ(state_of(node, "m"), "passed_over");
    auto alone = json::parse(get(node, "/subscriptions/m").body);
    for (auto& x : {seen_by(node)["m"], alone}) {
      EXPECT_EQ(x.at("state"), "passed_over");
      EXPECT_EQ(x.at("broker"), server.url());
      auto why = x.at("brokerError").get<std::string>();
      EXPECT_TRUE(why.starts_with("password-file: ")) << why;
    }
    auto list = cli(node, {"subscribe", "list"}).out;
    EXPECT_NE(list.find("passed_over"), std::string::npos) << list;
    EXPECT_NE(list.find("password-file: at run time"), std::string::npos)
      << list;
    EXPECT_EQ(remove(node, "m").status, 204u);
    EXPECT_TRUE(in_a_while([&] { return seen_by(node).empty(); }));
  }
  settings.options[1] += "/nowhere";
  auto refused = testing::run_process(node_command(settings));
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("secrets-folder: there is no folder"),
            std::string::npos)
    << refused.err;
}

TEST(subscribe_at_run_time, an_option_has_its_name_for_itself) {
  meters from;
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  auto plain = settings;
  settings.options = {"--subscribe", "meters=broker:" + from.server.url()
                                       + ",topic:sums,function:add"};
  {
    node_process node{plain};
    ASSERT_EQ(put(node, "meters", counting(from.server)).status, 200u);
    EXPECT_EQ(node.stop(), 0);
  }
  {
    node_process node{settings};
    EXPECT_TRUE(in_a_while([&] {
      return node.log().find("'meters' is passed over") != std::string::npos;
    }));
    ASSERT_EQ(seen_by(node).size(), 1u);
    EXPECT_EQ(seen_by(node)["meters"].at("declared"), "option");
    EXPECT_EQ(error_type(remove(node, "meters")), "bad_request");
    EXPECT_EQ(node.stop(), 0);
  }
  node_process node{plain};
  from.send("a", 4);
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "a") == "4"; }));
}

TEST(subscribe_at_run_time, every_node_of_a_cluster_has_it) {
  const words ids{"a", "b", "c"};
  mosquitto_server broker;
  node_cluster nodes;
  nodes.start_all(ids);
  auto states = [&] {
    std::multiset<std::string> result;
    for (auto& id : ids)
      result.insert(state_of(nodes[id], "meters"));
    return result;
  };
  auto fields = "broker:" + broker.url()
                + ",topic:meters/{key}/reading,service:counter,"
                  "method:increment,identity:property:id";
  auto added = cli(nodes["b"], {"subscribe", "add", "meters", fields});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_NE(added.out.find("meters/{key}/reading"), std::string::npos)
    << added.out;
  EXPECT_TRUE(in_a_while([&] {
    return states()
           == std::multiset<std::string>{"connected", "standby", "standby"};
  }));

  // Its owner dies, and another has it, as with --subscribe.
  std::string owner;
  for (auto& id : ids)
    if (state_of(nodes[id], "meters") == "connected")
      owner = id;
  ASSERT_FALSE(owner.empty());
  nodes[owner].kill();
  mqtt_client client{broker.port()};
  client.publish({.topic = "meters/k/reading",
                  .body = "4",
                  .qos = 1,
                  .properties = {{"id", "1"}}});
  nodes.start(owner);
  EXPECT_TRUE(in_a_while([&] { return value_of(nodes[owner], "k") == "4"; }));
  EXPECT_TRUE(in_a_while([&] {
    return states()
           == std::multiset<std::string>{"connected", "standby", "standby"};
  }));

  auto shown = cli(nodes["c"], {"subscribe", "show", "meters", "--json"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(json::parse(shown.out).at("fields").at("identity"), "property:id");
  EXPECT_EQ(cli(nodes["c"], {"subscribe", "remove", "meters"}).status, 0);
  EXPECT_TRUE(in_a_while([&] {
    return states() == std::multiset<std::string>{"", "", ""};
  }));
  EXPECT_EQ(cli(nodes["a"], {"subscribe", "remove", "meters"}).status, 1);
  EXPECT_EQ(cli(nodes["a"], {"subscribe", "add", "meters", "nonsense"}).status,
            2);
  EXPECT_EQ(cli(nodes["a"], {"subscribe", "add", "meters", "topic:a"}).status,
            1);
  EXPECT_EQ(cli(nodes["a"], {"subscribe", "add", "meters"}).status, 2);
  auto twice =
    cli(nodes["a"], {"subscribe", "add", "meters", "meters=" + fields});
  EXPECT_EQ(twice.status, 2);
  EXPECT_NE(twice.err.find("write troupe subscribe add meters " + fields),
            std::string::npos)
    << twice.err;
}

TEST(subscribe_at_run_time, what_is_published_once_the_command_is_done_comes) {
  mosquitto_server broker;
  example_node node;
  mqtt_client client{broker.port()};
  auto fields_of = [&](const std::string& topic) {
    return "broker:" + broker.url() + ",topic:" + topic
           + "/{key},service:counter,method:increment";
  };
  for (auto topic : {"a", "b"}) { // declared, and changed
    auto added = cli(node, {"subscribe", "add", "v", fields_of(topic)});
    EXPECT_EQ(added.status, 0) << added.err;
    EXPECT_NE(added.out.find("\nv: connected\n"), std::string::npos)
      << added.out;
    client.publish({.topic = topic + std::string{"/k"}, .body = "1", .qos = 1});
  }
  EXPECT_TRUE(in_a_while([&] { return value_of(node, "k") == "2"; }))
    << value_of(node, "k");
  auto shown = cli(node, {"subscribe", "show", "v"}).out;
  EXPECT_EQ(shown.find("topic"), shown.rfind("topic")) << shown;
  EXPECT_EQ(shown.find("brokerError"), std::string::npos) << shown;
}

TEST(subscribe_at_run_time, the_command_says_that_it_is_not_connected_yet) {
  example_node node;
  auto fields = "broker:mqtt://127.0.0.1:1,topic:a,function:add";
  auto added = cli(node, {"subscribe", "add", "v", fields, "--wait", "2s"});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_NE(added.out.find("\nv: connecting (cannot connect: "),
            std::string::npos)
    << added.out;
  EXPECT_NE(added.out.find("not connected yet"), std::string::npos);
  auto at_once = cli(node, {"subscribe", "add", "v", fields, "--wait", "0"});
  EXPECT_EQ(at_once.status, 0) << at_once.err;
  EXPECT_EQ(at_once.out.find("connect"), std::string::npos) << at_once.out;
  EXPECT_EQ(cli(node, {"subscribe", "add", "v", fields, "--wait", "x"}).status,
            2);
  auto mistaken = cli(
    node, {"subscribe", "add", "s", "broker=mqtt://h,topic=a,function=add"});
  EXPECT_EQ(mistaken.status, 2);
  EXPECT_NE(mistaken.err.find("a field has a colon after its name"),
            std::string::npos)
    << mistaken.err;
}

TEST(subscribe_at_run_time, says_what_is_missing_and_not_that_the_broker_is) {
  nats_server server;
  auto with = [&](const std::string& name, const std::string& more) {
    return name + "=broker:" + server.url() + ",topic:a,function:add," + more;
  };
  example_node node{{"--subscribe", with("b", "stream:NONE"), "--subscribe",
                     with("a", "user:u,password-file:/nowhere/p")}};
  for (auto text : {": there is no stream 'NONE' at the server",
                    ": cannot read '/nowhere/p': No such file or directory"})
    EXPECT_TRUE(
      in_a_while([&] { return node->log().find(text) != std::string::npos; }))
      << text << " is not in " << node->log();
  for (auto text : {"has no broker", ".c:"})
    EXPECT_EQ(node->log().find(text), std::string::npos) << node->log();
  auto list = cli(node, {"subscribe", "list"}).out;
  EXPECT_LT(list.find("\na "), list.find("\nb ")) << list;
}

} // namespace troupe::test
