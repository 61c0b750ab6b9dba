// Schedules of a real node, over HTTP and the command line, and through its death.

#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe::test {
namespace {

using ::testing::HasSubstr;
using json = nlohmann::json;

/// A body that has what `more` says beside expression and target.
std::string spec(const std::string& expression, const std::string& target,
                 const json& more = json::object()) {
  json result{{"expression", expression}, {"target", target}};
  result.update(more);
  return result.dump();
}

std::string every_second() {
  return spec("rate(1 second)", "counter/ticks/increment", {{"missed", "all"}});
}

json show(const node_process& node, const std::string& name) {
  auto answer = get(node, "/schedules/" + name);
  EXPECT_EQ(answer.status, 200u) << answer.body;
  return json::parse(answer.body);
}

int64_t count(const node_process& node) {
  auto answer = post(node, "/services/counter/ticks/get");
  return answer.status == 200u ? json::parse(answer.body).get<int64_t>() : -1;
}

int64_t seconds_of(const json& time) {
  std::tm parts{};
  auto text = time.get<std::string>();
  EXPECT_TRUE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts)) << text;
  return timegm(&parts);
}

/// Makes one that counts, and kills its node again and again.
void expect_once_for_each_due_time(const node_settings& settings) {
  int64_t first = 0;
  constexpr int kills = 4;
  for (int i = 0; i < kills; ++i) {
    node_process node{settings};
    if (i == 0) {
      auto made = send(node, "PUT", "/schedules/tick", every_second(),
                       {"Content-Type: application/json"});
      ASSERT_EQ(made.status, 200u) << made.body;
      first = seconds_of(json::parse(made.body)["next"]);
    }
    auto before = count(node);
    ASSERT_TRUE(eventually([&] { return count(node) >= before + 2; }));
    node.kill();
  }
  node_process node{settings};
  auto before = count(node);
  ASSERT_TRUE(eventually([&] { return count(node) >= before + 2; }));
  auto paused = post(node, "/schedules/tick/pause");
  ASSERT_EQ(paused.status, 200u) << paused.body;
  auto about = show(node, "tick");
  auto fired = about["fired"].get<int64_t>();
  // One for each second from the first to the last one.
  EXPECT_EQ(fired, seconds_of(about["last"]) - first + 1);
  EXPECT_GE(fired, 2 * kills);
  // Each of them has come once, and none is on its way any more.
  EXPECT_TRUE(eventually([&] { return count(node) == fired; }))
    << count(node) << " of " << fired;
  EXPECT_TRUE(eventually([&] {
    auto lanes = json::parse(get(node, "/queue?internal=true").body)["lanes"];
    return lanes.empty();
  }))
    << get(node, "/queue?internal=true").body;
  EXPECT_EQ(count(node), fired);
  EXPECT_EQ(node.stop(), 0);
}

TEST(schedules, each_due_time_fires_once_though_its_node_is_killed) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  expect_once_for_each_due_time(settings);
}

TEST(schedules,
     each_due_time_fires_once_on_postgres_though_its_node_is_killed) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = {"--store", testing::shared_postgres().new_database()};
  expect_once_for_each_due_time(settings);
}

TEST(schedules, are_put_listed_and_deleted_over_http) {
  example_node node;
  EXPECT_EQ(get(node, "/schedules").body, R"x({"next":null,"schedules":[]})x");
  auto put = [&](const char* name, const std::string& body) {
    return send(node, "PUT", std::string{"/schedules/"} + name, body,
                {"Content-Type: application/json"});
  };
  for (auto name : {"b", "a", "c"})
    ASSERT_EQ(
      put(name, spec("at(2199-01-01T00:00:00)", "add", {{"input", {1, 2}}}))
        .status,
      200u);
  auto page = json::parse(get(node, "/schedules?limit=2").body);
  ASSERT_EQ(page["schedules"].size(), 2u);
  EXPECT_EQ(page["schedules"][0]["name"], "a");
  EXPECT_EQ(page["schedules"][0]["next"], "2199-01-01T00:00:00Z");
  EXPECT_EQ(page["schedules"][0]["input"], json::parse("[1,2]"));
  EXPECT_EQ(page["next"], "b");
  EXPECT_EQ(show(node, "a")["nextFirings"].size(), 1u);
  EXPECT_EQ(send(node, "DELETE", "/schedules/a").status, 204u);
  EXPECT_EQ(send(node, "DELETE", "/schedules/a").status, 404u);
  EXPECT_EQ(get(node, "/schedules/a").status, 404u);
  EXPECT_EQ(json::parse(get(node, "/schedules").body)["schedules"].size(), 2u);
  // It is a part of the node, and no service of anybody's.
  EXPECT_EQ(get(node, "/services/troupe-schedules").status, 404u);
  EXPECT_EQ(post(node, "/services/troupe-schedules/b/fire").status, 404u);
  EXPECT_THAT(get(node, "/cluster").body,
              ::testing::Not(HasSubstr("troupe-schedules")));
}

TEST(schedules, what_is_wrong_is_refused_over_http) {
  example_node node;
  struct wrong {
    std::string path;
    std::string body;
    unsigned status;
    std::string type;
  };
  auto day = "rate(1 day)";
  auto twice = spec(day, "add");
  twice.insert(1, "\"target\":\"echo\",");
  std::vector<wrong> all{
    {"/schedules/a", "", 400, "bad_request"},
    {"/schedules/a", "{", 400, "bad_request"},
    {"/schedules/a", twice, 400, "bad_request"},
    {"/schedules/a", json{{"expression", day}}.dump(), 400, "bad_request"},
    {"/schedules/a", spec("soon", "add"), 400, "bad_request"},
    {"/schedules/a", spec("at(2001-01-01T00:00:00)", "add"), 400,
     "bad_request"},
    {"/schedules/a", spec(day, "add", {{"zone", "Mars/Base"}}), 400,
     "bad_request"},
    {"/schedules/a", spec(day, "none"), 404, "not_found"},
    {"/schedules/a", spec(day, "counter/k/none"), 404, "not_found"},
    {"/schedules/a", spec(day, "troupe-schedules/a/fire"), 404, "not_found"},
    {"/schedules/a%20b", every_second(), 400, "bad_request"},
    {"/schedules/a?x=1", every_second(), 400, "bad_request"},
    {"/schedules/a/stop", every_second(), 404, "not_found"},
    {"/schedules", every_second(), 405, "method_not_allowed"},
    {"/schedules/a", spec(day, "echo", {{"input", std::string(300'000, 'x')}}),
     413, "payload_too_large"},
  };
  for (auto& x : all) {
    auto answer =
      send(node, "PUT", x.path, x.body, {"Content-Type: application/json"});
    auto what = x.path + " " + x.body.substr(0, 200);
    EXPECT_EQ(answer.status, x.status) << what << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(x.type)) << what;
    EXPECT_THAT(answer.body, HasSubstr("\"effect\":\"none\"")) << what;
  }
  EXPECT_EQ(post(node, "/schedules/a/pause").status, 404u);
  EXPECT_EQ(json::parse(get(node, "/schedules").body)["schedules"].size(), 0u);
}

TEST(schedules, the_command_line_makes_and_shows_them) {
  example_node node;
  auto made =
    cli(node, {"schedule", "put", "report", "--expression", "cron(0 8 * * 1-5)",
               "--zone", "Europe/Berlin", "--target",
               "counter/reports/increment", "-d", "2", "--missed", "skip"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("Europe/Berlin"));
  auto all = cli(node, {"schedule", "list"});
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("NAME    STATE   NEXT"));
  EXPECT_THAT(all.out, HasSubstr("counter/reports/increment  Europe/Berlin"));
  auto shown = cli(node, {"schedule", "show", "report", "--json"});
  EXPECT_EQ(json::parse(shown.out)["nextFirings"].size(), 5u);
  EXPECT_EQ(cli(node, {"schedule", "pause", "report"}).status, 0);
  EXPECT_THAT(cli(node, {"schedule", "list"}).out, HasSubstr("paused"));
  EXPECT_EQ(cli(node, {"schedule", "resume", "report"}).status, 0);
  EXPECT_THAT(cli(node, {"schedule", "list"}).out, HasSubstr("active"));
  EXPECT_EQ(cli(node, {"schedule", "delete", "report"}).status, 0);
  EXPECT_EQ(json::parse(cli(node, {"schedule", "list", "--json"}).out).size(),
            0u);
  auto gone = cli(node, {"schedule", "show", "report"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.err, HasSubstr("not_found"));
  for (auto& wrong : std::initializer_list<words>{
         {"schedule"},
         {"schedule", "never"},
         {"schedule", "put", "x"},
         {"schedule", "put", "x", "--expression", "rate(1 day)"},
         {"schedule", "put", "a b", "--expression", "e", "--target", "t"},
         {"schedule", "put", "x", "--expression", "e", "--target", "t",
          "--missed", "maybe"},
         {"schedule", "put", "x", "--expression", "e", "--target", "t",
          "--priority", "10"},
         {"schedule", "put", "x", "--expression", "e", "--target", "t", "-d",
          "{"}}) {
    auto answer = cli(node, wrong);
    EXPECT_EQ(answer.status, 2) << answer.out << answer.err;
    EXPECT_EQ(answer.out, "");
  }
  EXPECT_THAT(cli(node, {"schedule", "put", "x"}).err,
              HasSubstr("troupe schedule put: --expression is missing\n"
                        "Try 'troupe schedule put --help'"));
  EXPECT_THAT(cli(node, {"schedule", "never"}).err,
              HasSubstr("Try 'troupe schedule --help'"));
  auto missing = cli(node, {"schedule", "delete", "report"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(missing.err, "error: not_found: there is no schedule 'report' "
                         "(effect: none)\n");
  for (auto command : {"list", "show", "put", "pause", "resume", "delete"})
    EXPECT_THAT(cli(node, {"schedule", command, "--help"}).out,
                HasSubstr("Usage: troupe schedule"));
}

TEST(schedules, one_whose_calls_fail_shows_it) {
  example_node node{{"--queued", "fail=attempts:1"}};
  auto made = send(node, "PUT", "/schedules/broken",
                   spec("rate(1 second)", "fail", {{"input", "no"}}),
                   {"Content-Type: application/json"});
  ASSERT_EQ(made.status, 200u) << made.body;
  EXPECT_FALSE(json::parse(made.body).contains("lastCall"));
  ASSERT_TRUE(
    eventually([&] { return show(node, "broken").contains("lastCall"); }));
  ASSERT_EQ(post(node, "/schedules/broken/pause").status, 200u);
  auto where =
    "/invocations/" + show(node, "broken")["lastCall"].get<std::string>();
  ASSERT_TRUE(eventually([&] {
    return json::parse(get(node, where).body).value("state", "")
           == "dead_lettered";
  }));
  ASSERT_TRUE(eventually([&] {
    auto about = show(node, "broken");
    return about["failed"] == about["fired"];
  }))
    << show(node, "broken");
  EXPECT_THAT(cli(node, {"schedule", "list"}).out,
              ::testing::ContainsRegex(
                "LAST +FIRED +FAILED.*\nbroken +paused .*Z +[1-9] +[1-9] "));
  EXPECT_THAT(cli(node, {"schedule", "show", "broken"}).out,
              ::testing::ContainsRegex(
                "last call +[0-9a-f]{32} dead_lettered\n"
                "last failure +[0-9a-f]{32} std::runtime_error\n"));
  auto call = json::parse(get(node, where + "/call").body);
  EXPECT_EQ(call["origin"], json({{"schedule", "broken"}}));
  EXPECT_EQ(call["arguments"], "no");
  ASSERT_EQ(post(node, "/queue/purge?all=true").status, 200u);
  EXPECT_THAT(cli(node, {"schedule", "show", "broken"}).out,
              ::testing::ContainsRegex("last call +[0-9a-f]{32} -\n"));
}

TEST(schedules, are_in_the_metrics) {
  example_node node;
  for (auto name : {"one", "two"})
    ASSERT_EQ(send(node, "PUT", std::string{"/schedules/"} + name,
                   spec("rate(1 hour)", "add"))
                .status,
              200u);
  ASSERT_EQ(post(node, "/schedules/two/pause").status, 200u);
  // Each question has them read for the next one.
  std::string text;
  EXPECT_TRUE(eventually([&] {
    text = get(node, "/metrics").body;
    return text.find("troupe_schedules{state=\"active\"} 1\n") != text.npos;
  }))
    << text;
  EXPECT_THAT(text, HasSubstr("troupe_schedules{state=\"paused\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("troupe_schedule_firings 0\n"));
  EXPECT_THAT(text, HasSubstr("troupe_schedule_skipped 0\n"));
  auto at = text.find("\ntroupe_schedule_next_seconds ");
  ASSERT_NE(at, text.npos) << text;
  auto left = std::stod(text.substr(text.find(' ', at)));
  EXPECT_GT(left, 3000);
  EXPECT_LE(left, 3600);
}

} // namespace
} // namespace troupe::test
