// Stored entities from outside: listed, read, replaced and deleted over HTTP,
// exported and imported by the command line, on real nodes.

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::HasSubstr;
using ::testing::StartsWith;
using json = nlohmann::json;

namespace troupe::test {

namespace {

void expect_error(const http_answer& x, unsigned status,
                  const std::string& type) {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), "none") << x.body;
}

void expect_done(const http_answer& x, const std::string& tag) {
  EXPECT_EQ(x.status, 204u) << x.head << x.body;
  EXPECT_EQ(x.field("ETag"), tag);
  EXPECT_EQ(x.body, "");
  EXPECT_EQ(x.field("Content-Type"), "");
}

http_answer put(const node_process& node, const std::string& key,
                const std::string& state, const fields& more = {}) {
  return send(node, "PUT", "/services/counter/" + key, state, more);
}

http_answer erase(const node_process& node, const std::string& key,
                  const fields& more = {}) {
  return send(node, "DELETE", "/services/counter/" + key, "", more);
}

void increment(const node_process& node, const std::string& key,
               const std::string& by = "") {
  EXPECT_EQ(post(node, "/services/counter/" + key + "/increment", by).status,
            200u);
}

json page(const node_process& node, const std::string& query) {
  auto x = get(node, "/services/counter" + query);
  EXPECT_EQ(x.status, 200u) << x.body;
  EXPECT_EQ(x.field("Content-Type"), "application/json");
  return json::parse(x.body);
}

} // namespace

// -- one entity --------------------------------------------------------------

TEST(stored_entities, are_not_written_under_a_condition_that_is_not_built) {
  example_node node;
  increment(node, "k", "100");
  const fields condition{"If-None-Match: *"};
  expect_error(put(node, "k", R"({"value":1})", condition), 501,
               "not_implemented");
  expect_error(erase(node, "k", condition), 501, "not_implemented");
  expect_error(post(node, "/services/counter/k/increment", "1", condition), 501,
               "not_implemented");
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "100");
  expect_error(post(node, "/invoke/add", "[2,3]", {"If-Match: *"}), 400,
               "bad_request");
}

TEST(stored_entities, are_not_replaced_by_states_that_would_lose_a_member) {
  example_node node;
  auto answer = put(node, "k", R"({"value":2,"extra":1})");
  expect_error(answer, 400, "bad_request");
  EXPECT_THAT(answer.body, HasSubstr("'counter' has no place for what is at "
                                     "/extra"));
  EXPECT_THAT(
    put(node, "k", "{}").body,
    HasSubstr("this is no state of 'counter': key 'value' not found"));
  EXPECT_EQ(get(node, "/services/counter/k").status, 404u);
}

TEST(stored_entities, say_that_there_is_none_to_match) {
  example_node node;
  auto answer =
    post(node, "/services/counter/nobody/increment", "1", {"If-Match: *"});
  expect_error(answer, 412, "revision_mismatch");
  EXPECT_THAT(answer.body, HasSubstr("counter/nobody has no state"));
}

TEST(stored_entities, a_state_is_read_with_its_revision_and_schema) {
  example_node node;
  increment(node, "a%2Fb", "5");
  increment(node, "a%2Fb", "2");
  auto x = get(node, "/services/counter/a%2Fb");
  EXPECT_EQ(x.status, 200u);
  EXPECT_EQ(x.body, R"({"value":7})");
  EXPECT_EQ(x.field("ETag"), "\"2\"");
  EXPECT_EQ(x.field("Troupe-Schema"), "1");
  EXPECT_EQ(x.field("Content-Type"), "application/json");
  auto head = send(node, "HEAD", "/services/counter/a%2Fb");
  EXPECT_EQ(head.status, 200u);
  EXPECT_EQ(head.field("ETag"), "\"2\"");
  EXPECT_EQ(head.body, "");
}

TEST(stored_entities, what_was_never_committed_is_not_found) {
  example_node node;
  post(node, "/services/counter/k/get");
  auto x = get(node, "/services/counter/k");
  expect_error(x, 404, "not_found");
  EXPECT_EQ(x.field("ETag"), "");
  EXPECT_EQ(x.field("Troupe-Schema"), "");
  expect_error(get(node, "/services/nobody/k"), 404, "not_found");
  expect_error(get(node, "/services/counter/%ff"), 400, "bad_request");
}

TEST(stored_entities, a_state_that_is_deleted_is_gone_and_its_revision_stays) {
  example_node node;
  increment(node, "k", "5");
  expect_done(erase(node, "k"), "\"2\"");
  expect_error(get(node, "/services/counter/k"), 404, "not_found");
  expect_error(erase(node, "k"), 404, "not_found");
  EXPECT_EQ(page(node, "")["keys"], json::array());
  auto x = post(node, "/services/counter/k/increment", "");
  EXPECT_EQ(x.body, "1");
  EXPECT_EQ(x.field("ETag"), "\"3\"");
}

TEST(stored_entities, a_deletion_may_be_conditional) {
  example_node node;
  increment(node, "k");
  expect_error(erase(node, "k", {"If-Match: \"2\""}), 412, "revision_mismatch");
  expect_error(erase(node, "k", {"If-Match: 1"}), 400, "bad_request");
  EXPECT_EQ(get(node, "/services/counter/k").status, 200u);
  expect_done(erase(node, "k", {"If-Match: \"1\""}), "\"2\"");
  expect_error(erase(node, "k", {"If-Match: *"}), 412, "revision_mismatch");
}

TEST(stored_entities, a_deletion_outlives_the_node) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  {
    node_process node{settings};
    increment(node, "gone");
    increment(node, "kept");
    expect_done(erase(node, "gone"), "\"2\"");
    node.kill();
  }
  node_process node{settings};
  expect_error(get(node, "/services/counter/gone"), 404, "not_found");
  EXPECT_EQ(get(node, "/services/counter/kept").body, R"({"value":1})");
}

TEST(stored_entities, a_state_that_is_put_is_the_state) {
  example_node node;
  expect_done(put(node, "k", R"({"value":41})"), "\"1\"");
  increment(node, "k");
  EXPECT_EQ(get(node, "/services/counter/k").body, R"({"value":42})");
  expect_done(put(node, "k", R"({"value":7})", {"If-Match: \"2\""}), "\"3\"");
  expect_error(put(node, "k", R"({"value":8})", {"If-Match: \"2\""}), 412,
               "revision_mismatch");
  expect_done(put(node, "k", R"({"value":9})", {"Troupe-Schema: 1"}), "\"4\"");
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "9");
}

TEST(stored_entities, what_does_not_fit_is_not_put) {
  example_node node;
  increment(node, "k");
  for (auto bad : {"", "{", "5", "[]", "null", R"({"valu":1})",
                   R"({"value":2.5})", R"({"value":9223372036854775808})",
                   R"({"value":"1"})", R"({"value":null})"})
    expect_error(put(node, "k", bad), 400, "bad_request");
  for (auto bad : {"0", "-1", "x", "", "1.0", "4294967296"})
    expect_error(
      put(node, "k", R"({"value":3})", {std::string{"Troupe-Schema: "} + bad}),
      400, "bad_request");
  // A newer build's.
  expect_error(put(node, "k", R"({"value":3})", {"Troupe-Schema: 2"}), 501,
               "not_implemented");
  auto x = get(node, "/services/counter/k");
  EXPECT_EQ(x.body, R"({"value":1})");
  EXPECT_EQ(x.field("ETag"), "\"1\"");
}

// -- repeats -----------------------------------------------------------------

TEST(stored_entities, a_repeat_gets_the_first_answer_also_after_a_kill) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  auto call = [](const node_process& node, const char* by, const char* key) {
    return post(node, "/services/counter/k/increment", by,
                {std::string{"Idempotency-Key: "} + key});
  };
  {
    node_process node{settings};
    for (int i = 0; i < 3; ++i) {
      auto x = call(node, "5", "first");
      EXPECT_EQ(x.body, "5");
      EXPECT_EQ(x.field("ETag"), "\"1\"");
    }
    EXPECT_EQ(call(node, "5", "second").body, "10");
    node.kill();
  }
  node_process node{settings};
  auto x = call(node, "5", "first");
  EXPECT_EQ(x.body, "5");
  EXPECT_EQ(x.field("ETag"), "\"1\"");
  expect_error(call(node, "6", "first"), 422, "idempotency_conflict");
  EXPECT_EQ(get(node, "/services/counter/k").body, R"({"value":10})");
}

TEST(stored_entities, a_deletion_that_is_repeated_is_done_once) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  const fields once{"Idempotency-Key: once"};
  {
    node_process node{settings};
    expect_error(erase(node, "k", once), 404, "not_found"); // without effect
    increment(node, "k");
    expect_done(erase(node, "k", once), "\"2\"");
    expect_done(erase(node, "k", once), "\"2\"");
    increment(node, "k", "7");
    node.kill();
  }
  node_process node{settings};
  expect_done(erase(node, "k", once), "\"2\"");
  EXPECT_EQ(get(node, "/services/counter/k").body, R"({"value":7})");
  const fields put_once{"Idempotency-Key: put"};
  expect_done(put(node, "k", R"({"value":1})", put_once), "\"4\"");
  increment(node, "k");
  expect_done(put(node, "k", R"({"value":1})", put_once), "\"4\"");
  expect_error(put(node, "k", R"({"value":2})", put_once), 422,
               "idempotency_conflict");
  EXPECT_EQ(get(node, "/services/counter/k").body, R"({"value":2})");
}

TEST(stored_entities, an_idempotency_key_is_1_to_255_visible_characters) {
  example_node node;
  auto call = [&](const fields& more) {
    return post(node, "/services/counter/k/increment", "", more);
  };
  for (auto& good : words{"a", "\"a-b_c\"", std::string(255, 'k'), "~!"})
    EXPECT_EQ(call({"Idempotency-Key: " + good}).status, 200u) << good;
  for (auto& bad : words{"", std::string(256, 'k'), "a b", "\xC3\xA4", "a\tb"})
    expect_error(call({"Idempotency-Key: " + bad}), 400, "bad_request");
  expect_error(call({"Idempotency-Key: a", "Idempotency-Key: a"}), 400,
               "bad_request");
  EXPECT_EQ(post(node, "/services/counter/k/get").body, "4");
}

// -- lists -------------------------------------------------------------------

TEST(stored_entities, are_listed_by_key_in_pages) {
  example_node node;
  for (auto key : {"b", "a%2F1", "a%2F2", "%C3%A4", "%00", "a"})
    increment(node, key);
  increment(node, "b");
  EXPECT_EQ(page(node, ""),
            (json{{"keys",
                   {{{"key", std::string(1, '\0')}, {"revision", 1}},
                    {{"key", "a"}, {"revision", 1}},
                    {{"key", "a/1"}, {"revision", 1}},
                    {{"key", "a/2"}, {"revision", 1}},
                    {{"key", "b"}, {"revision", 2}},
                    {{"key", "\u00e4"}, {"revision", 1}}}},
                  {"next", nullptr}}));
  auto first = page(node, "?prefix=a%2F&limit=1");
  EXPECT_EQ(first["keys"].size(), 1u);
  EXPECT_EQ(first["next"], "a/1");
  auto second = page(node, "?limit=1&after=a/1&prefix=a/");
  EXPECT_EQ(second["keys"][0]["key"], "a/2");
  EXPECT_EQ(second["next"], nullptr);
  EXPECT_EQ(page(node, "?limit=6")["next"], nullptr);
  EXPECT_EQ(page(node, "?limit=5")["next"], "b");
  EXPECT_EQ(page(node, "?prefix=nothing")["keys"], json::array());
  EXPECT_EQ(page(node, "?prefix=&after=")["keys"].size(), 6u);
}

TEST(stored_entities, are_listed_with_their_states_when_asked) {
  example_node node;
  increment(node, "k", "3");
  EXPECT_EQ(page(node, "?states=true")["keys"],
            (json{{{"key", "k"},
                   {"revision", 1},
                   {"schema", 1},
                   {"state", {{"value", 3}}}}}));
  EXPECT_EQ(page(node, "?states=false")["keys"][0].size(), 2u);
}

TEST(stored_entities, a_page_of_states_is_small_when_they_are_large) {
  example_node node;
  auto large = '"' + std::string(600'000, 'x') + '"';
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(post(node,
                   "/services/data_service/k" + std::to_string(i) + "/set_data",
                   large)
                .status,
              200u);
  size_t count = 0;
  for (json next = ""; !next.is_null();) {
    auto x = get(node, "/services/data_service?limit=1000&states=true&after="
                         + next.get<std::string>());
    ASSERT_EQ(x.status, 200u);
    auto body = json::parse(x.body);
    EXPECT_LE(body["keys"].size(), 16u);
    count += body["keys"].size();
    next = body["next"];
  }
  EXPECT_EQ(count, 20u);
}

TEST(stored_entities, are_listed_only_by_good_queries) {
  example_node node;
  for (auto& bad :
       words{"limit=0", "limit=1001", "limit=", "limit", "limit=-1", "limit=1x",
             "limit=99999999999999999999", "states=1", "states=", "x=1", "=1",
             "Prefix=a", "prefix=a&prefix=b", "prefix=%", "prefix=%zz",
             "prefix=%ff", "after=%c3", "prefix=" + std::string(513, 'k'),
             "after=" + std::string(513, 'k')})
    expect_error(get(node, "/services/counter?" + bad), 400, "bad_request");
  for (auto& good : words{"", "&", "limit=1&", "limit=1000", "%6Cimit=1",
                          "prefix=" + std::string(512, 'k')})
    EXPECT_EQ(get(node, "/services/counter?" + good).status, 200u) << good;
  expect_error(get(node, "/services/nobody"), 404, "not_found");
}

// -- the command line --------------------------------------------------------

TEST(stored_entities, are_the_same_on_the_node_that_imports_an_export) {
  example_node from;
  words states{"1",
               "-0.5",
               "1e300",
               "18446744073709551615",
               "\"\u00e4\\u0000\\n\"",
               "[null]",
               "[[],{}]",
               R"({"b":{"a":[1,2.0]}})"};
  for (size_t i = 0; i < states.size(); ++i)
    for (auto prefix : {"x%2F", "y%20%0A"})
      EXPECT_EQ(post(from,
                     "/services/data_service/" + (prefix + std::to_string(i))
                       + "/set_data",
                     states[i])
                  .status,
                200u);
  auto exported = cli(from, {"export", "data_service"});
  EXPECT_EQ(exported.status, 0) << exported.err;
  EXPECT_EQ(std::count(exported.out.begin(), exported.out.end(), '\n'), 16);
  EXPECT_THAT(
    exported.out,
    StartsWith(R"({"key":"x/0","revision":1,"schema":1,"state":{"data":1}})"
               "\n"));
  example_node to;
  auto imported = cli(to, {"import", "data_service"}, exported.out);
  EXPECT_EQ(imported.status, 0) << imported.err;
  EXPECT_EQ(imported.out, "imported 16\n");
  EXPECT_EQ(imported.err, ""); // nobody watches
  EXPECT_EQ(cli(to, {"export", "data_service"}).out, exported.out);
  EXPECT_EQ(post(to, "/services/data_service/x%2F1/get_data").body, "-0.5");
  auto half = cli(to, {"export", "data_service", "--prefix", "x/"});
  EXPECT_EQ(std::count(half.out.begin(), half.out.end(), '\n'), 8);
}

TEST(stored_entities, are_exported_and_imported_in_many_pages) {
  example_node from;
  std::string lines;
  for (int i = 0; i < 2500; ++i) {
    auto digits = std::to_string(10'000 + i);
    lines += R"({"key":"k)" + digits + R"(","revision":1,"schema":1,)"
             + R"("state":{"value":)" + std::to_string(i) + "}}\n";
  }
  auto file = from.folder.path() / "counters.jsonl";
  std::ofstream{file} << lines;
  EXPECT_EQ(cli(from, {"import", "counter", file}).out, "imported 2500\n");
  EXPECT_EQ(cli(from, {"export", "counter"}).out, lines);
  auto keys = json::parse(cli(from, {"keys", "counter", "--json"}).out);
  ASSERT_EQ(keys.size(), 2500u);
  EXPECT_EQ(keys[2499], (json{{"key", "k12499"}, {"revision", 1}}));
}

TEST(stored_entities, an_import_ends_at_the_first_line_that_is_not_good) {
  example_node node;
  const std::string good = R"({"key":"a","state":{"value":1}})";
  struct row {
    std::string line;
    std::string complaint;
  };
  for (auto& x : std::vector<row>{
         {"garbage", "this is no JSON"},
         {"[]", "no JSON object"},
         {R"({"state":{"value":1}})", "\"key\" is missing"},
         {R"({"key":"k"})", "\"state\" is missing"},
         {R"({"key":5,"state":{"value":1}})", "\"key\""},
         {R"({"key":"","state":{"value":1}})", "\"key\" must be"},
         {R"({"key":"k","state":{"value":1},"schema":0})", "\"schema\""},
         {R"({"key":"k","state":{"value":1},"revision":-1})", "\"revision\""},
         {R"({"key":"k","state":{"value":1},"other":1})", "\"other\""},
         {R"({"key":"k","state":{"value":"x"}})", "counter"},
         {R"({"key":"k","state":{"value":1},"schema":9})", "schema 9"}}) {
    auto imported =
      cli(node, {"import", "counter", "-"},
          good + "\n\n" + good + "\n" + x.line + "\n" + good + "\n");
    EXPECT_EQ(imported.status, 1) << x.line;
    EXPECT_EQ(imported.out, "") << x.line;
    EXPECT_THAT(imported.err, StartsWith("error: "));
    EXPECT_THAT(imported.err, HasSubstr("line 4: "));
    EXPECT_THAT(imported.err, HasSubstr(x.complaint));
    EXPECT_THAT(imported.err, HasSubstr("imported: 2"));
  }
  EXPECT_EQ(json::parse(cli(node, {"keys", "counter", "--json"}).out).size(),
            1u);
}

TEST(stored_entities, an_import_keeps_the_order_of_one_keys_lines) {
  example_node node;
  std::string lines;
  for (int i = 1; i <= 200; ++i)
    lines += R"({"key":"k)" + std::to_string(i % 3) + R"(","state":{"value":)"
             + std::to_string(i) + "}}\n";
  EXPECT_EQ(cli(node, {"import", "counter"}, lines).out, "imported 200\n");
  EXPECT_EQ(cli(node, {"state", "counter", "k0"}).out, "{\"value\":198}\n");
  EXPECT_EQ(cli(node, {"state", "counter", "k1"}).out, "{\"value\":199}\n");
  EXPECT_EQ(cli(node, {"state", "counter", "k2"}).out, "{\"value\":200}\n");
}

TEST(stored_entities, are_listed_read_and_deleted_from_the_command_line) {
  example_node node;
  for (auto key : {"user/1", "user/2", "visits"})
    EXPECT_EQ(cli(node, {"call", "counter", key, "increment"}).status, 0);
  EXPECT_EQ(cli(node, {"keys", "counter"}).out, "KEY     REVISION\n"
                                                "user/1  1\n"
                                                "user/2  1\n"
                                                "visits  1\n");
  EXPECT_EQ(
    cli(node, {"keys", "counter", "--prefix", "user/", "--limit", "1"}).out,
    "KEY     REVISION\nuser/1  1\n");
  EXPECT_EQ(cli(node, {"keys", "counter", "--after", "user/2"}).out,
            "KEY     REVISION\nvisits  1\n");
  EXPECT_EQ(cli(node, {"state", "counter", "visits"}).out, "{\"value\":1}\n");
  auto refused = cli(node, {"delete", "counter", "visits", "--if-match", "2"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("revision_mismatch"));
  auto deleted = cli(node, {"delete", "counter", "visits", "--if-match", "1"});
  EXPECT_EQ(deleted.status, 0) << deleted.err;
  EXPECT_EQ(deleted.out, "");
  for (auto command : {"state", "delete"}) {
    auto gone = cli(node, {command, "counter", "visits"});
    EXPECT_EQ(gone.status, 1);
    EXPECT_EQ(gone.out, "");
    EXPECT_THAT(gone.err, StartsWith("error: not_found: "));
  }
}

TEST(stored_entities, a_call_of_the_command_line_may_be_repeated) {
  example_node node;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(cli(node, {"call", "counter", "k", "increment", "-d", "5",
                         "--idempotency-key", "once"})
                .out,
              "5\n");
  EXPECT_EQ(cli(node, {"call", "counter", "k", "get"}).out, "5\n");
}

} // namespace troupe::test
