// JSON taken apart: the pieces are what a parser would find, as they were
// written.

#include "actors/core/json_pieces.hpp"

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "actors/core/codec.hpp"

namespace troupe {
namespace {

using texts = std::vector<std::string_view>;

TEST(json_pieces, are_the_values_of_an_array_as_they_were_written) {
  EXPECT_EQ(elements_of("[]"), texts{});
  EXPECT_EQ(elements_of(" [ ] "), texts{});
  EXPECT_EQ(elements_of("[1]"), texts{"1"});
  EXPECT_EQ(elements_of("\xEF\xBB\xBF [ 1.50 ,\n-2e3\t, null]\n"),
            (texts{"1.50", "-2e3", "null"}));
  EXPECT_EQ(elements_of(R"(["a,]\"", [1,[2]], {"b":[3,4]}, "\\"])"),
            (texts{R"("a,]\"")", "[1,[2]]", R"({"b":[3,4]})", R"("\\")"}));
}

TEST(json_pieces, are_members_that_are_there_once) {
  auto got = single_members_of(R"({"a":1,"\u0062":[2]})", "it");
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[1].first, "b");
  EXPECT_EQ(got[1].second, "[2]");
  for (auto text : {R"({"a":1,"a":1})", R"({"a":1,"b":2,"\u0061":3})"})
    try {
      single_members_of(text, "it");
      ADD_FAILURE() << text;
    } catch (const error_exception& e) {
      EXPECT_EQ(e.reason(), errc::bad_request);
      EXPECT_EQ(e.reason().message(), "it has 'a' twice");
    }
}

TEST(json_pieces, are_the_members_of_an_object_as_they_were_written) {
  EXPECT_TRUE(members_of("{ }").empty());
  auto x = members_of(R"( {"a" : 1 , "b\"}" : {"c": "}"} } )");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[0].first, "\"a\"");
  EXPECT_EQ(x[0].second, "1");
  EXPECT_EQ(x[1].first, R"("b\"}")");
  EXPECT_EQ(x[1].second, R"({"c": "}"})");
}

TEST(json_pieces, tell_what_a_value_begins_with) {
  EXPECT_EQ(first_of(" \n[1]"), '[');
  EXPECT_EQ(first_of("\xEF\xBB\xBF{}"), '{');
  EXPECT_EQ(first_of("  "), '\0');
}

json any_value(std::mt19937_64& random, int depth) {
  auto below = [&](int n) {
    return std::uniform_int_distribution<int>{0, n - 1}(random);
  };
  auto word = [&] {
    std::string result;
    for (auto n = below(8); n > 0; --n)
      result += "a\"\\]}[{,: \n\t\x01"[below(14)];
    return result;
  };
  switch (below(depth > 3 ? 4 : 6)) {
  case 0:
    return below(1'000) - 500;
  case 1:
    return below(1'000) / 8.0;
  case 2:
    return word();
  case 3:
    return below(2) == 0 ? json(nullptr) : json(true);
  case 4: {
    auto result = json::array();
    for (auto n = below(5); n > 0; --n)
      result.push_back(any_value(random, depth + 1));
    return result;
  }
  default: {
    auto result = json::object();
    for (auto n = below(5); n > 0; --n)
      result[word()] = any_value(random, depth + 1);
    return result;
  }
  }
}

// Goal: no JSON, however it is written, is cut where a parser would not.
TEST(json_pieces, are_what_a_parser_finds) {
  auto given = std::getenv("TROUPE_TEST_SEED");
  auto seed =
    given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "TROUPE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random{seed};
  for (int i = 0; i < 20'000; ++i) {
    auto whole = any_value(random, 0);
    auto text = whole.dump(i % 2 == 0 ? -1 : 2);
    auto again = whole.is_array() ? json::array() : json::object();
    if (whole.is_array())
      for (auto piece : elements_of(text))
        again.push_back(parse_json(piece));
    else if (whole.is_object())
      for (auto& [name, value] : members_of(text))
        again[parse_json(name).get<std::string>()] = parse_json(value);
    else
      continue;
    ASSERT_EQ(again, whole) << text;
  }
}

// Nobody takes apart what is no JSON; if somebody does, it ends, within the text.
TEST(json_pieces, end_for_what_is_no_json) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (size_t n = random() % 20; n > 0; --n)
      text += "[]{}\",:\\1 \n"[random() % 11];
    static_cast<void>(elements_of(text));
    static_cast<void>(members_of(text));
  }
}

TEST(check_json, says_what_parse_json_says) {
  auto said = [](auto f, const std::string& text) -> std::string {
    try {
      f(text);
      return "";
    } catch (const error_exception& e) {
      return std::string{e.reason().type()} + e.what();
    }
  };
  for (std::string text :
       {"", "1", " [1, 2] ", "{\"a\":[null,true,-1.5e3,18446744073709551615]}",
        "[1", "[1,]", "1 2", "{\"a\"}", "\"\xff\"", "tru", "1e999", "[\"\n\"]",
        "\xEF\xBB\xBF[]", "\"\\ud800\"", "nan"})
    EXPECT_EQ(said([](auto& x) { check_json(x); }, text),
              said([](auto& x) { parse_json(x); }, text))
      << text;
  auto deep = [](size_t n) {
    return std::string(n, '[') + std::string(n, ']');
  };
  EXPECT_NO_THROW(check_json(deep(512)));
  EXPECT_THROW(check_json(deep(513)), error_exception);
}

} // namespace
} // namespace troupe
