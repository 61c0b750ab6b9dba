#include "actors/messages/topic_pattern.hpp"

#include <gtest/gtest.h>
#include <random>

namespace troupe {

namespace {

topic_pattern mqtt(std::string_view text) {
  auto result = topic_pattern::parse(text, topic_style::mqtt);
  EXPECT_TRUE(result) << text << ": " << (result ? "" : result.reason());
  return *result;
}

topic_pattern nats(std::string_view text) {
  auto result = topic_pattern::parse(text, topic_style::nats);
  EXPECT_TRUE(result) << text << ": " << (result ? "" : result.reason());
  return *result;
}

std::string refusal(std::string_view text, topic_style style) {
  auto result = topic_pattern::parse(text, style);
  return result ? "" : result.reason();
}

/// The text-book definition, slow and without a loop: what the first levels of
/// both make of the rest.
bool matches_by_definition(std::string filter, std::string topic,
                           char separator, const std::string& one,
                           const std::string& rest, bool rest_may_be_empty) {
  auto cut = [separator](std::string& from) {
    auto end = from.find(separator);
    auto first = from.substr(0, end);
    from = end == from.npos ? "" : from.substr(end + 1);
    return std::pair{first, end != std::string::npos};
  };
  auto [wanted, more_wanted] = cut(filter);
  if (wanted == rest)
    return true;
  auto [there, more_there] = cut(topic);
  if (wanted != one && wanted != there)
    return false;
  if (more_wanted != more_there)
    return more_wanted && rest_may_be_empty && filter == rest;
  return !more_wanted
         || matches_by_definition(filter, topic, separator, one, rest,
                                  rest_may_be_empty);
}

std::string some_levels(std::mt19937_64& random,
                        const std::vector<std::string>& levels,
                        char separator) {
  std::string result;
  auto count = 1 + random() % 5;
  for (size_t i = 0; i < count; ++i)
    result +=
      (i ? std::string{separator} : "") + levels[random() % levels.size()];
  return result;
}

} // namespace

TEST(topic_pattern, asks_the_broker_for_one_level_where_the_key_is) {
  EXPECT_EQ(mqtt("sensors/{key}/temperature").filter(),
            "sensors/+/temperature");
  EXPECT_EQ(nats("sensors.{key}.temperature").filter(),
            "sensors.*.temperature");
  EXPECT_EQ(mqtt("{key}").filter(), "+");
  EXPECT_EQ(mqtt("a/{key}/#").filter(), "a/+/#");
}

TEST(topic_pattern, finds_the_key_of_a_topic) {
  auto x = mqtt("sensors/{key}/temperature");
  EXPECT_EQ(x.key_of("sensors/kitchen/temperature"), "kitchen");
  EXPECT_EQ(x.key_of("sensors//temperature"), "");
  EXPECT_EQ(x.key_of("sensors/kitchen/humidity"), std::nullopt);
  EXPECT_EQ(x.key_of("sensors/kitchen/temperature/now"), std::nullopt);
  EXPECT_EQ(mqtt("a/+/{key}/#").key_of("a/b/c"), "c");
  EXPECT_EQ(mqtt("a/b").key_of("a/b"), std::nullopt);
  EXPECT_EQ(nats("s.{key}.>").key_of("s.x.t.now"), "x");
  EXPECT_EQ(nats("s.{key}.>").key_of("s.x"), std::nullopt);
}

TEST(topic_pattern, knows_what_is_no_filter) {
  auto m = topic_style::mqtt;
  auto n = topic_style::nats;
  for (auto x : {"", "a/#/b", "a/b#", "a+/b", "a/{key", "a/x{key}",
                 "{key}/{key}", "a/{name}", "$share/g/a"})
    EXPECT_NE(refusal(x, m), "") << x;
  for (auto x : {"", "a..b", ".a", "a.", "a.>.b", "a b", "a.b*", "{key}.{key}"})
    EXPECT_NE(refusal(x, n), "") << x;
  EXPECT_NE(refusal(std::string("a\0b", 3), m), "");
  EXPECT_EQ(refusal("/", m), "");
  EXPECT_EQ(refusal("a//b", m), "");
}

TEST(topic_pattern, leaves_the_broker_its_own_topics) {
  EXPECT_FALSE(mqtt("#").matches("$SYS/broker/uptime"));
  EXPECT_FALSE(mqtt("+/x").matches("$SYS/x"));
  EXPECT_TRUE(mqtt("$SYS/#").matches("$SYS/broker/uptime"));
}

TEST(topic_pattern, matches_as_the_definition_has_it) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  int matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto filter = some_levels(random, {"a", "b", "", "+", "+"}, '/');
    if (random() % 3 == 0)
      filter += "/#";
    auto topic = some_levels(random, {"a", "b", ""}, '/');
    auto wanted = matches_by_definition(filter, topic, '/', "+", "#", true);
    matched += wanted;
    if (filter.empty())
      continue;
    ASSERT_EQ(mqtt(filter).matches(topic), wanted)
      << "'" << filter << "' and '" << topic << "'";
    auto subject_filter = some_levels(random, {"a", "b", "*", "*"}, '.');
    if (random() % 3 == 0)
      subject_filter += ".>";
    auto subject = some_levels(random, {"a", "b"}, '.');
    ASSERT_EQ(
      nats(subject_filter).matches(subject),
      matches_by_definition(subject_filter, subject, '.', "*", ">", false))
      << "'" << subject_filter << "' and '" << subject << "'";
  }
  EXPECT_GT(matched, 1000);
}

TEST(topic_pattern, gives_back_the_key_that_was_put_in) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  for (int i = 0; i < 5'000; ++i) {
    auto before = some_levels(random, {"a", "b", "+"}, '/');
    auto after = some_levels(random, {"a", "+", "c"}, '/');
    auto pattern = mqtt(before + "/{key}/" + after);
    std::string key;
    for (auto n = 1 + random() % 8; n > 0; --n)
      key += static_cast<char>('a' + random() % 26);
    auto topic = before + "/" + key + "/" + after;
    for (auto& c : topic)
      if (c == '+')
        c = 'x'; // any level will do
    ASSERT_EQ(pattern.key_of(topic), key) << pattern.text() << " " << topic;
  }
}

} // namespace troupe
