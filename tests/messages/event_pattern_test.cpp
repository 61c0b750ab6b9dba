// Patterns for attributes of events: what they match, and which part is the key.

#include "actors/messages/event_pattern.hpp"

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

/// As it is defined, without any haste.
bool matches(std::string_view pattern, std::string_view value) {
  if (pattern.empty())
    return value.empty();
  if (pattern.front() == '*')
    return matches(pattern.substr(1), value)
           || (!value.empty() && matches(pattern, value.substr(1)));
  if (pattern.starts_with("{key}")) {
    for (size_t i = 1; i <= value.size() && value[i - 1] != '/'; ++i)
      if (matches(pattern.substr(5), value.substr(i)))
        return true;
    return false;
  }
  return !value.empty() && value.front() == pattern.front()
         && matches(pattern.substr(1), value.substr(1));
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
  for (int i = 0; i < 20'000; ++i) {
    auto pattern = text("ab/*", 4);
    if (random() % 2 == 0)
      pattern += "{key}" + text("ab/*", 3);
    if (pattern.empty())
      continue;
    auto value = text("ab/", 8);
    auto x = read(pattern);
    ASSERT_EQ(x.matches(value), matches(pattern, value))
      << pattern << " and " << value;
    found += x.matches(value);
    auto key = x.key_of(value);
    ASSERT_EQ(key.has_value(), x.has_key() && x.matches(value));
    if (!key)
      continue;
    // It is where the pattern says that it is.
    auto at = pattern.find("{key}");
    ASSERT_TRUE(
      matches(pattern.substr(0, at) + *key + pattern.substr(at + 5), value))
      << pattern << " has " << *key << " in " << value;
  }
  EXPECT_GT(found, 1000u);
}

TEST(event_pattern, takes_no_time_that_explodes) {
  std::string pattern, value(4096, 'a');
  while (pattern.size() + 2 <= event_pattern::length_max)
    pattern += "*a";
  pattern.back() = 'b';
  EXPECT_FALSE(read(pattern).matches(value));
}

} // namespace
} // namespace troupe
