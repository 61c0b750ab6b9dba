// CloudEvents that a real node is sent.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

namespace troupe::test {
namespace {

using json = nlohmann::json;
using ::testing::HasSubstr;

constexpr auto structured = "Content-Type: application/cloudevents+json";
constexpr auto batch = "Content-Type: application/cloudevents-batch+json";

/// Counts `count` events of a source for the key of their subject, and all
/// events of a type for one key.
words rules() {
  return {"--event",
          "count=type:test.count,key:subject,service:counter,method:increment",
          "--event",
          "all=type:test.count,source:/metered/*,fixed-key:all,service:counter,"
          "method:increment",
          "--event",
          "keep=type:test.keep,source:/data/{key},service:data_service,"
          "method:set_data,argument:event"};
}

json counted(const std::string& id, const std::string& subject, json by) {
  return {{"specversion", "1.0"}, {"id", id},
          {"source", "/s"},       {"type", "test.count"},
          {"subject", subject},   {"data", std::move(by)}};
}

std::string value_of(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/get").body;
}

/// Nothing waits, and nothing runs.
bool is_quiet(const node_process& node) {
  auto x = json::parse(get(node, "/queue").body);
  for (auto& lane : x.at("lanes"))
    if (lane.at("queued") != 0 || lane.at("running") != 0)
      return false;
  return true;
}

void expect_accepted(const http_answer& x) {
  EXPECT_EQ(x.status, 202u) << x.head << x.body;
  EXPECT_EQ(x.body, "");
  EXPECT_EQ(x.field("Content-Length"), "0");
}

void expect_error(const http_answer& x, unsigned status,
                  const std::string& type) {
  EXPECT_EQ(x.status, status) << x.head << x.body;
  EXPECT_EQ(x.error_type(), type) << x.body;
  EXPECT_EQ(x.effect(), "none") << x.body;
}

TEST(cloud_events, come_in_three_modes) {
  example_node node{rules()};
  expect_accepted(post(node, "/events", "5",
                       {"ce-specversion: 1.0", "ce-id: 1", "ce-source: /s",
                        "ce-type: test.count", "ce-subject: a%20b",
                        "Content-Type: application/json"}));
  expect_accepted(
    post(node, "/events", counted("2", "a b", 7).dump(), {structured}));
  expect_accepted(
    post(node, "/events",
         json::array({counted("3", "a b", 1), counted("4", "c", 2)}).dump(),
         {batch}));
  EXPECT_TRUE(eventually([&] {
    return value_of(node, "a%20b") == "13" && value_of(node, "c") == "2";
  }));
  expect_accepted(post(node, "/events", "[]", {batch}));
}

TEST(cloud_events, hand_over_the_whole_event_if_that_is_wanted) {
  example_node node{rules()};
  json x{{"specversion", "1.0"}, {"id", "1"},     {"source", "/data/k"},
         {"type", "test.keep"},  {"myext", true}, {"data", {{"a", 1}}}};
  expect_accepted(post(node, "/events", x.dump(), {structured}));
  json kept;
  EXPECT_TRUE(eventually([&] {
    kept = json::parse(post(node, "/services/data_service/k/get_data").body);
    return !kept.is_null();
  }));
  EXPECT_EQ(kept, x);
}

TEST(cloud_events, that_are_sent_again_have_their_effect_once) {
  example_node node{rules()};
  auto x = counted("1", "k", 5);
  for (int i = 0; i < 3; ++i)
    expect_accepted(post(node, "/events", x.dump(), {structured}));
  // In another mode, with another time: still the same event.
  expect_accepted(
    post(node, "/events", "5",
         {"ce-specversion: 1.0", "ce-id: 1", "ce-source: /s",
          "ce-type: test.count", "ce-subject: k",
          "ce-time: 2026-01-01T00:00:00Z", "Content-Type: application/json"}));
  x["time"] = "2026-01-02T00:00:00Z";
  auto other = counted("2", "k", 100);
  expect_accepted(
    post(node, "/events", json::array({x, x, other, other}).dump(), {batch}));
  EXPECT_TRUE(
    eventually([&] { return is_quiet(node) && value_of(node, "k") == "105"; }))
    << value_of(node, "k");
  // Another source is another event.
  x["source"] = "/t";
  expect_accepted(post(node, "/events", x.dump(), {structured}));
  EXPECT_TRUE(eventually([&] { return value_of(node, "k") == "110"; }));
  EXPECT_THAT(get(node, "/metrics").body,
              HasSubstr("troupe_event_calls_total{rule=\"count\","
                        "what=\"accepted\"} 3"));
}

TEST(cloud_events, call_all_that_takes_them) {
  example_node node{rules()};
  auto x = counted("1", "k", 5);
  x["source"] = "/metered/1";
  expect_accepted(post(node, "/events", x.dump(), {structured}));
  EXPECT_TRUE(eventually([&] {
    return value_of(node, "k") == "5" && value_of(node, "all") == "5";
  }));
}

TEST(cloud_events, of_a_batch_are_accepted_all_or_none) {
  example_node node{rules()};
  auto good = counted("1", "k", 1);
  auto bad = good, unknown = good, keyless = good;
  bad.erase("id");
  unknown["type"] = "test.unknown";
  keyless.erase("subject");
  keyless["id"] = "2";
  expect_error(post(node, "/events", json::array({good, bad}).dump(), {batch}),
               400, "bad_request");
  expect_error(
    post(node, "/events", json::array({good, unknown}).dump(), {batch}), 404,
    "not_found");
  expect_error(
    post(node, "/events", json::array({good, keyless}).dump(), {batch}), 400,
    "bad_request");
  auto large = good;
  large["id"] = "3";
  large["data"] = std::string(1 << 20, 'x');
  expect_error(
    post(node, "/events", json::array({good, large}).dump(), {batch}), 413,
    "payload_too_large");
  auto many = json::array();
  for (int i = 0; i < 1001; ++i)
    many.push_back(counted("n" + std::to_string(i), "k", 1));
  expect_error(post(node, "/events", many.dump(), {batch}), 413,
               "payload_too_large");
  EXPECT_TRUE(is_quiet(node));
  EXPECT_EQ(value_of(node, "k"), "0");
  many.erase(0);
  expect_accepted(post(node, "/events", many.dump(), {batch}));
  EXPECT_TRUE(eventually([&] { return value_of(node, "k") == "1000"; }));
}

TEST(cloud_events, that_make_too_many_calls_are_refused) {
  example_node node{rules()};
  auto many = json::array();
  for (int i = 0; i < 501; ++i) {
    many.push_back(counted(std::to_string(i), "k", 1));
    many.back()["source"] = "/metered/x";
  }
  expect_error(post(node, "/events", many.dump(), {batch}), 413,
               "payload_too_large");
  EXPECT_TRUE(is_quiet(node));
}

TEST(cloud_events, that_are_wrong_change_nothing) {
  example_node node{rules()};
  auto good = counted("1", "k", 1);
  const fields binary{"ce-specversion: 1.0", "ce-id: 1", "ce-source: /s",
                      "ce-type: test.count", "ce-subject: k"};
  expect_error(post(node, "/events", "1"), 400, "bad_request");
  expect_error(post(node, "/events", good.dump()), 400, "bad_request");
  expect_error(post(node, "/events", "", {structured}), 400, "bad_request");
  expect_error(post(node, "/events", "[" + good.dump() + "]", {structured}),
               400, "bad_request");
  expect_error(post(node, "/events", good.dump(), {batch}), 400, "bad_request");
  expect_error(post(node, "/events", good.dump(),
                    {"Content-Type: application/cloudevents+avro"}),
               400, "bad_request");
  for (auto field :
       {"ce-time: now", "ce-id: 2", "ce-data: x", "ce-subject2: %C0%A0",
        "Idempotency-Key: k", "Troupe-Key: k", "Troupe-Delay-Ms: 1",
        "Troupe-Priority: 1", "Troupe-Timeout-Ms: 1", "If-Match: *"}) {
    auto more = binary;
    more.push_back(field);
    expect_error(post(node, "/events", "1", more), 400, "bad_request");
  }
  expect_error(post(node, "/events?a=b", "1", binary), 400, "bad_request");
  expect_error(post(node, "/events/x", "1", binary), 404, "not_found");
  auto x = get(node, "/events");
  expect_error(x, 405, "method_not_allowed");
  EXPECT_EQ(x.field("Allow"), "POST");
  EXPECT_TRUE(is_quiet(node));
  EXPECT_EQ(value_of(node, "k"), "0");
}

TEST(cloud_events, whose_target_is_not_there_are_refused) {
  example_node node{{"--event", "a=type:a,function:nowhere", "--event",
                     "b=type:b,service:nowhere,method:m,fixed-key:k"}};
  EXPECT_THAT(
    node->log(),
    HasSubstr("this node cannot call it: there is no function 'nowhere'"));
  for (auto type : {"a", "b", "c"}) {
    json x{
      {"specversion", "1.0"}, {"id", "1"}, {"source", "s"}, {"type", type}};
    expect_error(post(node, "/events", x.dump(), {structured}), 404,
                 "not_found");
  }
}

TEST(cloud_events, that_were_accepted_survive_a_kill) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = rules();
  auto many = json::array();
  for (int i = 0; i < 500; ++i)
    many.push_back(counted(std::to_string(i), "k" + std::to_string(i % 7), 1));
  {
    node_process node{settings};
    expect_accepted(post(node, "/events", many.dump(), {batch}));
    node.kill();
  }
  node_process next{settings};
  // Whoever did not hear the answer sends it again.
  expect_accepted(post(next, "/events", many.dump(), {batch}));
  auto sum = [&] {
    int result = 0;
    for (int i = 0; i < 7; ++i)
      result += std::stoi(value_of(next, "k" + std::to_string(i)));
    return result;
  };
  EXPECT_TRUE(eventually([&] { return is_quiet(next) && sum() == 500; }))
    << sum();
}

} // namespace
} // namespace troupe::test
