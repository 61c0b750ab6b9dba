#include "nodes/subscription_text.hpp"

#include <gtest/gtest.h>
#include <stdexcept>

namespace troupe {

namespace {

using namespace std::chrono_literals;

std::string refusal(const std::string& text) {
  try {
    parse_subscription(text);
    return {};
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
}

const std::string good_mqtt =
  "m=broker:mqtt://h,topic:s/{key}/t,service:twin,method:set";
const std::string good_nats =
  "m=broker:nats://h,topic:s.{key}.t,service:twin,method:set";

} // namespace

TEST(subscription_text, has_a_default_for_all_but_broker_topic_and_target) {
  auto x = parse_subscription(good_mqtt);
  EXPECT_EQ(x.name, "m");
  EXPECT_EQ(x.kind, broker_kind::mqtt);
  EXPECT_EQ(x.broker.host, "h");
  EXPECT_EQ(x.broker.port, 1883);
  EXPECT_EQ(x.topic.filter(), "s/+/t");
  EXPECT_EQ(x.target.service, "twin");
  EXPECT_EQ(x.identity.from, message_identity::origin::none);
  EXPECT_EQ(x.qos, 1);
  EXPECT_EQ(x.mqtt_version, 5);
  EXPECT_EQ(x.session_name(), "troupe-m");
  EXPECT_TRUE(x.has_one_owner());
}

TEST(subscription_text, takes_every_field) {
  auto x = parse_subscription(
    "m=broker:mqtts://[::1]:99,topic:a,service:s,key:k,method:go,"
    "identity:property:id,argument:v,in-flight:9,attempts:5,pause:2s,"
    "pause-max:1m,age:1h,reply-topic:out,group:g,user:u,password-file:/p,"
    "ca:/ca,cert:/c,cert-key:/k,version:5,qos:2,client-id:me,session:2h");
  EXPECT_EQ(x.broker,
            (broker_address{"::1", 99, true, "u", "/p", "/ca", "/c", "/k"}));
  EXPECT_EQ(to_string(x.broker, x.kind), "mqtts://[::1]:99");
  EXPECT_EQ(x.target.key, "k");
  EXPECT_EQ(x.identity.name, "id");
  EXPECT_EQ(x.argument, "v");
  EXPECT_EQ(x.in_flight, 9u);
  EXPECT_EQ(x.policy.attempts_max, 5u);
  EXPECT_EQ(x.policy.pause, 2s);
  EXPECT_EQ(x.policy.pause_max, 60s);
  EXPECT_EQ(x.policy.age_max, 1h);
  EXPECT_EQ(x.reply_topic, "out");
  EXPECT_FALSE(x.has_one_owner());
  EXPECT_EQ(x.qos, 2);
  EXPECT_EQ(x.session_name(), "me");
  EXPECT_EQ(x.session, 2h);
}

TEST(subscription_text, knows_a_message_of_jetstream_by_its_position) {
  auto x = parse_subscription(good_nats + ",stream:S,ack-wait:2s,durable:d");
  EXPECT_EQ(x.kind, broker_kind::jetstream);
  EXPECT_EQ(x.identity.from, message_identity::origin::position);
  EXPECT_EQ(x.session_name(), "d");
  EXPECT_EQ(x.ack_wait, 2s);
  EXPECT_EQ(parse_subscription(good_nats).kind, broker_kind::nats);
}

TEST(subscription_text, says_what_is_wrong) {
  EXPECT_EQ(refusal(good_mqtt), "");
  for (auto text : {
         "m",
         "=broker:mqtt://h,topic:a,function:f",
         "m=",
         "m=broker:http://h,topic:a,function:f",
         "m=broker:mqtt://,topic:a,function:f",
         "m=broker:mqtt://h:0,topic:a,function:f",
         "m=broker:mqtt://h/x,topic:a,function:f",
         "m=broker:mqtt://u:p@h,topic:a,function:f",
         "m=topic:a,function:f",
         "m=broker:mqtt://h,function:f",
         "m=broker:mqtt://h,topic:a",
         "m=broker:mqtt://h,topic:a,function:f,service:s,method:m",
         "m=broker:mqtt://h,topic:a,service:s,method:m",
         "m=broker:mqtt://h,topic:{key},service:s,method:m,key:k",
         "m=broker:mqtt://h,topic:{key},service:s",
         "m=broker:mqtt://h,topic:a,function:f,identity:json:id",
         "m=broker:mqtt://h,topic:a/#/b,function:f",
         "m=broker:mqtt://h,topic:a,function:f,qos:3",
         "m=broker:mqtt://h,topic:a,function:f,version:4",
         "m=broker:mqtt://h,topic:a,function:f,in-flight:0",
         "m=broker:mqtt://h,topic:a,function:f,attempts:0",
         "m=broker:mqtt://h,topic:a,function:f,pause:5",
         "m=broker:mqtt://h,topic:a,function:f,stream:s",
         "m=broker:mqtt://h,topic:a,function:f,ca:/x",
         "m=broker:mqtts://h,topic:a,function:f,cert:/x",
         "m=broker:mqtt://h,topic:a,function:f,password-file:/x",
         "m=broker:mqtt://h,topic:a/#,function:f,reply-topic:a/b",
         "m=broker:mqtt://h,topic:a,function:f,reply-topic:b/+",
         "m=broker:mqtt://h,topic:a,function:f,colour:red",
         "m=broker:mqtt://h,topic:a,function:f,will:gone",
         "m=broker:mqtt://h,topic:a,function:f,will:gone,will-topic:a/#",
         "m=broker:nats://h,topic:a,function:f,will:gone,will-topic:b",
         "m=broker:mqtt://h,topic:a,function:f,topic:b",
         "m=broker:mqtt://h,topic:a,function:f,qos",
         "m=broker:nats://h,topic:a,function:f,stream:s,group:g",
         "m=broker:nats://h,topic:a,function:f,durable:d",
         "m=broker:nats://h,topic:a,function:f,stream:s.t",
         "m=broker:nats://h,topic:a,function:f,stream:s,ack-wait:1ms",
         "m=broker:nats://h,topic:{key},service:s,method:m,identity:position",
         "m n=broker:mqtt://h,topic:a,function:f",
         "m=broker:mqtt://h h,topic:a,function:f",
         "m=broker:mqtt://h\n,topic:a,function:f",
         "m=broker:mqtt://[h],topic:a,function:f",
         "m=broker:nats://h\x01,topic:a,function:f",
         "m=broker:nats://h?x,topic:a,function:f",
         "m=broker:mqtt://h,topic:a,function:f,user:a b",
         "m=broker:nats://h,topic:a,function:f,user:a\tb",
         "m=broker:mqtt://h,topic:a,function:f,client-id:a b",
         "m=broker:mqtt://h,topic:a,function:f,client-id:a\x7f",
       })
    EXPECT_NE(refusal(text), "") << text;
}

TEST(subscription_text, refuses_what_means_nothing_to_its_broker) {
  const std::string mqtt = "m=broker:mqtt://h,topic:a,function:f,";
  const std::string nats = "m=broker:nats://h,topic:a,function:f,";
  for (auto text : {"version:5", "qos:1", "session:1h", "client-id:c",
                    "will:w,will-topic:b"}) {
    EXPECT_EQ(refusal(mqtt + text), "") << text;
    EXPECT_NE(refusal(nats + text).find(" is of MQTT"), std::string::npos)
      << text << ": " << refusal(nats + text);
    EXPECT_NE(refusal(nats + "stream:s," + text).find(" is of MQTT"),
              std::string::npos);
  }
  for (auto text : {"durable:d", "ack-wait:2s"}) {
    EXPECT_EQ(refusal(nats + "stream:s," + text), "") << text;
    for (auto& from : {mqtt, nats})
      EXPECT_NE(refusal(from + text).find("it needs a stream"),
                std::string::npos)
        << from << text << ": " << refusal(from + text);
  }
  EXPECT_EQ(refusal(mqtt + "stream:s"), "stream is of NATS");
  EXPECT_EQ(refusal(nats + "stream:s,group:g"),
            "group is of MQTT, and of NATS without a stream");
}

TEST(subscription_text, names_the_fields_there_are_when_one_is_unknown) {
  auto why = refusal("m=broker:mqtt://h,topc:a,function:f,colour:red");
  EXPECT_TRUE(why.starts_with("there is no field 'colour', 'topc'; there are "
                              "broker, topic, function, "))
    << why;
}

TEST(subscription_text, says_what_separates_in_nats) {
  for (auto text : {"a/{key}/t", "sums/a"})
    EXPECT_NE(refusal("m=broker:nats://h,function:f,topic:" + std::string{text})
                .find("in NATS '.' separates"),
              std::string::npos)
      << text;
  EXPECT_EQ(refusal("m=broker:nats://h,function:f,topic:a.b/c"), "");
}

TEST(subscription_text, has_the_cluster_in_the_names_it_has_by_default) {
  auto x = parse_subscription(good_mqtt);
  x.cluster = "plant";
  EXPECT_EQ(x.session_name(), "troupe-plant-m");
  x.client_id = "me";
  EXPECT_EQ(x.session_name(), "me");
}

TEST(subscription_text, is_the_same_as_json) {
  json fields{{"broker", "mqtt://h"},
              {"topic", "s/{key}/t"},
              {"service", "twin"},
              {"method", "set"},
              {"qos", 2},
              {"age", "1h"}};
  EXPECT_EQ(parse_subscription("m", fields_from(fields)),
            parse_subscription(good_mqtt + ",qos:2,age:1h"));
  for (json wrong : {json{{"qos", 1.5}}, json{{"qos", nullptr}},
                     json{{"qos", ""}}, json{{"qos", {1}}}, json{1}, json{}})
    EXPECT_THROW(fields_from(wrong), std::invalid_argument) << wrong;
}

} // namespace troupe
