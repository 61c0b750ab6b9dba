// Patterns for attributes of events: what they match, and which part is the key.

#include "actors/messages/event_pattern.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace troupe {
namespace {

event_pattern read(std::string_view text) {
  auto x = event_pattern::parse(text);
  EXPECT_TRUE(x) << text;
  return *x;
}

std::string key(std::string_view pattern, std::string_view value) {
  return read(pattern).key_of(value).value_or("(none)");
}

TEST(event_pattern, matches_itself_and_nothing_else) {
  EXPECT_TRUE(read("a.b").matches("a.b"));
  for (auto other : {"", "a.b.c", "a.", "xa.b", "a-b", "A.b"})
    EXPECT_FALSE(read("a.b").matches(other)) << other;
}

TEST(event_pattern, has_a_star_for_any_text) {
  EXPECT_TRUE(read("*").matches(""));
  EXPECT_TRUE(read("*").matches("/a/b"));
  EXPECT_TRUE(read("a*").matches("a"));
  EXPECT_TRUE(read("a**b").matches("ab"));
  EXPECT_TRUE(read("*a*b*").matches("xxaxxbxx"));
  EXPECT_FALSE(read("*a*b*").matches("xxbxxaxx"));
  EXPECT_TRUE(read("com.example.*.made").matches("com.example.x.y.made"));
  EXPECT_FALSE(read("com.example.*.made").matches("com.example.made"));
  EXPECT_TRUE(read("*aab").matches("aaaab"));
}

TEST(event_pattern, has_a_key_that_ends_at_a_slash) {
  EXPECT_EQ(key("/plant/{key}", "/plant/7"), "7");
  EXPECT_EQ(key("/plant/{key}", "/plant/7/line"), "(none)");
  EXPECT_EQ(key("/plant/{key}", "/plant/"), "(none)");
  EXPECT_EQ(key("/plant/{key}/*", "/plant/7/line/3"), "7");
  EXPECT_EQ(key("*/{key}", "/a/b/c"), "c");
  EXPECT_EQ(key("*/line/{key}/*", "/x/line/1/line/2/"), "1");
  EXPECT_EQ(key("a-{key}-*", "a-b-c-d"), "b");
  EXPECT_EQ(key("*-{key}", "a-b-c"), "b-c");
  EXPECT_EQ(key("{key}", "größe"), "größe");
  EXPECT_EQ(key("{key}*", "abc"), "a");
  EXPECT_EQ(key("*{key}", "abc"), "abc");
  EXPECT_EQ(key("*", "abc"), "(none)");
}

TEST(event_pattern, is_refused_if_it_means_nothing) {
  for (auto bad : {"", "{", "}", "{id}", "{key}{key}", "{key}/{key}", "a{k}"})
    EXPECT_FALSE(event_pattern::parse(bad)) << bad;
  EXPECT_TRUE(event_pattern::parse(std::string(256, 'a')));
  EXPECT_FALSE(event_pattern::parse(std::string(257, 'a')));
}

/// As it is defined, without any haste, what stands first as short as it can be.
/// The key goes to `key`.
bool matches(std::string_view pattern, std::string_view value,
             std::string_view& key) {
  if (pattern.empty())
    return value.empty();
  if (pattern.front() == '*')
    return matches(pattern.substr(1), value, key)
           || (!value.empty() && matches(pattern, value.substr(1), key));
  if (pattern.starts_with("{key}")) {
    for (size_t i = 1; i <= value.size() && value[i - 1] != '/'; ++i)
      if (matches(pattern.substr(5), value.substr(i), key)) {
        key = value.substr(0, i);
        return true;
      }
    return false;
  }
  return !value.empty() && value.front() == pattern.front()
         && matches(pattern.substr(1), value.substr(1), key);
}

TEST(event_pattern, matches_what_its_definition_says) {
  auto seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random{seed};
  auto text = [&](std::string_view from, size_t most) {
    std::string result;
    for (auto n = random() % (most + 1); n > 0; --n)
      result += from[random() % from.size()];
    return result;
  };
  size_t found = 0;
  for (int i = 0; i < 200'000; ++i) {
    auto pattern = text("ab/*", 5);
    if (random() % 2 == 0)
      pattern += "{key}" + text("ab/*", 5);
    if (pattern.empty())
      continue;
    auto value = text("ab/", 10);
    auto x = read(pattern);
    std::string_view wanted;
    auto is_match = matches(pattern, value, wanted);
    ASSERT_EQ(x.matches(value), is_match) << pattern << " and " << value;
    found += is_match;
    auto key = x.key_of(value);
    ASSERT_EQ(key.has_value(), x.has_key() && is_match);
    if (key) {
      ASSERT_EQ(*key, wanted) << pattern << " and " << value;
    }
  }
  EXPECT_GT(found, 10'000u);
}

/// Patterns and a value for which looking at all ways takes longest: a walk over
/// all of them takes 8 ms, which an event must not cost the others.
TEST(event_pattern, takes_no_time_that_explodes) {
  auto repeated = [](std::string_view part, size_t size) {
    std::string result;
    while (result.size() + part.size() <= size)
      result += part;
    return result;
  };
  auto a = [](size_t n) { return std::string(n, 'a'); };
  const std::string value(4096, 'a');
  for (auto& pattern :
       {repeated("*a", 254) + "b", "*" + a(250) + "b", "*" + a(250) + "b*",
        repeated("*a", 120) + "{key}" + repeated("a*", 120) + "b",
        "*" + a(120) + "{key}" + a(120) + "b*", "*{key}" + a(240) + "b*",
        "*" + a(120) + "*" + a(120) + "b*"}) {
    auto x = read(pattern);
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < 20; ++i) {
      auto begin = std::chrono::steady_clock::now();
      EXPECT_FALSE(x.matches(value)) << pattern;
      best = std::min<std::chrono::nanoseconds>(
        best, std::chrono::steady_clock::now() - begin);
    }
    EXPECT_LT(best, std::chrono::milliseconds{1}) << pattern;
  }
}

} // namespace
} // namespace troupe
