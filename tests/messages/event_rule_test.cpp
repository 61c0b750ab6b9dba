// Rules for events: how they are written, what they take, and what an event
// comes to.

#include "actors/core/kept_event.hpp"
#include "actors/messages/event_router.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "actors/core/cloud_event_json.hpp"
#include "nodes/event_text.hpp"

namespace troupe {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_event_rule(text);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "(none)";
}

cloud_event alarm() {
  return {.id = "1",
          .source = "/plant/7",
          .type = "com.example.alarm.fire",
          .subject = "line/3",
          .extensions = {{"device", "d-1"}, {"level", 4}},
          .data = R"({"c":90})"};
}

/// What `rule` makes of an event; @pre it takes it.
work_request call(const std::string& rule, const cloud_event& x = alarm()) {
  auto read = parse_event_rule(rule);
  EXPECT_TRUE(read.matches(x)) << rule;
  auto result = read.call_of(x);
  EXPECT_TRUE(result) << result.error().message();
  return result ? *result : work_request{};
}

TEST(event_rule, is_read_from_a_line) {
  auto x = parse_event_rule("alarms=type:com.example.alarm.*,source:/plant/"
                            "{key},service:twin,method:alarm");
  EXPECT_EQ(x.name, "alarms");
  EXPECT_EQ(x.type->text(), "com.example.alarm.*");
  EXPECT_EQ(x.source->text(), "/plant/{key}");
  EXPECT_FALSE(x.subject);
  EXPECT_EQ(x.target, (message_target{"", "", "twin", "alarm", ""}));
  EXPECT_FALSE(x.takes_event);
  x = parse_event_rule(
    "n=subject:*,function:notify:live,key:device,argument:event");
  EXPECT_EQ(x.target, (message_target{"notify", "live", "", "", ""}));
  EXPECT_EQ(x.key_attribute, "device");
  EXPECT_TRUE(x.takes_event);
}

TEST(event_rule, tells_somebody_outside_of_the_event_as_it_is) {
  auto request =
    call("a=source:/plant/{key},to:https://example.org/alarms/{key}");
  EXPECT_EQ(to_string(request.item.target), "https://example.org/alarms/7");
  auto told = event_of(request.item, request.item.arguments);
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ(told->event, alarm());
  auto empty = alarm();
  empty.data.reset();
  request = call("a=source:/plant/*,to:nats://example.org/alarms", empty);
  EXPECT_EQ(event_of(request.item, request.item.arguments)->event, empty);
}

TEST(event_rule, counts_the_attributes_of_what_is_sent_on) {
  auto rule = parse_event_rule("a=type:*,to:https://h/a");
  auto x = alarm();
  x.extensions["note"] = std::string(1 << 20, 'a');
  auto refused = rule.call_of(x);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), errc::payload_too_large);
  x.extensions["note"] = std::string((1 << 20) - 4096, 'a');
  EXPECT_TRUE(rule.call_of(x));
  x.data = std::string(8192, 'a');
  EXPECT_FALSE(rule.call_of(x));
  // A function does not get them.
  EXPECT_TRUE(parse_event_rule("a=type:*,function:f").call_of(x));
}

TEST(event_rule, that_makes_no_sense_is_refused) {
  for (auto [text, why] :
       {std::pair{"", "is no rule"},
        {"a", "is no rule"},
        {"=type:x,function:f", "is no rule"},
        {"a b=type:x,function:f", "is no name"},
        {"a=type:x", "give a function"},
        {"a=function:f", "give a pattern"},
        {"a=type:x,function:f,service:s,method:m", "give a function"},
        {"a=type:x,service:s,key:subject", "needs a method"},
        {"a=type:x,function:f,method:m", "a method is of a service"},
        {"a=type:x,service:s,method:m", "needs a key"},
        {"a=type:{key},source:{key},service:s,method:m", "there is one key"},
        {"a=type:{key},function:f,key:subject", "there is one key"},
        {"a=type:x,function:f,key:subject,fixed-key:k", "there is one key"},
        {"a=type:x,function:f,key:specVersion", "is no attribute"},
        {"a=type:x,function:f,key:data", "is no attribute"},
        {"a=type:{id},function:f", "of braces"},
        {"a=type:x,function:f g", "is no name"},
        {"a=type:x,function:f,argument:all", "none of data, event"},
        {"a=type:x,type:y,function:f", "given twice"},
        {"a=type:x,function:f,colour:red",
         "there is no field 'colour'; there are type, "},
        {"a=type:x,function:f,to:http://h/p", "give either"},
        {"a=type:x,to:http://h/p,argument:event", "give either"},
        {"a=type:x,to:notify", "to is a URL"},
        {"a=type:x,to:http://h/{id}", "{id} has no meaning"},
        {"a=type:x,to:http://h/{key}", "needs a key"},
        {"a=type:x,to:ftp://h/p", "is none of http"},
        {"a=type:,function:f", "is no field"}})
    EXPECT_THAT(
      refusal(text),
      HasSubstr(text == std::string{"a=type:x,function:f:"} ? "(none)" : why))
      << text;
}

TEST(event_rule, takes_an_event_that_matches_all_its_patterns) {
  auto takes = [](const std::string& patterns) {
    return parse_event_rule("r=" + patterns + ",function:f").matches(alarm());
  };
  EXPECT_TRUE(takes("type:*"));
  EXPECT_TRUE(takes("type:com.example.*,source:/plant/*,subject:line/*"));
  EXPECT_FALSE(takes("type:com.example.*,source:/plane/*"));
  EXPECT_FALSE(takes("type:com.example.*,subject:lane/*"));
  // What is not there matches nothing, not even a star.
  auto none = alarm();
  none.subject.clear();
  EXPECT_FALSE(parse_event_rule("r=subject:*,function:f").matches(none));
}

TEST(event_rule, finds_the_key_where_it_was_told_to) {
  auto key = [](const std::string& fields) {
    return call("r=" + fields + ",service:s,method:m").item.target.key;
  };
  EXPECT_EQ(key("source:/plant/{key}"), "7");
  EXPECT_EQ(key("type:*,subject:line/{key}"), "3");
  EXPECT_EQ(key("type:com.example.alarm.{key}"), "fire");
  EXPECT_EQ(key("type:*,key:subject"), "line/3");
  EXPECT_EQ(key("type:*,key:device"), "d-1");
  EXPECT_EQ(key("type:*,key:level"), "4");
  EXPECT_EQ(key("type:*,fixed-key:all"), "all");
  auto function = call("r=type:*,function:f:live,key:device").item;
  EXPECT_EQ(function.target, (work_target{"f", "live"}));
  EXPECT_EQ(function.routing_key, "d-1");
  EXPECT_EQ(call("r=type:*,function:f").item.routing_key, "");
}

TEST(event_rule, refuses_an_event_without_the_key) {
  for (auto rule : {"r=type:*,key:missing,service:s,method:m",
                    "r=type:*,key:missing,function:f"}) {
    auto x = parse_event_rule(rule).call_of(alarm());
    ASSERT_FALSE(x);
    EXPECT_EQ(x.error().code(), errc::bad_request);
    EXPECT_THAT(x.error().message(), HasSubstr("'missing'"));
  }
  auto longer = alarm();
  longer.subject = std::string(513, 'a');
  EXPECT_FALSE(parse_event_rule("r=type:*,key:subject,service:s,method:m")
                 .call_of(longer));
}

TEST(event_rule, hands_over_the_data_or_the_event) {
  EXPECT_EQ(call("r=type:*,function:f").item.arguments,
            (payload{R"({"c":90})", "application/json"}));
  auto bytes = alarm();
  bytes.data = "\xFF";
  bytes.datacontenttype = "image/png";
  EXPECT_EQ(call("r=type:*,function:f", bytes).item.arguments,
            (payload{"\xFF", "image/png"}));
  bytes.data.reset();
  EXPECT_EQ(call("r=type:*,function:f", bytes).item.arguments, payload{});
  auto whole = call("r=type:*,function:f,argument:event").item.arguments;
  EXPECT_EQ(whole.content_type, "application/cloudevents+json");
  EXPECT_EQ(*read_event(whole.bytes), alarm());
}

TEST(event_rule, knows_an_event_by_its_source_and_id) {
  auto first = call("r=type:*,function:f");
  auto again = alarm();
  again.time = "2026-01-01T00:00:00Z";
  again.extensions["traceparent"] = "00-1-2-03";
  auto second = call("r=type:*,function:f", again);
  EXPECT_EQ(first.idempotency_key, second.idempotency_key);
  EXPECT_EQ(first.fingerprint, second.fingerprint);
  EXPECT_EQ(second.item.trace, "00-1-2-03");
  EXPECT_LE(first.idempotency_key.size(), 255u);
  again.id = "2";
  EXPECT_NE(call("r=type:*,function:f", again).idempotency_key,
            first.idempotency_key);
  EXPECT_NE(call("q=type:*,function:f").idempotency_key, first.idempotency_key);
  // Where the one ends and the other begins counts.
  auto x = alarm(), y = alarm();
  x.source = "/a", x.id = "bc";
  y.source = "/ab", y.id = "c";
  EXPECT_NE(call("r=type:*,function:f", x).idempotency_key,
            call("r=type:*,function:f", y).idempotency_key);
}

TEST(event_router, makes_a_call_for_each_rule_that_takes_an_event) {
  event_router router{{parse_event_rule("a=type:com.*,function:f"),
                       parse_event_rule("b=type:org.*,function:f"),
                       parse_event_rule("c=source:/plant/*,function:g")}};
  auto x = router.route(alarm()).value();
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[0].rule, 0u);
  EXPECT_EQ(x[0].request.item.target.name, "f");
  EXPECT_EQ(x[1].rule, 2u);
  EXPECT_EQ(router.calls_of(alarm())->size(), 2u);
  EXPECT_EQ(router.counts(0).published.load(), 1u);
  EXPECT_EQ(router.counts(1).published.load(), 0u);
}

TEST(event_router, says_that_no_rule_takes_an_event) {
  event_router router{{parse_event_rule("a=type:org.*,function:f")}};
  auto x = router.route(alarm());
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error().code(), errc::not_found);
  // Who publishes need not know who listens.
  EXPECT_TRUE(router.calls_of(alarm()).value().empty());
}

TEST(event_router, refuses_what_is_no_event_or_too_long_to_look_at) {
  event_router router{{parse_event_rule("a=type:*,function:f")}};
  auto x = alarm();
  x.id.clear();
  EXPECT_EQ(router.route(x).error().code(), errc::bad_request);
  EXPECT_EQ(router.calls_of(x).error().code(), errc::bad_request);
  x = alarm();
  x.subject = std::string(4097, 'a');
  EXPECT_EQ(router.route(x).error().code(), errc::bad_request);
}

} // namespace
} // namespace troupe
