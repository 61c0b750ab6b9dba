#include "actors/core/work_destination.hpp"

#include <gtest/gtest.h>

#include "actors/core/defaults.hpp"
#include "actors/core/outside.hpp"

namespace troupe::testing {
namespace {

work_target target_of(const std::string& text, const work_item& source) {
  auto x = work_destination::parse(text);
  EXPECT_TRUE(x.has_value()) << text;
  EXPECT_EQ(x->to_string(), text);
  return x->of(source);
}

TEST(work_destination, is_a_function_or_a_method_of_an_entity) {
  work_item source;
  EXPECT_EQ(target_of("add", source), (work_target{"add"}));
  EXPECT_EQ(target_of("add:live", source), (work_target{"add", "live"}));
  EXPECT_EQ(target_of("counter/K/increment", source),
            (work_target{"counter", {}, "K", "increment"}));
  EXPECT_EQ(target_of("files/a/b/c/read", source),
            (work_target{"files", {}, "a/b/c", "read"}));
}

TEST(work_destination, takes_its_key_from_what_was_done) {
  work_item source;
  source.id = {0x0123456789abcdef, 0x0fedcba987654321};
  source.target = {"thermometer", {}, "k{id}", "measured"};
  EXPECT_EQ(target_of("alarms/{key}/add", source).key, "k{id}");
  EXPECT_EQ(target_of("alarms/of-{key}-{id}./add", source).key,
            "of-k{id}-" + to_string(source.id) + ".");
  source.target = {"measure"};
  source.routing_key = "kitchen";
  EXPECT_EQ(target_of("alarms/{key}/add", source).key, "kitchen");
}

TEST(work_destination, is_somebody_outside) {
  work_item source;
  source.id = {1, 2};
  source.target = {"thermometer", {}, "a b/c.d%", "measured"};
  auto to = target_of("https://example.org:8443/alarms/{key}?id={id}", source);
  EXPECT_TRUE(to.is_outside());
  EXPECT_FALSE(to.is_entity());
  EXPECT_EQ(to.name, "https://example.org:8443");
  EXPECT_EQ(to.lane(), "https://example.org:8443");
  EXPECT_EQ(to_string(to), "https://example.org:8443/alarms/a%20b%2Fc.d%25?id="
                             + to_string(source.id));
  EXPECT_EQ(target_of("nats://localhost/alarms.{key}.hot", source).key,
            "alarms.a%20b%2Fc%2Ed%25.hot");
  EXPECT_EQ(target_of("mqtt://localhost/alarms/{key}", source).key,
            "alarms/a%20b%2Fc.d%25");
  EXPECT_EQ(to_string(target_of("http://[::1]:80/", source)),
            "http://[::1]:80/");
}

TEST(work_destination, is_nothing_else) {
  for (auto text : {"",
                    ":",
                    "add:",
                    ":live",
                    "a b",
                    "a/b",
                    "a//b",
                    "/k/m",
                    "a/k/",
                    "a/{name}/m",
                    "a/{key/m",
                    "a:b:c",
                    "a/k/m n",
                    "://x/",
                    "ftp://x/a",
                    "HTTP://x/a",
                    "http://",
                    "http:///a",
                    "http://x:0/",
                    "http://x:65536/",
                    "http://x:/",
                    "http://x y/",
                    "http://u:p@x/",
                    "http://x/a#b",
                    "http://x/a b",
                    "http://x/\r\nHost: y",
                    "http://x/{name}",
                    "http://{key}/a",
                    "http://x/\xC3\xA4",
                    "nats://x",
                    "nats://x/",
                    "nats://x/a..b",
                    "nats://x/a.*",
                    "nats://x/a.>",
                    "nats://x/.a",
                    "mqtt://x/",
                    "mqtt://x/a/+",
                    "mqtt://x/a/#"})
    EXPECT_FALSE(work_destination::parse(text)) << text;
}

TEST(work_destination, is_not_longer_than_servers_take) {
  const std::string begin = "http://x/";
  auto path = [&](size_t size) {
    return begin + std::string(size - begin.size(), 'a');
  };
  auto most = defaults::work::url_length_max;
  EXPECT_TRUE(work_destination::parse(path(most)));
  EXPECT_FALSE(work_destination::parse(path(most + 1)));
}

TEST(outside, has_a_lane_for_each_host) {
  for (auto lane : {"https://x", "http://x:80", "nats://x", "add", "counter/"})
    EXPECT_TRUE(is_valid_lane(lane)) << lane;
  for (auto lane : {"https://x/", "https://x/a", "https://", "x://y", "a b", "",
                    "/", "a/b"})
    EXPECT_FALSE(is_valid_lane(lane)) << lane;
}

} // namespace
} // namespace troupe::testing
