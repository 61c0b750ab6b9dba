// The options of a node: where they come from, which source wins, and that
// every wrong value is refused with a text that says where it stands.

#include "nodes/options.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <gmock/gmock.h>

#include "nodes/ini_file.hpp"
#include "nodes/store/store_url.hpp"

using namespace std::chrono_literals;
using namespace troupe;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

/// A file that goes away with the test.
class temporary_file {
public:
  explicit temporary_file(const std::string& content) {
    auto name =
      (std::filesystem::temp_directory_path() / "troupe-ini-XXXXXX").string();
    auto fd = mkstemp(name.data());
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = name;
    std::ofstream{path_} << content;
  }

  temporary_file(const temporary_file&) = delete;

  temporary_file& operator=(const temporary_file&) = delete;

  ~temporary_file() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }

private:
  std::string path_;
};

node_options parse(const std::vector<std::string>& arguments,
                   const environment& env = {}) {
  auto result = parse_node_options(arguments, env);
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return result ? result->options : node_options{};
}

/// The text of the refusal.
std::string refusal(const std::vector<std::string>& arguments,
                    const environment& env = {}) {
  auto result = parse_node_options(arguments, env);
  if (result)
    return "accepted";
  EXPECT_EQ(result.error(), errc::bad_request);
  return result.error().message();
}

std::string file_refusal(const std::string& content) {
  temporary_file file{content};
  return refusal({"--config", file.path()});
}

node_options parse_file(const std::string& content) {
  temporary_file file{content};
  return parse({"--config", file.path()});
}

std::string read_example() {
  std::ifstream in{TROUPE_SOURCE_DIR "/config/troupe.ini"};
  EXPECT_TRUE(in);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// `text` with the lines "# name = value" as "name = value".
std::string uncomment(const std::string& text) {
  std::istringstream in{text};
  std::string result;
  for (std::string line; std::getline(in, line);) {
    auto equals = line.find(" = ");
    auto is_option = line.starts_with("# ") && equals != line.npos
                     && line.find(' ', 2) == equals;
    result += (is_option ? line.substr(2) : line) + "\n";
  }
  return result;
}

} // namespace

TEST(options, without_any_are_the_defaults) {
  EXPECT_EQ(parse({}), node_options{});
}

TEST(options, default_to_a_valid_node_on_loopback) {
  node_options x;
  EXPECT_TRUE(x.validate());
  EXPECT_EQ(x.http.listen.to_string(), "127.0.0.1:8700");
  EXPECT_EQ(x.store_url(), "sqlite:./troupe-data");
  EXPECT_EQ(x.http.head_bytes_max, 32u * 1024);
  EXPECT_EQ(x.http.fields_max, 100u);
  EXPECT_EQ(x.http.head_time, 10s);
  EXPECT_EQ(x.http.idle_time, 75s);
  EXPECT_EQ(x.http.connections_max, 10'000u);
}

TEST(options, prefer_the_command_line_to_the_environment_to_the_file) {
  temporary_file file{"[http]\n"
                      "threads = 2\nhead-fields = 2\nconnections = 2\n"};
  environment env{{"TROUPE_HTTP_THREADS", "3"},
                  {"TROUPE_HTTP_HEAD_FIELDS", "3"}};
  auto x = parse({"--config", file.path(), "--http.threads=4"}, env);
  EXPECT_EQ(x.http.threads, 4u);
  EXPECT_EQ(x.http.fields_max, 3u);
  EXPECT_EQ(x.http.connections_max, 2u);
}

TEST(options, that_repeat_are_replaced_by_a_higher_source_as_a_whole) {
  temporary_file file{"plugin = a.so\nplugin = b.so\n"};
  std::vector<std::string> args{"--config", file.path()};
  EXPECT_THAT(parse(args).plugins, ElementsAre("a.so", "b.so"));
  environment env{{"TROUPE_PLUGIN", "c.so:d.so"}};
  EXPECT_THAT(parse(args, env).plugins, ElementsAre("c.so", "d.so"));
  args.insert(args.end(), {"--plugin", "e.so", "--plugin", "f.so"});
  EXPECT_THAT(parse(args, env).plugins, ElementsAre("e.so", "f.so"));
}

TEST(options, take_limits_of_single_functions) {
  auto x = parse({"--limit", "sleep=concurrency:4,queue:8,timeout:5s",
                  "--limit", "disk=blocking:true"});
  function_limits own;
  auto limits = x.limits.at("sleep").apply(own);
  EXPECT_EQ(limits.concurrency, 4u);
  EXPECT_EQ(limits.queue, 8u);
  EXPECT_EQ(limits.timeout, 5s);
  EXPECT_FALSE(limits.blocking);
  own.concurrency = 7;
  limits = x.limits.at("disk").apply(own);
  EXPECT_EQ(limits.concurrency, 7u);
  EXPECT_TRUE(limits.blocking);
  EXPECT_EQ(parse({}, {{"TROUPE_LIMIT", "a=queue:1;b=queue:2"}}).limits.size(),
            2u);
}

TEST(options, refuse_limits_that_make_no_sense) {
  for (auto text : {"sleep", "sleep=", "sleep=concurrency", "sleep=queue:x",
                    "sleep=size:4", "sleep=concurrency:0", "sleep=timeout:901s",
                    "sleep=timeout:0", "sleep=queue:1,queue:2", "a b=queue:1",
                    "=queue:1", "sleep=blocking:maybe"})
    EXPECT_THAT(refusal({"--limit", text}), HasSubstr("limit")) << text;
  EXPECT_THAT(refusal({"--limit", "a=queue:1", "--limit", "a=queue:2"}),
              HasSubstr("given twice"));
}

TEST(options, take_what_becomes_of_queued_calls) {
  auto x =
    parse({"--queued",
           "add=attempts:5,pause:2s,max-pause:10s,age:1h,on-success:echo:live",
           "--queued", "counter/=on-failure:a/{key}/b,on-failure:echo",
           "--queue.concurrency", "7", "--queue.keep-results", "5m"});
  auto policy = x.queued.at("add").apply({});
  EXPECT_EQ(policy.attempts_max, 5u);
  EXPECT_EQ(policy.pause, 2s);
  EXPECT_EQ(policy.pause_max, 10s);
  EXPECT_EQ(policy.age_max, 1h);
  ASSERT_EQ(policy.on_success.size(), 1u);
  EXPECT_EQ(policy.on_success[0].to_string(), "echo:live");
  policy = x.queued.at("counter/").apply({});
  EXPECT_EQ(policy.attempts_max, work_policy{}.attempts_max);
  ASSERT_EQ(policy.on_failure.size(), 2u);
  EXPECT_EQ(policy.on_failure[0].to_string(), "a/{key}/b");
  policy = parse({"--queued", "add=on-success:echo,on-success:a/{id}/b,"
                              "join:any,then:fail,then:c/d/e"})
             .queued.at("add")
             .apply({});
  EXPECT_EQ(policy.join, group_join::any);
  ASSERT_EQ(policy.then.size(), 2u);
  EXPECT_EQ(policy.then[1].to_string(), "c/d/e");
  EXPECT_EQ(x.queue.concurrency, 7u);
  EXPECT_EQ(x.queue.keep_results, 5min);
  EXPECT_EQ(parse({}, {{"TROUPE_QUEUED", "a=age:1s;b=age:2s"}}).queued.size(),
            2u);
}

TEST(options, take_destinations_outside) {
  auto x = parse({"--queued",
                  "add=on-success:https://a.b/{key},on-failure:nats://a/b.{id}",
                  "--queued", "https://a.b=attempts:4", "--destination",
                  "https://a.b=token-file:t,ca:c", "--destination",
                  "mqtts://a=user:u,password-file:p,cert:c,cert-key:k"});
  auto policy = x.queued.at("add").apply({});
  EXPECT_EQ(policy.on_success.at(0).to_string(), "https://a.b/{key}");
  EXPECT_EQ(policy.on_failure.at(0).to_string(), "nats://a/b.{id}");
  EXPECT_EQ(x.queued.at("https://a.b").apply({}).attempts_max, 4u);
  EXPECT_EQ(x.destinations.at("https://a.b"),
            (receiver_login{.token_file = "t", .ca = "c"}));
  EXPECT_EQ(x.destinations.at("mqtts://a").user, "u");
  for (auto text :
       {"https://a", "https://a=", "https://a/b=user:u", "add=user:u",
        "ftp://a=user:u", "https://a=who:u",
        "https://a=user:", "https://a=user:u,user:v", "https://a=cert:c",
        "http://a=ca:c", "nats://a=token-file:t",
        "https://a=token-file:t,user:u", "https://a=password-file:p"})
    EXPECT_THAT(refusal({"--destination", text}), HasSubstr("destination"))
      << text;
}

TEST(options, refuse_what_makes_no_sense_for_queued_calls) {
  for (auto text :
       {"add",
        "add=",
        "=age:1s",
        "a b=age:1s",
        "add=size:4",
        "add=attempts:0",
        "add=attempts:1001",
        "add=age:0",
        "add=age:25h",
        "add=age:1h,age:2h",
        "add=pause:10s,max-pause:1s",
        "add=on-success:",
        "add=on-success:a b",
        "add=on-failure:a/{name}/b",
        "a/b=age:1s",
        "add=join:all",
        "add=on-success:a,join:most",
        "add=on-success:a,then:b",
        "add=on-success:a,join:all,join:any",
        "add=on-success:a,join:all,then:b,then:b,then:b,then:b,then:b"})
    EXPECT_THAT(refusal({"--queued", text}), HasSubstr("queued")) << text;
  EXPECT_THAT(refusal({"--queued", "a=age:1s", "--queued", "a=age:1s"}),
              HasSubstr("given twice"));
  EXPECT_THAT(refusal({"--queue.concurrency", "0"}), HasSubstr("queue"));
}

TEST(options, say_which_of_several_lines_is_wrong) {
  EXPECT_THAT(
    refusal(
      {"--event", "a=type:x,function:f", "--event", "b=typ:x,function:f"}),
    HasSubstr("--event b: there is no field 'typ'; there are type, "));
  EXPECT_THAT(
    refusal({"--subscribe", "a=broker:mqtt://h,topic:a,function:f",
             "--subscribe", "b=broker:mqtt://h,topc:a,function:f"}),
    HasSubstr("--subscribe b: there is no field 'topc'; there are broker, "));
  EXPECT_THAT(refusal({"--queued", "a=age:1h", "--queued", "b=age:1"}),
              HasSubstr("--queued b: "));
}

TEST(options, take_addresses_of_both_kinds) {
  EXPECT_EQ(parse({"--http.listen", "[::1]:0"}).http.listen,
            (listen_address{"::1", 0}));
  EXPECT_EQ(parse({"--http.listen", "localhost:80"}).http.listen,
            (listen_address{"127.0.0.1", 80}));
  EXPECT_EQ((listen_address{"::1", 8700}.to_string()), "[::1]:8700");
}

TEST(options, refuse_what_is_no_address) {
  for (auto text :
       {"", ":", "8700", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "::1:8700",
        "[::1]", "[127.0.0.1]:1", "127.0.0.1:65536", "127.0.0.1:-1",
        "example:80", "256.0.0.1:1", "[]:1", "1.2.3.4:99999999999999999999"})
    EXPECT_THAT(refusal({"--http.listen", text}), HasSubstr("--http.listen"))
      << text;
}

TEST(options, refuse_an_address_that_others_reach_unless_insecure) {
  for (auto text : {"0.0.0.0:8700", "[::]:8700", "192.168.0.1:8700",
                    "[::ffff:10.0.0.1]:8700", "128.0.0.1:1"}) {
    EXPECT_THAT(refusal({"--http.listen", text}), HasSubstr("--insecure"))
      << text;
    EXPECT_TRUE(parse({"--insecure", "--http.listen", text}).insecure) << text;
  }
  for (auto text :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"})
    EXPECT_FALSE(parse({"--http.listen", text}).insecure) << text;
}

TEST(options, take_times_and_sizes_with_units) {
  auto x = parse({"--http.head-timeout", "250ms", "--http.idle-timeout", "2m",
                  "--http.body-size", "6MB", "--http.head-size", "4096",
                  "--shutdown.grace", "0", "--service.idle-time", "1h"});
  EXPECT_EQ(x.entities.idle_time, 1h);
  EXPECT_EQ(x.http.head_time, 250ms);
  EXPECT_EQ(x.http.idle_time, 2min);
  EXPECT_EQ(x.http.body_bytes_max, 6'000'000u);
  EXPECT_EQ(x.http.head_bytes_max, 4096u);
  EXPECT_EQ(x.shutdown.grace, 0ms);
  EXPECT_EQ(parse({"--shutdown.grace", "auto"}).shutdown.grace, std::nullopt);
}

TEST(options, refuse_times_and_sizes_that_are_ambiguous_or_too_large) {
  for (auto text : {"5", "5 s", "s", "-5s", "5d", "1.5s", "",
                    "99999999999999999999s", "9223372036854775807h"})
    EXPECT_THAT(refusal({"--http.head-timeout", text}),
                HasSubstr("--http.head-timeout"))
      << text;
  for (auto text : {"6 MB", "MB", "-1", "6mb", "1.5MB", "", "0x10",
                    "18446744073709551615GB"})
    EXPECT_THAT(refusal({"--http.body-size", text}),
                HasSubstr("--http.body-size"))
      << text;
}

TEST(options, refuse_values_out_of_their_range) {
  EXPECT_THAT(refusal({"--http.threads", "0"}), HasSubstr("http.threads"));
  EXPECT_THAT(refusal({"--http.threads", "257"}), HasSubstr("http.threads"));
  EXPECT_THAT(refusal({"--http.threads", "4294967297"}),
              HasSubstr("http.threads"));
  EXPECT_THAT(refusal({"--http.head-timeout", "0"}),
              HasSubstr("http.head-timeout"));
  EXPECT_THAT(refusal({"--http.body-size", "2GiB"}),
              HasSubstr("http.body-size must be from 1B to 1GiB, is 2GiB"));
  EXPECT_THAT(refusal({"--shutdown.grace", "31s"}),
              HasSubstr("shutdown.grace must be from 0ms to 30s, is 31s"));
  EXPECT_THAT(refusal({"--node.id", "a b"}), HasSubstr("node.id"));
  EXPECT_THAT(refusal({"--service.activations", "0"}),
              HasSubstr("service.activations"));
  EXPECT_THAT(refusal({"--service.idle-time", "0s"}),
              HasSubstr("service.idle-time must be from 10ms"));
}

TEST(options, know_the_stores) {
  EXPECT_EQ(parse({"--store", "memory:"}).store_url(), "memory:");
  EXPECT_EQ(parse({"--data-dir", "/d"}).store_url(), "sqlite:/d");
  EXPECT_EQ(parse({"--store", "sqlite:/e", "--data-dir", "/d"}).store_url(),
            "sqlite:/e");
  EXPECT_EQ(parse({"--store", "postgresql://u@h:1/d"}).store_url(),
            "postgresql://u@h:1/d");
  EXPECT_EQ(parse_store_url("postgres://u@h:1/d").value().location,
            "postgresql://u@h:1/d");
  for (auto text : {"sqlite:", "mysql://x", "postgres://h:x:y", "/folder", "",
                    "postgresql://h:x:y", "postgresql://h/d?bogus=1"})
    EXPECT_THAT(refusal({"--store", text}), HasSubstr("store")) << text;
}

TEST(options, say_nothing_of_a_password) {
  for (auto text :
       {"postgres://u:secret@h:x:y/d", "postgresql://u:secret@h:x:y/d",
        "postgresql://u:secret@h/d?bogus=1", "mysql://u:s:secret@h@i/d",
        "postgresql://h/d?password=secret&bogus=1", "pg://h/d?password=secret"})
    EXPECT_THAT(refusal({"--store", text}), Not(HasSubstr("secret"))) << text;
}

TEST(options, take_a_mode_of_replication_for_a_server_only) {
  EXPECT_EQ(parse({}).replication, replication_mode::single);
  std::vector<std::string> sync{"--store.replication", "sync", "--store",
                                "postgresql://h/d"};
  EXPECT_EQ(parse(sync).replication, replication_mode::sync);
  EXPECT_THAT(refusal({"--store.replication", "sync"}),
              HasSubstr("store.replication"));
  EXPECT_THAT(refusal({"--store.replication", "sync", "--store", "memory:"}),
              HasSubstr("store.replication"));
  EXPECT_THAT(refusal({"--store.replication", "async"}),
              HasSubstr("single, sync"));
}

TEST(options, of_a_cluster_are_refused_where_they_make_no_sense) {
  auto with = [](std::vector<std::string> more) {
    std::vector<std::string> all{"--cluster.listen", "127.0.0.1:0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(parse(with({})).cluster.listen,
            listen_address::parse("127.0.0.1:0"));
  EXPECT_EQ(parse(with({"--cluster.zone", "z"})).cluster.zone, "z");
  EXPECT_THAT(refusal({"--cluster.zone", "z"}),
              HasSubstr("need cluster.listen"));
  EXPECT_THAT(refusal(with({"--store", "memory:"})),
              HasSubstr("cannot be shared"));
  EXPECT_THAT(refusal({"--cluster.listen", "192.0.2.1:1"}),
              HasSubstr("cluster.ca"));
  EXPECT_THAT(refusal({"--cluster.listen", "0.0.0.0:1", "--insecure"}),
              HasSubstr("cluster.advertise"));
  parse({"--cluster.listen", "0.0.0.0:1", "--insecure", "--cluster.advertise",
         "192.0.2.1:1"});
  EXPECT_THAT(refusal(with({"--cluster.advertise", "192.0.2.1:0"})),
              HasSubstr("cluster.advertise needs a port"));
  EXPECT_THAT(refusal(with({"--cluster.advertise", "x"})),
              HasSubstr("cluster.advertise"));
  EXPECT_THAT(refusal(with({"--cluster.ca", "f", "--cluster.cert", "f"})),
              HasSubstr("go together"));
  EXPECT_THAT(refusal(with({"--cluster.capacity", "0"})),
              HasSubstr("cluster.capacity must be from 1"));
  EXPECT_THAT(refusal(with({"--cluster.shards", "0"})),
              HasSubstr("cluster.shards must be from 1"));
  EXPECT_THAT(refusal(with({"--cluster.name", "a b"})),
              HasSubstr("cluster.name"));
}

TEST(options, refuse_command_lines_that_are_wrong) {
  EXPECT_THAT(refusal({"--bogus"}), HasSubstr("bogus"));
  EXPECT_THAT(refusal({"--http.lis", "127.0.0.1:1"}), HasSubstr("http.lis"));
  EXPECT_THAT(refusal({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(refusal({"--", "stray"}), HasSubstr("stray"));
  EXPECT_THAT(refusal({"--store"}), HasSubstr("store"));
  EXPECT_THAT(refusal({"--store", "memory:", "--store", "memory:"}),
              HasSubstr("--store: given twice"));
  EXPECT_THAT(refusal({"--config", "a", "--config", "b"}),
              HasSubstr("--config: given twice"));
  EXPECT_THAT(refusal({"--config", "/no/such/file"}),
              HasSubstr("/no/such/file"));
  EXPECT_THAT(refusal({"--config", "/tmp"}), HasSubstr("cannot read"));
}

TEST(options, name_the_variable_that_is_wrong) {
  EXPECT_THAT(refusal({}, {{"TROUPE_HTTP_THREADS", "many"}}),
              AllOf(HasSubstr("TROUPE_HTTP_THREADS"), HasSubstr("many")));
  EXPECT_THAT(refusal({}, {{"TROUPE_INSECURE", "perhaps"}}),
              HasSubstr("TROUPE_INSECURE"));
}

TEST(options, count_an_empty_variable_as_not_set) {
  EXPECT_EQ(parse({}, {{"TROUPE_STORE", ""}, {"TROUPE_CONFIG", ""}}),
            node_options{});
}

TEST(options, warn_of_variables_that_are_none_of_ours) {
  auto result = parse_node_options({}, {{"TROUPE_HTTP_LISTN", "x"},
                                        {"TROUPE_ENDPOINT", "x"},
                                        {"TROUPE_STORE", "memory:"},
                                        {"PATH", "x"}});
  ASSERT_TRUE(result);
  EXPECT_THAT(result->warnings, ElementsAre(HasSubstr("TROUPE_HTTP_LISTN")));
}

TEST(options, may_name_their_file_in_the_environment) {
  temporary_file file{"[log]\nlevel = debug\n"};
  auto x = parse({}, {{"TROUPE_CONFIG", file.path()}});
  EXPECT_EQ(x.log.level, log_level::debug);
}

TEST(options, name_the_line_of_the_file_that_is_wrong) {
  EXPECT_THAT(file_refusal("\n[http]\nthread = 1\n"),
              AllOf(HasSubstr(":3: http.thread"), HasSubstr("no such option")));
  EXPECT_THAT(file_refusal("# fine\n[http]\nthreads = x\n"),
              AllOf(HasSubstr(":3: http.threads"), HasSubstr("'x'")));
  EXPECT_THAT(file_refusal("[http\n"), HasSubstr("line 1"));
  EXPECT_THAT(file_refusal("[]\n"), HasSubstr("line 1"));
  EXPECT_THAT(file_refusal("[http]\nthreads\n"), HasSubstr("line 2"));
  EXPECT_THAT(file_refusal("= 4\n"), HasSubstr("line 1"));
  EXPECT_THAT(file_refusal("store = memory:\nstore = memory:\n"),
              HasSubstr(":2: store: given twice"));
  EXPECT_THAT(file_refusal("config = other.ini\n"), HasSubstr(":1: config"));
  EXPECT_THAT(file_refusal("store =\n"), HasSubstr(":1: store"));
}

TEST(options, are_read_from_no_file_without_end) {
  EXPECT_THAT(refusal({"--config", "/dev/zero"}), HasSubstr("1 MiB"));
}

TEST(options, keep_what_follows_the_first_equals_sign_of_a_line) {
  auto x = parse_file("  data-dir = /a = b # c ; d  \n\n\tinsecure=yes\r\n"
                      "[ http ]\nthreads=2");
  EXPECT_EQ(x.data_dir, "/a = b # c ; d");
  EXPECT_TRUE(x.insecure);
  EXPECT_EQ(x.http.threads, 2u);
}

TEST(options, in_the_example_file_are_the_defaults) {
  EXPECT_EQ(parse_file(read_example()), node_options{});
}

TEST(options, in_the_example_file_are_all_there_are) {
  std::istringstream in{uncomment(read_example())};
  std::vector<std::string> names;
  for (const auto& x : read_ini(in))
    names.push_back(x.name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(node_option_names()));
}

TEST(options, that_the_example_file_suggests_are_valid) {
  auto x = parse_file(uncomment(read_example()));
  EXPECT_EQ(x.id, "node-1");
  EXPECT_EQ(x.plugins.size(), 1u);
  EXPECT_EQ(x.limits.size(), 1u);
}

TEST(options, are_all_in_the_help) {
  auto help = node_options_help("shop");
  EXPECT_THAT(help, StartsWith("Usage: shop [options]\n"));
  EXPECT_THAT(node_options_help(),
              StartsWith("Usage: troupe node [options]\n"));
  for (const auto& name : node_option_names())
    EXPECT_THAT(help, HasSubstr("--" + name)) << name;
  EXPECT_THAT(help, HasSubstr("Default: 127.0.0.1:8700."));
  std::istringstream lines{help};
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 80u) << line;
}

TEST(options, ask_for_help_without_a_look_at_the_rest) {
  auto result = parse_node_options({"--http.threads", "x", "--help"}, {});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->help);
}

TEST(options, have_a_name_for_every_level_and_format) {
  for (auto x : {log_level::trace, log_level::debug, log_level::info,
                 log_level::warn, log_level::error, log_level::off})
    EXPECT_EQ(parse({"--log.level", std::string{to_string(x)}}).log.level, x);
  for (auto x : {log_format::text, log_format::json})
    EXPECT_EQ(parse({"--log.format", std::string{to_string(x)}}).log.format, x);
  EXPECT_THAT(refusal({"--log.level", "loud"}),
              HasSubstr("trace, debug, info, warn, error, off"));
}
