// Locks on a real node: over HTTP, and what calls that show them may do.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using json = nlohmann::json;
using namespace std::chrono_literals;

namespace troupe::test {

namespace {

void expect_error(const http_answer& x, unsigned status,
                  const std::string& type, const std::string& effect = "none") {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), effect) << x.body;
}

http_answer ask(const node_process& node, const json& wish = json::object(),
                const std::string& name = "door") {
  return post(node, "/locks/" + name, wish.dump());
}

/// The token of a grant; 0 if it was none.
uint64_t token_of(const http_answer& x) {
  auto body = json::parse(x.body, nullptr, false);
  return x.status == 200 ? body.value("token", uint64_t{0}) : 0;
}

uint64_t acquire(const node_process& node, const json& wish = json::object(),
                 const std::string& name = "door") {
  return token_of(ask(node, wish, name));
}

/// What a grant has left of its time.
std::chrono::seconds expires_in(const http_answer& x) {
  auto text = json::parse(x.body).value("expiresAt", "");
  std::tm utc{};
  if (!::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc))
    return {};
  return std::chrono::seconds{::timegm(&utc) - std::time(nullptr)};
}

http_answer renew(const node_process& node, const json& body) {
  return send(node, "PUT", "/locks/door", body.dump());
}

http_answer release(const node_process& node, uint64_t token,
                    const std::string& name = "door") {
  return send(node, "DELETE",
              "/locks/" + name + "?token=" + std::to_string(token));
}

http_answer increment(const node_process& node, const std::string& locks) {
  return post(node, "/services/counter/k/increment", "1",
              {"Troupe-Lock: " + locks});
}

std::string value(const node_process& node) {
  return post(node, "/services/counter/k/get").body;
}

std::string wish_request(const json& wish, const std::string& name = "door") {
  return request("POST", "/locks/" + name, wish.dump());
}

const auto time_form =
  "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z";

} // namespace

// -- one at a time -----------------------------------------------------------

TEST(locks, are_held_by_one_at_a_time) {
  example_node node;
  auto first = ask(node, {{"ttlMs", 60'000}});
  auto body = json::parse(first.body);
  EXPECT_EQ(first.status, 200u);
  EXPECT_EQ(body.size(), 2u) << first.body;
  EXPECT_EQ(body["token"], 1);
  EXPECT_THAT(body["expiresAt"].get<std::string>(), MatchesRegex(time_form));
  auto second = ask(node);
  expect_error(second, 409, "lock_held");
  EXPECT_EQ(second.field("Retry-After"), "60");
  EXPECT_EQ(release(node, 1).status, 204u);
  EXPECT_EQ(acquire(node), 2u);
  EXPECT_EQ(acquire(node, json::object(), "gate"), 1u);
}

TEST(locks, need_no_body) {
  example_node node;
  EXPECT_EQ(token_of(post(node, "/locks/door")), 1u);
}

TEST(locks, are_shown) {
  example_node node;
  expect_error(get(node, "/locks/door"), 404, "not_found");
  acquire(node, {{"ttlMs", 60'000}});
  auto held = json::parse(get(node, "/locks/door").body);
  EXPECT_EQ(held["name"], "door");
  EXPECT_EQ(held["token"], 1);
  EXPECT_EQ(held["held"], true);
  EXPECT_THAT(held["expiresAt"].get<std::string>(), MatchesRegex(time_form));
  release(node, 1);
  EXPECT_EQ(json::parse(get(node, "/locks/door").body),
            (json{{"name", "door"}, {"token", 1}, {"held", false}}));
  EXPECT_EQ(send(node, "HEAD", "/locks/door").status, 200u);
}

TEST(locks, are_renewed_by_their_holder_only) {
  example_node node;
  expect_error(renew(node, {{"token", 1}}), 404, "not_found");
  acquire(node, {{"ttlMs", 60'000}});
  auto renewed = renew(node, {{"token", 1}, {"ttlMs", 90'000}});
  EXPECT_EQ(token_of(renewed), 1u) << renewed.body;
  EXPECT_EQ(token_of(renew(node, {{"token", "1"}})), 1u) << "a token as text";
  expect_error(renew(node, {{"token", 2}}), 409, "lock_held");
  release(node, 1);
  expect_error(renew(node, {{"token", 1}}), 409, "lock_held");
}

TEST(locks, are_released_by_their_holder_only) {
  example_node node;
  expect_error(release(node, 1), 404, "not_found");
  acquire(node);
  expect_error(release(node, 2), 409, "lock_held");
  EXPECT_EQ(acquire(node), 0u);
  EXPECT_EQ(release(node, 1).status, 204u);
  EXPECT_EQ(release(node, 1).status, 204u) << "it may be repeated";
  acquire(node);
  expect_error(release(node, 1), 409, "lock_held");
}

// -- time --------------------------------------------------------------------

// 900 s: by far more than the default, and than the test takes.
TEST(locks, a_renewal_without_a_time_keeps_the_one_it_was_granted_with) {
  example_node node;
  auto granted = expires_in(ask(node, {{"ttlMs", 900'000}}));
  EXPECT_GT(granted, 600s);
  EXPECT_GT(expires_in(renew(node, {{"token", 1}})), 600s);
  auto x = cli(node, {"lock", "renew", "door", "1", "--json"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_GT(expires_in({200, {}, x.out}), 600s);
}

TEST(locks, are_free_when_their_time_is_over) {
  example_node node;
  EXPECT_EQ(acquire(node, {{"ttlMs", 1}}), 1u);
  EXPECT_EQ(acquire(node, {{"ttlMs", 150}, {"waitMs", 20'000}}), 2u);
  auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(acquire(node, {{"waitMs", 20'000}}), 3u);
  auto waited = std::chrono::steady_clock::now() - begun;
  EXPECT_GT(waited, 100ms);
  EXPECT_LT(waited, 10s);
  expect_error(renew(node, {{"token", 2}}), 409, "lock_held");
}

TEST(locks, whoever_waits_gets_one_when_it_is_released) {
  example_node node;
  acquire(node, {{"ttlMs", 900'000}});
  raw_client waiting{node->port()};
  waiting.send(wish_request({{"waitMs", 60'000}}));
  // It stands in line: one who does not wait is told at once.
  EXPECT_TRUE(eventually([&] { return ask(node).status == 409; }));
  release(node, 1);
  EXPECT_EQ(token_of(waiting.read()), 2u);
}

TEST(locks, nobody_waits_for_longer_than_it_said) {
  example_node node;
  acquire(node, {{"ttlMs", 900'000}});
  auto begun = std::chrono::steady_clock::now();
  expect_error(ask(node, {{"waitMs", 200}}), 409, "lock_held");
  auto waited = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(waited, 199ms);
  EXPECT_LT(waited, 5s);
  // The deadline of the call is another bound.
  expect_error(post(node, "/locks/door", R"({"waitMs":900000})",
                    {"Troupe-Timeout-Ms: 50"}),
               504, "deadline_exceeded");
  EXPECT_EQ(release(node, 1).status, 204u);
  EXPECT_EQ(acquire(node), 2u);
}

TEST(locks, whoever_hung_up_gets_none) {
  example_node node;
  acquire(node, {{"ttlMs", 900'000}});
  raw_client gone{node->port()};
  gone.send(wish_request({{"waitMs", 900'000}, {"ttlMs", 900'000}}));
  raw_client next{node->port()};
  next.send(wish_request({{"waitMs", 900'000}}));
  gone.reset();
  release(node, 1);
  auto token = token_of(next.read());
  // 3 if it was granted to the one that had gone, and released.
  EXPECT_TRUE(token == 2 || token == 3) << token;
}

TEST(locks, many_who_wait_get_one_after_the_other) {
  example_node node;
  constexpr int count = 50;
  acquire(node, {{"ttlMs", 900'000}});
  std::vector<std::unique_ptr<raw_client>> all;
  for (int i = 0; i < count; ++i) {
    all.push_back(std::make_unique<raw_client>(node->port()));
    all.back()->send(wish_request({{"waitMs", 60'000}, {"ttlMs", 60'000}}));
  }
  std::vector<uint64_t> tokens;
  release(node, 1);
  for (auto& x : all) {
    tokens.push_back(token_of(x->read()));
    EXPECT_EQ(release(node, tokens.back()).status, 204u);
  }
  std::sort(tokens.begin(), tokens.end());
  for (int i = 0; i < count; ++i)
    EXPECT_EQ(tokens[i], 2u + i);
}

// -- what is wrong -----------------------------------------------------------

TEST(locks, what_makes_no_sense_is_refused_and_changes_nothing) {
  example_node node;
  for (auto body :
       {"[]", "1", "{", "null", R"({"ttl":5})", R"({"ttlMs":0})",
        R"({"ttlMs":-1})", R"({"ttlMs":900001})", R"({"ttlMs":"5"})",
        R"({"ttlMs":1.5})", R"({"waitMs":-1})", R"({"waitMs":900001})",
        R"({"waitMs":true})", R"({"token":1})", R"({"ttlMs":null})"})
    expect_error(post(node, "/locks/door", body), 400, "bad_request");
  for (auto path : {"/locks/a%20b", "/locks/%C3%A4", "/locks/a.b",
                    "/locks/door?ttlMs=5", "/locks/door?x"})
    expect_error(post(node, path), 400, "bad_request");
  expect_error(post(node, "/locks/" + std::string(65, 'a')), 400,
               "bad_request");
  for (auto body : {"", "{}", R"({"token":0})", R"({"token":-1})",
                    R"({"token":"x"})", R"({"token":1.5})",
                    R"({"token":9223372036854775808})", R"({"token":[1]})",
                    R"({"token":1,"ttlMs":0})", R"({"token":1,"waitMs":1})"})
    expect_error(send(node, "PUT", "/locks/door", body), 400, "bad_request");
  for (auto query : {"", "?token=", "?token=0", "?token=x", "?token=1&token=1",
                     "?token=-1", "?x=1", "?token=9223372036854775808"})
    expect_error(send(node, "DELETE", std::string{"/locks/door"} + query), 400,
                 "bad_request");
  for (auto field : {"Troupe-Lock: a=1", "If-Match: \"1\"",
                     "Idempotency-Key: a", "Troupe-Key: a"})
    expect_error(post(node, "/locks/door", "", {field}), 400, "bad_request");
  for (auto path : {"/locks", "/locks/", "/locks/a/b"})
    EXPECT_GE(post(node, path).status, 400u) << path;
  auto method = send(node, "PATCH", "/locks/door");
  expect_error(method, 405, "method_not_allowed");
  EXPECT_EQ(method.field("Allow"), "GET, HEAD, POST, PUT, DELETE");
  expect_error(get(node, "/locks/door"), 404, "not_found");
}

// -- calls -------------------------------------------------------------------

TEST(locks, a_call_under_a_lock_counts_while_it_is_held) {
  example_node node;
  acquire(node, {{"ttlMs", 1}});
  EXPECT_EQ(increment(node, "door=1").body, "1");
  // Its time is over, but nobody else has had it.
  EXPECT_TRUE(eventually([&] {
    return get(node, "/locks/door").body.find("false") != std::string::npos;
  }));
  EXPECT_EQ(increment(node, "door=1").body, "2");
  EXPECT_EQ(acquire(node), 2u);
  auto late = increment(node, "door=1");
  expect_error(late, 409, "lock_held");
  EXPECT_THAT(late.body, HasSubstr("door=1"));
  EXPECT_EQ(increment(node, "door=2").body, "3");
  release(node, 2);
  expect_error(increment(node, "door=2"), 409, "lock_held");
  EXPECT_EQ(value(node), "3");
}

TEST(locks, a_call_may_show_several) {
  example_node node;
  acquire(node);
  acquire(node, json::object(), "gate");
  EXPECT_EQ(increment(node, "gate=1, door=1").body, "1");
  auto lines = post(node, "/services/counter/k/increment", "1",
                    {"Troupe-Lock: gate=1", "troupe-lock: door=1"});
  EXPECT_EQ(lines.body, "2");
  release(node, 1, "gate");
  expect_error(increment(node, "gate=1, door=1"), 409, "lock_held");
  EXPECT_EQ(increment(node, "door=1").body, "3");
}

TEST(locks, what_a_call_shows_is_checked) {
  example_node node;
  acquire(node);
  for (auto locks : {"", "door", "door=", "door=x", "door=0", "=1", "door=-1",
                     "door=1,", "door=1,door=1", "door 1", "d r=1",
                     "door=9223372036854775808", "door=1;gate=1"})
    expect_error(increment(node, locks), 400, "bad_request");
  std::string many = "a0=1";
  for (int i = 1; i < 17; ++i)
    many += ",a" + std::to_string(i) + "=1";
  expect_error(increment(node, many), 400, "bad_request");
  expect_error(post(node, "/invoke/add", "[2,3]", {"Troupe-Lock: door=1"}), 400,
               "bad_request");
  for (auto path : {"/services/counter/k", "/services/counter"})
    expect_error(send(node, "GET", path, "", {"Troupe-Lock: door=1"}), 400,
                 "bad_request");
  expect_error(increment(node, "nobody=1"), 409, "lock_held");
  EXPECT_EQ(value(node), "0");
}

TEST(locks, a_state_is_replaced_and_deleted_under_one) {
  example_node node;
  acquire(node);
  auto path = "/services/counter/k";
  auto replace = [&](const char* lock) {
    return send(node, "PUT", path, R"({"value":5})",
                {std::string{"Troupe-Lock: "} + lock});
  };
  expect_error(replace("door=2"), 409, "lock_held");
  EXPECT_EQ(replace("door=1").status, 204u);
  release(node, 1);
  expect_error(send(node, "DELETE", path, "", {"Troupe-Lock: door=1"}), 409,
               "lock_held");
  EXPECT_EQ(value(node), "5");
}

TEST(locks, a_condition_and_a_lock_both_have_to_hold) {
  example_node node;
  acquire(node);
  auto call = [&](const char* lock, const char* revision) {
    return post(node, "/services/counter/k/increment", "1",
                {std::string{"Troupe-Lock: "} + lock,
                 std::string{"If-Match: "} + revision});
  };
  EXPECT_EQ(increment(node, "door=1").body, "1");
  expect_error(call("door=1", "\"7\""), 412, "revision_mismatch");
  expect_error(call("door=2", "\"1\""), 409, "lock_held");
  EXPECT_EQ(call("door=1", "\"1\"").body, "2");
}

// -- the node ----------------------------------------------------------------

TEST(locks, outlive_the_node) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  {
    node_process node{settings};
    EXPECT_EQ(acquire(node, {{"ttlMs", 60'000}}), 1u);
    EXPECT_EQ(acquire(node, {{"ttlMs", 60'000}}, "gate"), 1u);
    release(node, 1, "gate");
    node.kill();
  }
  node_process node{settings};
  EXPECT_EQ(acquire(node), 0u);
  EXPECT_EQ(token_of(renew(node, {{"token", 1}, {"ttlMs", 300}})), 1u);
  EXPECT_EQ(increment(node, "door=1").body, "1");
  EXPECT_EQ(acquire(node, {{"waitMs", 20'000}}), 2u);
  EXPECT_EQ(acquire(node, json::object(), "gate"), 2u);
}

TEST(locks, nobody_waits_at_a_node_that_leaves) {
  example_node node;
  acquire(node, {{"ttlMs", 900'000}});
  raw_client waiting{node->port()};
  waiting.send(wish_request({{"waitMs", 900'000}}));
  EXPECT_TRUE(eventually([&] { return ask(node).status == 409; }));
  auto begun = std::chrono::steady_clock::now();
  node->signal(SIGTERM);
  expect_error(waiting.read(), 503, "shutting_down");
  EXPECT_EQ(node->wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST(locks, a_store_in_memory_has_them_too) {
  example_node node{{"--store", "memory:"}};
  EXPECT_EQ(acquire(node), 1u);
  EXPECT_EQ(increment(node, "door=1").body, "1");
  release(node, 1);
  expect_error(increment(node, "door=1"), 409, "lock_held");
}

// -- the command line --------------------------------------------------------

TEST(lock_command, acquires_renews_shows_and_releases) {
  example_node node;
  auto x = cli(node, {"lock", "acquire", "door", "--ttl", "60"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "1\n");
  x = cli(node, {"lock", "acquire", "door"});
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr("lock_held"));
  x = cli(node, {"lock", "renew", "door", "1", "--ttl", "2m"});
  EXPECT_THAT(x.out, MatchesRegex(std::string{time_form} + "\n"));
  x = cli(node, {"lock", "show", "door"});
  EXPECT_THAT(x.out, HasSubstr("LOCK"));
  EXPECT_THAT(x.out, HasSubstr("yes"));
  x = cli(node, {"lock", "show", "door", "--json"});
  EXPECT_EQ(json::parse(x.out)["token"], 1);
  x = cli(node, {"lock", "release", "door", "1"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "");
  x = cli(node, {"lock", "acquire", "door", "--json", "--wait", "1"});
  EXPECT_EQ(json::parse(x.out)["token"], 2);
  EXPECT_EQ(cli(node, {"lock", "renew", "door", "1"}).status, 1);
  EXPECT_EQ(cli(node, {"lock", "release", "door", "1"}).status, 1);
  EXPECT_EQ(cli(node, {"lock", "show", "gate"}).status, 1);
}

TEST(lock_command, refuses_what_makes_no_sense) {
  example_node node;
  const std::vector<words> wrong{
    {"lock"},
    {"lock", "bogus"},
    {"lock", "acquire"},
    {"lock", "acquire", "a b"},
    {"lock", "acquire", "door", "extra"},
    {"lock", "acquire", "door", "--ttl", "0"},
    {"lock", "acquire", "door", "--ttl", "901"},
    {"lock", "acquire", "door", "--ttl", "1h"},
    {"lock", "acquire", "door", "--wait", "-1"},
    {"lock", "renew", "door"},
    {"lock", "renew", "door", "x"},
    {"lock", "release", "door", "0"},
    {"lock", "run", "door"},
    {"lock", "run", "door", "--"},
    {"lock", "run", "--", "true"},
    {"call", "counter", "k", "increment", "--lock", "door"}};
  for (auto& x : wrong)
    EXPECT_EQ(cli(node, x).status, 2) << x.back();
  expect_error(get(node, "/locks/door"), 404, "not_found");
  for (auto name : {"acquire", "renew", "release", "show", "run"})
    EXPECT_EQ(cli(node, {"lock", name, "--help"}).status, 0) << name;
  EXPECT_EQ(cli(node, {"lock", "--help"}).status, 0);
}

TEST(lock_command, calls_under_a_lock) {
  example_node node;
  acquire(node);
  auto call = [&](const char* lock) {
    return cli(node, {"call", "counter", "k", "increment", "--lock", lock});
  };
  EXPECT_EQ(call("door=1").out, "1\n");
  EXPECT_THAT(call("door=2").err, HasSubstr("lock_held"));
  EXPECT_EQ(value(node), "1");
}

TEST(lock_command, runs_a_program_under_a_lock) {
  example_node node;
  auto x = cli(
    node,
    {"lock", "run", "door", "--", "sh", "-c", "echo $TROUPE_LOCK; cat; exit 7"},
    "from stdin");
  EXPECT_EQ(x.status, 7) << x.err;
  EXPECT_EQ(x.out, "door=1\nfrom stdin");
  auto shown = json::parse(get(node, "/locks/door").body);
  EXPECT_EQ(shown["held"], false) << "it was released";
  EXPECT_EQ(
    cli(node, {"lock", "run", "door", "--", "sh", "-c", "kill -9 $$"}).status,
    128 + 9);
  EXPECT_EQ(cli(node, {"lock", "run", "door", "--", "/no/such/program"}).status,
            127);
  acquire(node, {{"ttlMs", 60'000}});
  x = cli(node, {"lock", "run", "door", "--", "echo", "it ran"});
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr("lock_held"));
}

// It runs for longer than the lock would last.
TEST(lock_command, renews_the_lock_while_the_program_runs) {
  example_node node;
  auto x = cli(node, {"lock", "run", "door", "--ttl", "2s", "--", "sh", "-c",
                      "sleep 4; echo done"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "done\n");
  EXPECT_EQ(acquire(node), 2u) << "nobody else had it meanwhile";
}

TEST(lock_command, ends_the_program_when_the_lock_is_lost) {
  example_node node;
  // The program gives the lock away itself, and would run on.
  auto x = cli(node, {"lock", "run", "door", "--ttl", "300ms", "--", "sh", "-c",
                      std::string{TROUPE_BINARY}
                        + " lock release door ${TROUPE_LOCK#door=}; "
                          "exec sleep 600"});
  EXPECT_EQ(x.status, 1);
  EXPECT_THAT(x.err, HasSubstr("lock_held"));
}

} // namespace troupe::test
