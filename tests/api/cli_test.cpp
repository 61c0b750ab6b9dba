// The command line from outside: the built binary as a process, against
// answers that a test writes. What is checked is what scripts lean on: exit status, what
// is on stdout and on stderr, and what goes over the wire.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/canned_node.hpp"
#include "tests/support/process.hpp"

using namespace troupe::testing;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

using words = std::vector<std::string>;

constexpr const char* json_type = "application/json";
constexpr const char* bytes_type = "application/octet-stream";

process_input input(const words& arguments, const std::string& endpoint) {
  process_input result;
  result.command.emplace_back(TROUPE_BINARY);
  result.command.insert(result.command.end(), arguments.begin(),
                        arguments.end());
  // The proxy must not be asked; a sanitizer's report must not look like a
  // failure that the command line has foreseen.
  result.environment = {"TROUPE_ENDPOINT=" + endpoint, "LC_ALL=C.UTF-8",
                        "http_proxy=http://127.0.0.1:1",
                        "ASAN_OPTIONS=exitcode=99",
                        "UBSAN_OPTIONS=exitcode=99"};
  return result;
}

/// `troupe arguments...`
process_result troupe_cli(const words& arguments, const std::string& endpoint,
                          const std::string& in = "") {
  auto what = input(arguments, endpoint);
  what.in = in;
  return run_process(what);
}

/// `troupe arguments...`, with nobody at the endpoint.
process_result troupe_cli(const words& arguments) {
  closed_port nobody;
  return troupe_cli(arguments, nobody.url());
}

canned_node answering(int status, const char* type, const std::string& body) {
  return canned_node{
    [=](const received_request&) { return http_answer(status, type, body); }};
}

canned_node echoing() {
  return canned_node{[](const received_request& x) {
    return http_answer(200, x.field("Content-Type"), x.body);
  }};
}

/// What every failure looks like.
void expect_failure(const process_result& x, const std::string& line) {
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, StartsWith("error: "));
  EXPECT_THAT(x.err, HasSubstr(line));
}

void expect_usage_error(const process_result& x, const std::string& what) {
  EXPECT_EQ(x.status, 2);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr(what));
  EXPECT_THAT(x.err, HasSubstr("--help'"));
}

std::string random_bytes(size_t size, uint32_t seed) {
  std::mt19937 random{seed};
  std::string result(size, '\0');
  for (auto& c : result)
    c = static_cast<char>(random());
  return result;
}

/// A word of random bytes that is no option.
std::string noise(size_t size, uint32_t seed) {
  auto result = "r" + random_bytes(size, seed);
  return result.substr(0, result.find('\0'));
}

/// The seed of this run, printed; TROUPE_TEST_SEED repeats one.
uint32_t make_seed() {
  auto given = std::getenv("TROUPE_TEST_SEED");
  auto seed =
    given ? static_cast<uint32_t>(std::stoul(given)) : std::random_device{}();
  std::printf("seed: %u (TROUPE_TEST_SEED repeats it)\n", seed);
  return seed;
}

} // namespace

// -- help and version ---------------------------------------------------------

TEST(cli, explains_itself) {
  auto x = troupe_cli({"--help"});
  EXPECT_EQ(x.status, 0);
  EXPECT_THAT(x.out, AllOf(HasSubstr("troupe invoke"), HasSubstr("troupe node"),
                           HasSubstr("TROUPE_ENDPOINT")));
  EXPECT_EQ(x.err, "");
}

TEST(cli, tells_its_version) {
  auto x = troupe_cli({"--version"});
  EXPECT_EQ(x.status, 0);
  EXPECT_THAT(x.out, StartsWith("troupe "));
}

TEST(cli, explains_every_command) {
  for (auto name :
       {"node", "invoke", "call", "keys", "state", "delete", "export", "import",
        "functions", "services", "nodes", "tree"}) {
    auto x = troupe_cli({name, "--help"});
    EXPECT_EQ(x.status, 0) << name;
    EXPECT_THAT(x.out, StartsWith("Usage: troupe " + std::string{name}));
    EXPECT_EQ(x.err, "") << name;
  }
}

// -- invoke -------------------------------------------------------------------

TEST(invoke, prints_a_json_answer_and_a_newline) {
  auto node = answering(200, json_type, "5");
  auto x = troupe_cli({"invoke", "add", "-d", "[2,3]"}, node.url());
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(x.out, "5\n");
  EXPECT_EQ(x.err, "");
  auto sent = node.requests().at(0);
  EXPECT_EQ(sent.line(), "POST /invoke/add");
  EXPECT_EQ(sent.body, "[2,3]");
  EXPECT_EQ(sent.field("Content-Type"), json_type);
}

TEST(invoke, adds_no_second_newline) {
  auto node = answering(200, json_type, "5\n");
  EXPECT_EQ(troupe_cli({"invoke", "add"}, node.url()).out, "5\n");
}

TEST(invoke, prints_bytes_as_they_are) {
  std::string bytes{"\0\xff\n\r x", 6};
  auto node = answering(200, bytes_type, bytes);
  EXPECT_EQ(troupe_cli({"invoke", "f"}, node.url()).out, bytes);
}

TEST(invoke, ends_the_line_on_a_terminal) {
  auto node = answering(200, bytes_type, "hello");
  auto what = input({"invoke", "f"}, node.url());
  what.on_terminal = true;
  EXPECT_EQ(run_process(what).out, "hello\r\n");
}

TEST(invoke, sends_no_body_unless_told) {
  auto node = answering(200, json_type, "null");
  EXPECT_EQ(troupe_cli({"invoke", "f"}, node.url(), "unread").status, 0);
  auto sent = node.requests().at(0);
  EXPECT_EQ(sent.body, "");
  EXPECT_EQ(sent.field("Content-Length"), "0");
  EXPECT_EQ(sent.field("Content-Type"), "");
}

TEST(invoke, passes_megabytes_of_stdin_through_unchanged) {
  auto node = echoing();
  auto bytes = random_bytes(6 * 1024 * 1024, 1);
  auto x = troupe_cli({"invoke", "echo", "-d", "-"}, node.url(), bytes);
  EXPECT_EQ(x.status, 0);
  EXPECT_TRUE(x.out == bytes);
  EXPECT_EQ(node.requests().at(0).field("Expect"), "");
}

TEST(invoke, passes_a_file_through_unchanged) {
  auto path = std::filesystem::temp_directory_path()
              / ("troupe-cli-" + std::to_string(getpid()));
  std::ofstream{path} << "[1, 2]";
  auto node = echoing();
  auto x =
    troupe_cli({"invoke", "echo", "-d", "@" + path.string()}, node.url());
  std::filesystem::remove(path);
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(x.out, "[1, 2]");
}

TEST(invoke, refuses_a_file_that_is_not_there_before_it_calls) {
  auto node = echoing();
  auto x = troupe_cli({"invoke", "echo", "-d", "@/no/such/file"}, node.url());
  expect_usage_error(x, "/no/such/file");
  EXPECT_THAT(node.requests(), IsEmpty());
}

TEST(invoke, sends_key_qualifier_and_deadline) {
  auto node = echoing();
  auto x = troupe_cli({"invoke", "f", "--key", "a b/ü", "--qualifier",
                       "$LATEST", "--timeout", "2s"},
                      node.url());
  EXPECT_EQ(x.status, 0) << x.err;
  auto sent = node.requests().at(0);
  EXPECT_EQ(sent.line(), "POST /invoke/f:%24LATEST");
  EXPECT_EQ(sent.field("Troupe-Key"), "a%20b%2F%C3%BC");
  EXPECT_EQ(sent.field("Troupe-Timeout-Ms"), "2000");
}

TEST(invoke, prints_the_error_of_a_node_on_stderr) {
  auto node = answering(502, json_type,
                        R"({"errorType":"std::runtime_error",)"
                        R"("errorMessage":"boom\nbang","effect":"ran"})");
  auto x = troupe_cli({"invoke", "fail", "-d", "boom"}, node.url());
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_EQ(x.err, "error: std::runtime_error: boom bang (effect: ran)\n");
}

TEST(invoke, says_that_nothing_happened_if_there_is_no_node) {
  closed_port nobody;
  auto x = troupe_cli({"invoke", "add"}, nobody.url());
  expect_failure(x, "no_node: no node answers at " + nobody.url());
  EXPECT_THAT(x.err, HasSubstr("(effect: none)"));
}

TEST(invoke, says_that_the_outcome_is_unknown_if_the_connection_breaks) {
  canned_node node{[](const received_request&) { return ""; }};
  auto x = troupe_cli({"invoke", "add"}, node.url());
  expect_failure(x, "outcome_unknown");
  EXPECT_THAT(x.err, HasSubstr("(effect: unknown)"));
}

TEST(invoke, says_so_if_the_answer_breaks_off) {
  canned_node node{[](const received_request&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234";
  }};
  expect_failure(troupe_cli({"invoke", "add"}, node.url()), "outcome_unknown");
}

TEST(invoke, says_so_if_a_stranger_answers) {
  canned_node babbler{[](const received_request&) { return "hello\r\n\r\n"; }};
  expect_failure(troupe_cli({"invoke", "f"}, babbler.url()), "outcome_unknown");
  for (auto body : {"<h1>Not found</h1>", "{}", "[1]", R"({"errorType":5})"}) {
    auto other = answering(404, "text/html", body);
    expect_failure(troupe_cli({"invoke", "f"}, other.url()), "status 404");
  }
  auto moved = answering(302, "text/html", "");
  expect_failure(troupe_cli({"invoke", "f"}, moved.url()), "status 302");
}

TEST(invoke, answers_what_is_not_built_yet_without_a_call) {
  auto node = echoing();
  expect_failure(troupe_cli({"invoke", "f", "--log"}, node.url()),
                 "not_implemented");
  EXPECT_THAT(node.requests(), IsEmpty());
}

TEST(invoke, refuses_what_no_function_can_be_called) {
  for (auto name : {"", "a b", "a/b", "a:1", "ü", "../x", "a%20b"})
    expect_usage_error(troupe_cli({"invoke", name}), "NAME");
  expect_usage_error(troupe_cli({"invoke", std::string(65, 'x')}), "NAME");
  expect_failure(troupe_cli({"invoke", std::string(64, 'x')}), "no_node");
  expect_failure(troupe_cli({"invoke", "--", "-x"}), "no_node");
}

TEST(invoke, names_what_is_wrong_with_the_command_line) {
  expect_usage_error(troupe_cli({"invoke"}), "NAME is missing");
  expect_usage_error(troupe_cli({"invoke", "f", "g"}), "'g'");
  expect_usage_error(troupe_cli({"invoke", "f", "--bogus"}), "--bogus");
  expect_usage_error(troupe_cli({"invoke", "f", "-d"}), "--data");
  expect_usage_error(troupe_cli({"invoke", "f", "-d", "1", "-d", "2"}),
                     "--data");
  expect_usage_error(troupe_cli({"invoke", "f", "--key", ""}), "key");
  expect_usage_error(troupe_cli({"invoke", "f", "--key", "\xff"}), "key");
  expect_usage_error(troupe_cli({"invoke", "f", "--qualifier", "a b"}),
                     "--qualifier");
  for (auto time :
       {"0s", "5", "901s", "x", "-1s", "1h", "99999999999999999999s"})
    expect_usage_error(troupe_cli({"invoke", "f", "--timeout", time}),
                       "--timeout");
}

TEST(invoke, refuses_an_endpoint_that_is_none) {
  for (auto url :
       {"ftp://127.0.0.1", "https://127.0.0.1", "http://",
        "http://127.0.0.1/path", "http://u:p@127.0.0.1", "http://127.0.0.1?q",
        "http://127.0.0.1:99999", "a b", "file:///etc/passwd"}) {
    expect_usage_error(troupe_cli({"invoke", "f", "--endpoint", url}),
                       "address of a node");
    expect_usage_error(troupe_cli({"invoke", "f"}, url), "address of a node");
  }
}

TEST(invoke, prefers_the_endpoint_of_the_command_line) {
  auto node = answering(200, json_type, "1");
  auto bare = node.url().substr(7);
  for (const auto& url : {node.url(), node.url() + "/", bare})
    EXPECT_EQ(troupe_cli({"invoke", "f", "--endpoint", url}).out, "1\n") << url;
}

TEST(invoke, fails_if_stdout_takes_no_more) {
  auto node = answering(200, json_type, std::string(100'000, '1'));
  process_input what;
  what.command = {"/bin/sh", "-c",
                  TROUPE_BINARY " invoke f --endpoint " + node.url()
                    + " > /dev/full"};
  auto x = run_process(what);
  expect_failure(x, "cannot write to stdout");
}

TEST(invoke, says_where_the_data_goes) {
  expect_usage_error(troupe_cli({"invoke", "add", "[2,3]"}), "after -d");
  auto x = troupe_cli({"owner", "s", "k", "x"});
  expect_usage_error(x, "one too many");
  EXPECT_THAT(x.err, Not(HasSubstr("-d")));
}

// As `troupe ... | head` does, also of a command that ignores SIGPIPE itself;
// the status is the one of a program that the signal ends.
TEST(cli, ends_silently_if_nobody_reads_any_more) {
  auto node = answering(200, json_type, std::string(1'000'000, '1'));
  for (auto command : {"invoke f", "invoke f --help", "lock --help", "--help",
                       "node --help", "store check --help", "certs --help"}) {
    process_input what;
    what.command = {"/bin/bash", "-c",
                    std::string{"( sleep 0.3; " TROUPE_BINARY " "} + command
                      + "; echo $? >&2 ) | exec true"};
    what.environment = {"TROUPE_ENDPOINT=" + node.url(), "PATH=/usr/bin:/bin"};
    auto x = run_process(what);
    EXPECT_EQ(x.err, "141\n") << command;
  }
}

TEST(lock, names_the_help_of_what_was_typed) {
  EXPECT_THAT(troupe_cli({"lock", "release", "door"}).err,
              HasSubstr("'troupe lock release --help'"));
  EXPECT_THAT(troupe_cli({"lock", "bogus"}).err,
              HasSubstr("'troupe lock --help'"));
}

// -- call ---------------------------------------------------------------------

TEST(call, encodes_the_key_so_that_it_stays_one_segment) {
  auto node = answering(200, json_type, "7");
  auto sent_key = [&](const std::string& key) {
    auto x = troupe_cli({"call", "s", "--", key, "m"}, node.url());
    EXPECT_EQ(x.status, 0) << x.err;
    auto line = node.requests().back().line();
    EXPECT_THAT(line, StartsWith("POST /services/s/"));
    return line.substr(17, line.size() - 17 - 2);
  };
  EXPECT_EQ(sent_key("plain-_.~9"), "plain-_.~9");
  EXPECT_EQ(sent_key("a/b"), "a%2Fb");
  EXPECT_EQ(sent_key("100% ü?#&+"), "100%25%20%C3%BC%3F%23%26%2B");
  EXPECT_EQ(sent_key("."), "%2E");
  EXPECT_EQ(sent_key(".."), "%2E%2E");
  EXPECT_EQ(sent_key("-x"), "-x");
  EXPECT_EQ(sent_key("\x01\n"), "%01%0A");
}

TEST(call, sends_json_and_prints_the_answer) {
  auto node = answering(200, json_type, "{\"a\":1}");
  auto x = troupe_cli({"call", "counter", "visits", "increment", "-d", "2"},
                      node.url());
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(x.out, "{\"a\":1}\n");
  auto sent = node.requests().at(0);
  EXPECT_EQ(sent.line(), "POST /services/counter/visits/increment");
  EXPECT_EQ(sent.field("Content-Type"), json_type);
  EXPECT_EQ(sent.field("If-Match"), "");
}

TEST(call, sends_the_revisions_it_may_meet) {
  auto node = answering(200, json_type, "1");
  auto sent = [&](const std::string& text) {
    auto x =
      troupe_cli({"call", "s", "k", "m", "--if-match", text}, node.url());
    EXPECT_EQ(x.status, 0) << x.err;
    return node.requests().back().field("If-Match");
  };
  EXPECT_EQ(sent("4"), "\"4\"");
  EXPECT_EQ(sent("0,18446744073709551615"), "\"0\", \"18446744073709551615\"");
  EXPECT_EQ(sent("*"), "*");
  for (auto text : {"", "x", "4,", ",4", "\"4\"", "-1", "*,4", "4 5"})
    expect_usage_error(troupe_cli({"call", "s", "k", "m", "--if-match", text}),
                       "--if-match");
}

TEST(call, sends_a_key_by_which_a_repeat_is_known) {
  auto node = answering(200, json_type, "1");
  auto x = troupe_cli({"call", "s", "k", "m", "--idempotency-key", "a\"1"},
                      node.url());
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(node.requests().at(0).field("Idempotency-Key"), "a\"1");
  for (auto& bad : words{"", "a b", "\u00e4", "a\nb", std::string(256, 'k')})
    expect_usage_error(
      troupe_cli({"call", "s", "k", "m", "--idempotency-key", bad}),
      "--idempotency-key");
}

TEST(call, names_what_is_wrong_with_the_command_line) {
  expect_usage_error(troupe_cli({"call"}), "SERVICE is missing");
  expect_usage_error(troupe_cli({"call", "s"}), "KEY is missing");
  expect_usage_error(troupe_cli({"call", "s", "k"}), "METHOD is missing");
  expect_usage_error(troupe_cli({"call", "s", "k", "m", "x"}), "'x'");
  expect_usage_error(troupe_cli({"call", "s/", "k", "m"}), "SERVICE");
  expect_usage_error(troupe_cli({"call", "s", "k", "m!"}), "METHOD");
  expect_usage_error(troupe_cli({"call", "s", "", "m"}), "key");
  expect_usage_error(troupe_cli({"call", "s", std::string(513, 'k'), "m"}),
                     "key");
  expect_failure(troupe_cli({"call", "s", std::string(512, 'k'), "m"}),
                 "no_node");
}

// -- stored entities ----------------------------------------------------------

namespace {

/// Three keys in two pages.
std::string two_pages(const received_request& x) {
  return http_answer(200, json_type,
                     x.line().find("after=") == std::string::npos
                       ? R"({"keys":[{"key":"a\u001b","revision":1,"schema":1,)"
                         R"("state":{"z":1,"a":1.50}},{"key":"b",)"
                         R"("revision":20,"schema":3,"state":[]}],"next":"b"})"
                       : R"({"keys":[{"key":"c/d","revision":3,"schema":1,)"
                         R"("state":null}],"next":null})");
}

} // namespace

TEST(keys, come_from_all_pages) {
  canned_node node{two_pages};
  auto x = troupe_cli({"keys", "s", "--prefix", "p/ &"}, node.url());
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "KEY  REVISION\na    1\nb    20\nc/d  3\n");
  EXPECT_EQ(node.requests().at(0).line(),
            "GET /services/s?limit=1000&prefix=p%2F%20%26");
  EXPECT_EQ(node.requests().at(1).line(),
            "GET /services/s?limit=1000&prefix=p%2F%20%26&after=b");
}

TEST(keys, are_so_many_at_most) {
  canned_node node{two_pages};
  auto x = troupe_cli({"keys", "s", "--limit", "2", "--json"}, node.url());
  EXPECT_EQ(nlohmann::json::parse(x.out).size(), 2u);
  ASSERT_EQ(node.requests().size(), 1u);
  EXPECT_EQ(node.requests().at(0).line(), "GET /services/s?limit=2");
  for (auto bad : {"0", "-1", "x", "", "1.5", "99999999999999999999"})
    expect_usage_error(troupe_cli({"keys", "s", "--limit", bad}), "--limit");
}

TEST(schedule, is_late_when_its_time_has_passed) {
  auto ago = [](int seconds) {
    auto time = std::time(nullptr) - seconds;
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time));
    return std::string{text};
  };
  auto state_at = [&](const std::string& next) {
    auto node = answering(200, json_type,
                          R"({"next":null,"schedules":[{"name":"a","next":")"
                            + next + "\"}]}");
    return troupe_cli({"schedule", "list"}, node.url()).out;
  };
  EXPECT_THAT(state_at(ago(-60)), HasSubstr("a     active"));
  EXPECT_THAT(state_at(ago(2)), HasSubstr("a     active"));
  EXPECT_THAT(state_at(ago(190)), HasSubstr("a     late by 3 min"));
  EXPECT_THAT(state_at(ago(86'400 * 3 + 60)), HasSubstr("late by 3 days"));
}

TEST(keys, say_what_is_wrong_with_the_command_line) {
  expect_usage_error(troupe_cli({"keys"}), "SERVICE is missing");
  expect_usage_error(troupe_cli({"keys", "a/b"}), "SERVICE");
  expect_usage_error(troupe_cli({"keys", "s", "x"}), "'x'");
  expect_usage_error(troupe_cli({"keys", "s", "--prefix", "\xff"}), "--prefix");
  expect_usage_error(troupe_cli({"keys", "s", "--after", "\xff"}), "--after");
  expect_usage_error(troupe_cli({"state", "s"}), "KEY is missing");
  expect_usage_error(troupe_cli({"delete", "s", ""}), "key");
  expect_usage_error(troupe_cli({"delete", "s", "k", "--if-match", "x"}),
                     "--if-match");
  expect_usage_error(troupe_cli({"import", "s", "f", "g"}), "'g'");
  expect_usage_error(troupe_cli({"import"}), "SERVICE is missing");
  expect_usage_error(troupe_cli({"import", "s", "/no/such/file"}),
                     "/no/such/file");
}

TEST(keys, refuse_pages_that_no_node_gives) {
  for (auto body :
       {"", "[]", "{}", R"({"keys":[]})", R"({"keys":{},"next":null})",
        R"({"keys":[1],"next":null})", R"({"keys":[{"key":"a"}],"next":null})",
        R"({"keys":[{"key":1,"revision":1}],"next":null})",
        R"({"keys":[],"next":5})", R"({"keys":[],"next":""})"}) {
    auto node = answering(200, json_type, body);
    expect_failure(troupe_cli({"keys", "s"}, node.url()), "internal_error");
  }
  // The same page again and again.
  auto node = answering(200, json_type,
                        R"({"keys":[{"key":"a","revision":1}],"next":"a"})");
  expect_failure(troupe_cli({"keys", "s"}, node.url()), "internal_error");
  EXPECT_EQ(node.requests().size(), 2u);
}

TEST(export_, writes_a_line_for_each_entity) {
  canned_node node{two_pages};
  auto x = troupe_cli({"export", "s"}, node.url());
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, R"({"key":"a\u001b","revision":1,"schema":1,)"
                   R"("state":{"a":1.5,"z":1}})"
                   "\n"
                   R"({"key":"b","revision":20,"schema":3,"state":[]})"
                   "\n"
                   R"({"key":"c/d","revision":3,"schema":1,"state":null})"
                   "\n");
  EXPECT_EQ(node.requests().at(0).line(),
            "GET /services/s?limit=1000&states=true");
}

TEST(export_, fails_if_a_page_does_not_come) {
  canned_node node{[](const received_request& x) {
    return x.line().find("after=") == std::string::npos ? two_pages(x) : "";
  }};
  auto x = troupe_cli({"export", "s"}, node.url());
  EXPECT_EQ(x.status, 1);
  EXPECT_THAT(x.err, HasSubstr("outcome_unknown"));
}

TEST(import_, puts_each_line) {
  auto node = answering(204, json_type, "");
  auto x = troupe_cli({"import", "s"}, node.url(),
                      "{\"key\":\"a/b\",\"revision\":7,\"schema\":3,"
                      "\"state\":{\"v\":1}}\r\n  \n"
                      "{\"state\":[],\"key\":\"c\"}");
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "imported 2\n");
  auto sent = node.requests();
  ASSERT_EQ(sent.size(), 2u);
  // Several are under way at a time.
  if (sent[0].line() == "PUT /services/s/c")
    std::swap(sent[0], sent[1]);
  auto& first = sent[0];
  EXPECT_EQ(first.line(), "PUT /services/s/a%2Fb");
  EXPECT_EQ(first.field("Troupe-Schema"), "3");
  EXPECT_EQ(first.field("Content-Type"), json_type);
  EXPECT_EQ(first.body, R"({"v":1})");
  auto& second = sent[1];
  EXPECT_EQ(second.line(), "PUT /services/s/c");
  EXPECT_EQ(second.field("Troupe-Schema"), "");
  EXPECT_EQ(second.body, "[]");
}

TEST(import_, of_nothing_is_done) {
  EXPECT_EQ(troupe_cli({"import", "s"}).out, "imported 0\n");
}

TEST(import_, tells_the_error_of_the_node_and_the_line) {
  auto node = answering(502, json_type,
                        R"({"errorType":"my::error","errorMessage":"no",)"
                        R"("effect":"ran"})");
  auto x =
    troupe_cli({"import", "s"}, node.url(), "\n{\"key\":\"a\",\"state\":1}\n");
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.err, "error: my::error: line 2: no; imported: 0 "
                   "(effect: ran)\n");
}

// -- listings -----------------------------------------------------------------

namespace {

constexpr const char* cluster = R"({
  "nodes": [{"id": "box", "endpoint": "http://127.0.0.1:8700", "state": "up",
             "incarnation": "x", "zone": "", "shards": 1024},
            {"id": "a-longer-name", "endpoint": "http://127.0.0.1:8701",
             "state": "draining", "incarnation": "y", "zone": "z",
             "shards": 0}],
  "functions": [{"name": "add", "kind": "function", "versions": [1, 12]},
                {"name": "echo"}],
  "services": [{"name": "counter", "schema": 2,
                "methods": ["get", "increment"]},
               {"name": "bare", "methods": []}]})";

constexpr const char* actors = R"([
  {"kind": "supervisor", "name": "root", "state": "running", "restarts": 0,
   "queue": 0, "children": [
     {"kind": "pool", "name": "add", "state": "quarantined", "restarts": 2,
      "lastReason": "std::logic_error: \u001b[31mbad", "queue": 3,
      "children": [{"kind": "instance", "name": "add/1", "state": "running",
                    "handler": "add", "runningUs": 12345}]},
     {"kind": "meter", "name": "", "state": "running"}]}])";

} // namespace

TEST(listings, align_what_they_show) {
  auto node = answering(200, json_type, cluster);
  EXPECT_EQ(troupe_cli({"functions"}, node.url()).out,
            "FUNCTION  KIND      VERSIONS\n"
            "add       function  1, 12\n"
            "echo      -         -\n");
  EXPECT_EQ(troupe_cli({"services"}, node.url()).out,
            "SERVICE  SCHEMA  METHODS\n"
            "counter  2       get, increment\n"
            "bare     -       -\n");
  EXPECT_EQ(troupe_cli({"nodes"}, node.url()).out,
            "NODE           STATE     SHARDS  ZONE  ENDPOINT\n"
            "box            up        1024    -     http://127.0.0.1:8700\n"
            "a-longer-name  draining  0       z     http://127.0.0.1:8701\n");
  EXPECT_EQ(node.requests().at(0).line(), "GET /cluster");
}

TEST(listings, print_json_when_asked) {
  auto node = answering(200, json_type, cluster);
  auto all = nlohmann::json::parse(cluster);
  for (auto name : {"functions", "services", "nodes"}) {
    auto x = troupe_cli({name, "--json"}, node.url());
    EXPECT_EQ(x.status, 0);
    EXPECT_EQ(nlohmann::json::parse(x.out), all[name]);
  }
}

TEST(listings, show_the_tree_in_ascii_to_a_pipe) {
  auto node = answering(200, json_type, actors);
  auto x = troupe_cli({"tree"}, node.url());
  EXPECT_EQ(x.status, 0);
  EXPECT_EQ(node.requests().at(0).line(), "GET /cluster/tree");
  EXPECT_EQ(
    x.out,
    "ACTOR                 STATE        RESTARTS  QUEUE  RUNNING     "
    "LAST REASON\n"
    "supervisor root       running      0         0      -           -\n"
    "|- pool add           quarantined  2         3      -           "
    "std::logic_error:  [31mbad\n"
    "|  `- instance add/1  running      -         -      add, 12 ms  -\n"
    "`- meter              running      -         -      -           -\n");
}

TEST(listings, draw_the_tree_on_a_terminal) {
  auto node = answering(200, json_type, actors);
  auto what = input({"tree"}, node.url());
  what.on_terminal = true;
  auto out = run_process(what).out;
  EXPECT_THAT(out, HasSubstr("├─ pool add           quarantined"));
  EXPECT_THAT(out, HasSubstr("│  └─ instance add/1  running"));
  what.environment.at(1) = "LC_ALL=C";
  EXPECT_THAT(run_process(what).out, HasSubstr("|- pool add"));
}

TEST(listings, print_the_tree_as_json_when_asked) {
  auto node = answering(200, json_type, actors);
  auto x = troupe_cli({"tree", "--json"}, node.url());
  EXPECT_EQ(nlohmann::json::parse(x.out), nlohmann::json::parse(actors));
}

TEST(listings, refuse_an_answer_that_no_node_gives) {
  for (auto body : {"", "5", "null", "[]", "{}", "{\"functions\":{}}",
                    "{\"functions\":[1]}", "{\"functions\":", "\xff"}) {
    auto node = answering(200, json_type, body);
    expect_failure(troupe_cli({"functions"}, node.url()), "internal_error");
  }
  for (auto body : {"", "5", "{}", "[{\"children\":5}]"}) {
    auto node = answering(200, json_type, body);
    expect_failure(troupe_cli({"tree"}, node.url()), "internal_error");
  }
}

TEST(listings, survive_an_answer_of_endless_depth) {
  auto node = answering(200, json_type, std::string(100'000, '['));
  expect_failure(troupe_cli({"tree"}, node.url()), "internal_error");
}

TEST(listings, fail_without_a_node) {
  for (auto name : {"functions", "services", "nodes", "tree"})
    expect_failure(troupe_cli({name}), "no_node");
  for (auto name : {"keys", "export"})
    expect_failure(troupe_cli({name, "s"}), "no_node");
  for (auto name : {"state", "delete"})
    expect_failure(troupe_cli({name, "s", "k"}), "no_node");
}

// -- the rest -----------------------------------------------------------------

TEST(cli, knows_the_commands_that_are_not_built_yet) {
  for (auto name :
       {"deploy", "versions", "alias", "rollback", "logs", "top", "cost"}) {
    auto x = troupe_cli({name, "x"});
    EXPECT_EQ(x.status, 1);
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, StartsWith("error: not_implemented: 'troupe "
                                  + std::string{name} + "'"));
    EXPECT_EQ(troupe_cli({name, "--help"}).status, 0);
  }
}

TEST(cli, refuses_commands_that_there_are_not) {
  expect_usage_error(troupe_cli({}), "a command is missing");
  for (auto name : {"bogus", "", "-d", "Invoke", "invoke ", "\xff\x1b[31m"})
    expect_usage_error(troupe_cli({name}), "there is no command");
  EXPECT_THAT(troupe_cli({"\x1b[31m"}).err, Not(HasSubstr("\x1b")));
}

TEST(cli, refuses_a_node_with_wrong_options) {
  expect_usage_error(troupe_cli({"node", "--bogus"}), "--bogus");
  expect_usage_error(troupe_cli({"node", "stray"}), "'stray'");
  expect_usage_error(troupe_cli({"node", "--http.listen", "0.0.0.0:0"}),
                     "--insecure");
  expect_usage_error(troupe_cli({"node", "--config", "/no/such/file"}),
                     "/no/such/file");
  expect_usage_error(troupe_cli({"node", "--cluster.listen", "127.0.0.1:0",
                                 "--store", "memory:"}),
                     "cannot be shared");
}

// Whatever is typed: 1 or 2, an explanation, nothing on stdout; no crash, no
// hang. Every line has something wrong in it, if only that nobody listens.
TEST(cli, survives_malformed_command_lines) {
  std::mt19937 random{make_seed()};
  auto pick = [&](size_t count) {
    return std::uniform_int_distribution<size_t>{0, count - 1}(random);
  };
  const words commands{"invoke", "call",  "functions", "services", "nodes",
                       "tree",   "bogus", "deploy",    "",         "-d"};
  const words pieces{"-d",
                     "--data",
                     "--data=",
                     "--key",
                     "--qualifier",
                     "--json",
                     "--timeout",
                     "--endpoint=",
                     "--endpoint=http://[::1",
                     "--endpoint=http://127.0.0.1:0",
                     "--endpoint=http://\xff",
                     "--if-match",
                     "--async",
                     "--log",
                     "--",
                     "-",
                     "@",
                     "@/",
                     "-dx",
                     "-x",
                     "---",
                     "--=",
                     "=",
                     "",
                     " ",
                     "\n",
                     "\xff",
                     "\xc3\x28",
                     "%",
                     "%00",
                     "a",
                     "a/b",
                     "../..",
                     "$LATEST",
                     "1e999",
                     "-1",
                     "{\"a\":",
                     "[[[[",
                     "*",
                     "http://",
                     "//",
                     "?",
                     std::string(65, 'n'),
                     std::string(513, 'k'),
                     std::string(100'000, 'x')};
  for (int i = 0; i < 250; ++i) {
    words line{commands[pick(commands.size())]};
    for (auto count = pick(7); count > 0; --count)
      line.push_back(pick(4) != 0 ? pieces[pick(pieces.size())]
                                  : noise(pick(20), random()));
    auto x = troupe_cli(line);
    EXPECT_THAT(x.status, AnyOf(1, 2))
      << i << ": " << testing::PrintToString(line) << x.err;
    EXPECT_EQ(x.out, "") << i << ": " << testing::PrintToString(line);
    EXPECT_THAT(x.err, Not(IsEmpty()))
      << i << ": " << testing::PrintToString(line);
  }
}

TEST(cli, survives_malformed_options_of_a_node) {
  std::mt19937 random{make_seed()};
  auto pick = [&](size_t count) {
    return std::uniform_int_distribution<size_t>{0, count - 1}(random);
  };
  const words options{"--http.listen",       "--http.threads",
                      "--http.head-size",    "--log.level",
                      "--http.idle-timeout", "--limit",
                      "--shutdown.grace",    "--http.connections"};
  const words values{"",         "-1",   "1e9",  "99999999999999999999",
                     "5 s",      "[::1", "::",   "a=b",
                     "a=queue:", "=",    "1.5s", "0x1",
                     "\xff",     "loud", "MiB",  std::string(100'000, '9')};
  for (int i = 0; i < 100; ++i) {
    words line{"node", options[pick(options.size())],
               values[pick(values.size())]};
    auto x = troupe_cli(line);
    EXPECT_EQ(x.status, 2) << i << ": " << testing::PrintToString(line);
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, HasSubstr("troupe node: "));
  }
}
