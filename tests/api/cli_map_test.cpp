// `troupe map` as a process, against answers that a test writes: what it sends,
// what it prints, and how it ends.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/canned_node.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace troupe::testing;
using testing::HasSubstr;
using testing::StartsWith;

using words = std::vector<std::string>;

process_input command(const words& arguments, const std::string& endpoint,
                      const std::string& in) {
  process_input what;
  what.command = {TROUPE_BINARY, "map"};
  what.command.insert(what.command.end(), arguments.begin(), arguments.end());
  what.environment = {"TROUPE_ENDPOINT=" + endpoint, "LC_ALL=C.UTF-8",
                      "ASAN_OPTIONS=exitcode=99", "UBSAN_OPTIONS=exitcode=99"};
  what.in = in;
  return what;
}

process_result map(const words& arguments, const std::string& endpoint,
                   const std::string& in = "") {
  return run_process(command(arguments, endpoint, in));
}

std::string answer(const std::string& body) {
  return http_answer(200, "application/json", body);
}

size_t lines_of(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// Answers each line with itself.
canned_node echoing() {
  return canned_node{[](const received_request& x) {
    std::string results;
    for (size_t begin = 0; begin < x.body.size();) {
      auto end = x.body.find('\n', begin);
      results.append(results.empty() ? "" : ",").append("{\"result\":");
      results.append(x.body.substr(begin, end - begin)).append("}");
      begin = end + 1;
    }
    auto count = std::to_string(lines_of(x.body));
    return answer("{\"count\":" + count + ",\"failed\":0,\"results\":["
                  + results + "]}");
  }};
}

std::string numbers(size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result.append(std::to_string(i)).append("\n");
  return result;
}

TEST(cli_map, sends_lines_and_prints_one_for_each) {
  auto node = echoing();
  auto x = map({"f", "--input", "-"}, node.url(), "1\n\n {\"a\": 2} \r\n\"x\"");
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.err, "");
  EXPECT_EQ(x.out, "{\"index\":0,\"result\":1}\n"
                   "{\"index\":1,\"result\": {\"a\": 2}  }\n"
                   "{\"index\":2,\"result\":\"x\"}\n");
  ASSERT_EQ(node.requests().size(), 1u);
  auto sent = node.requests()[0];
  EXPECT_EQ(sent.line(), "POST /map/f?parallel=64");
  EXPECT_EQ(sent.field("Content-Type"), "application/jsonl");
  EXPECT_EQ(sent.field("Troupe-Timeout-Ms"), "900000");
}

TEST(cli_map, calls_a_method_if_there_is_one) {
  auto node = echoing();
  auto x = map({"s", "m", "--input", "-", "--parallel", "3", "--timeout", "5s",
                "--lock", "door=7"},
               node.url(), "\"k\"\n");
  EXPECT_EQ(x.status, 0) << x.err;
  auto sent = node.requests().at(0);
  EXPECT_EQ(sent.line(), "POST /map/services/s/m?parallel=3");
  EXPECT_EQ(sent.body, "\"k\"\n");
  EXPECT_EQ(sent.field("Troupe-Lock"), "door=7");
  auto time = std::stoi(sent.field("Troupe-Timeout-Ms"));
  EXPECT_LE(time, 5'000);
  EXPECT_GT(time, 0);
}

TEST(cli_map, reads_a_file) {
  temporary_folder folder;
  auto path = (folder.path() / "in.jsonl").string();
  std::ofstream{path} << "1\n2";
  auto node = echoing();
  EXPECT_EQ(map({"f", "--input", path}, node.url()).out,
            "{\"index\":0,\"result\":1}\n{\"index\":1,\"result\":2}\n");
}

TEST(cli_map, sends_nothing_for_no_lines) {
  auto node = echoing();
  auto x = map({"f", "--input", "-"}, node.url(), "\n\n");
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(x.out, "");
  EXPECT_TRUE(node.requests().empty());
}

TEST(cli_map, sends_long_files_in_parts_that_grow) {
  auto node = echoing();
  auto x = map({"f", "--input", "-"}, node.url(), numbers(20'000));
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(lines_of(x.out), 20'000u);
  EXPECT_TRUE(x.out.ends_with("{\"index\":19999,\"result\":19999}\n"));
  auto all = node.requests();
  EXPECT_EQ(lines_of(all.at(0).body), 64u);
  EXPECT_EQ(lines_of(all.at(1).body), 128u);
  size_t sum = 0;
  for (auto& request : all) {
    EXPECT_LE(lines_of(request.body), 8'192u);
    sum += lines_of(request.body);
  }
  EXPECT_EQ(sum, 20'000u);
}

TEST(cli_map, sends_no_more_at_once_than_a_node_takes) {
  auto node = echoing();
  std::string in;
  for (int i = 0; i < 5; ++i)
    in.append("\"").append(std::string(1'500'000, 'x')).append("\"\n");
  auto x = map({"f", "--input", "-"}, node.url(), in);
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(node.requests().size(), 3u);
  for (auto& request : node.requests())
    EXPECT_LE(request.body.size(), size_t{4} << 20);
}

TEST(cli_map, prints_each_result_on_one_line) {
  canned_node node{[](const received_request&) {
    return answer("{ \"results\" : [ {\"result\":[1,\r\n2]},\n"
                  "{\"resultBase64\":\"AA==\"} ] , \"failed\":0}");
  }};
  EXPECT_EQ(map({"f", "--input", "-"}, node.url(), "1\n2\n").out,
            "{\"index\":0,\"result\":[1,  2]}\n"
            "{\"index\":1,\"resultBase64\":\"AA==\"}\n");
}

TEST(cli_map, shows_how_far_it_is_to_somebody_who_watches) {
  temporary_folder folder;
  auto path = (folder.path() / "in.jsonl").string();
  std::ofstream{path} << numbers(192); // two requests
  auto node = echoing();
  auto what = command({"f", "--input", path}, node.url(), "");
  what.err_on_terminal = true;
  auto x = run_process(what);
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(lines_of(x.out), 192u);
  EXPECT_THAT(x.err, HasSubstr("%  64 done, "));
  EXPECT_THAT(x.err,
              HasSubstr("[##############################] 100%  192 done, "));
  // Of what comes through a pipe nobody knows how much there is.
  what = command({"f", "--input", "-"}, node.url(), numbers(10));
  what.err_on_terminal = true;
  EXPECT_THAT(run_process(what).err, HasSubstr("\r10 done, "));
}

TEST(cli_map, fails_if_some_did_and_prints_all) {
  canned_node node{[](const received_request&) {
    return answer(R"({"count":3,"failed":2,"results":[{"error":{"a":1}},)"
                  R"({"result":{"error":1}},{"error":{"effect":"none"}}]})");
  }};
  auto x = map({"f", "--input", "-"}, node.url(), "1\n2\n3\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "{\"index\":0,\"error\":{\"a\":1}}\n"
                   "{\"index\":1,\"result\":{\"error\":1}}\n"
                   "{\"index\":2,\"error\":{\"effect\":\"none\"}}\n");
  EXPECT_EQ(x.err, "error: 2 of 3 failed\n");
}

TEST(cli_map, stops_at_a_line_that_is_no_json_and_does_what_came_before) {
  auto node = echoing();
  auto x = map({"f", "--input", "-"}, node.url(), "1\n2\n\n{\n3\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(lines_of(x.out), 2u);
  EXPECT_THAT(x.err, StartsWith("error: bad_request: line 4: "));
  EXPECT_THAT(x.err, HasSubstr("is done: 2"));
  EXPECT_EQ(node.requests().size(), 1u);
}

TEST(cli_map, says_which_lines_a_node_has_refused) {
  size_t seen = 0;
  canned_node node{[&](const received_request& x) {
    if (seen++ > 0)
      return http_answer(404, "application/json",
                         R"({"errorType":"not_found","errorMessage":"gone",)"
                         R"("effect":"none"})");
    std::string results = "{\"result\":1}";
    for (size_t i = 1; i < lines_of(x.body); ++i)
      results += ",{\"result\":1}";
    return answer("{\"results\":[" + results + "]}");
  }};
  auto x =
    map({"f", "--input", "-", "--parallel", "2"}, node.url(), numbers(9));
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(lines_of(x.out), 2u);
  EXPECT_THAT(x.err, StartsWith("error: not_found: lines 3 to 6: gone; "));
  EXPECT_THAT(x.err, HasSubstr("(effect: none)"));
}

TEST(cli_map, says_that_nobody_is_there) {
  closed_port nobody;
  auto x = map({"f", "--input", "-"}, nobody.url(), "1\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr("(effect: none)"));
}

TEST(cli_map, believes_no_answer_that_does_not_fit) {
  for (auto body : {"", "5", "[]", "{}", "{\"results\":1}", "{\"results\":[]}",
                    "{\"results\":[{\"result\":1},{\"result\":2}]}",
                    "{\"results\":[1]}", "{\"results\":[{}]}",
                    "{\"results\":[{\"result\":1}", "{\"results\":["}) {
    canned_node node{[=](const received_request&) { return answer(body); }};
    auto x = map({"f", "--input", "-"}, node.url(), "1\n");
    EXPECT_EQ(x.status, 1) << body;
    EXPECT_EQ(x.out, "") << body;
    EXPECT_THAT(x.err, StartsWith("error: ")) << body;
  }
}

TEST(cli_map, says_of_late_lines_that_they_were_not_sent) {
  canned_node node{[](const received_request& x) {
    std::string results = "{\"error\":{}}";
    for (size_t i = 1; i < lines_of(x.body); ++i)
      results += ",{\"error\":{}}";
    // The deadline passes meanwhile: wait for it, as a node does.
    auto time = std::stoi(x.field("Troupe-Timeout-Ms"));
    auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds{time};
    while (std::chrono::steady_clock::now() < end) {
    }
    return answer("{\"results\":[" + results + "]}");
  }};
  auto x = map({"f", "--input", "-", "--parallel", "1", "--timeout", "50ms"},
               node.url(), "1\n2\n3\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(lines_of(x.out), 3u);
  EXPECT_THAT(x.out, HasSubstr("{\"index\":1,\"error\":{\"errorType\":"
                               "\"deadline_exceeded\""));
  EXPECT_EQ(x.err, "error: 3 of 3 failed\n");
  EXPECT_EQ(node.requests().size(), 1u);
}

TEST(cli_map, refuses_a_command_line_that_is_wrong) {
  closed_port nobody;
  for (auto& x : std::vector<words>{
         {"--input", "-"},
         {"f"},
         {"a.b", "--input", "-"},
         {"s", "a.b", "--input", "-"},
         {"s", "m", "k", "--input", "-"},
         {"f", "--input", "/no/such/file"},
         {"f", "--input", "-", "--parallel", "0"},
         {"f", "--input", "-", "--parallel", "1025"},
         {"f", "--input", "-", "--parallel", "x"},
         {"f", "--input", "-", "--timeout", "0s"},
         {"f", "--input", "-", "--timeout", "901s"},
         {"f", "--input", "-", "--lock", "door=1"},
         {"s", "m", "--input", "-", "--lock", "door"},
         {"f", "--input", "-", "--data", "1"},
       }) {
    auto result = map(x, nobody.url());
    EXPECT_EQ(result.status, 2) << x.back() << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("troupe map --help"));
  }
  auto help = map({"--help"}, nobody.url());
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("troupe map SERVICE METHOD"));
}

} // namespace
