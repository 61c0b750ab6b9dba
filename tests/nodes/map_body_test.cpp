// The bodies of /map: what is read as inputs, and how answers are written.

#include "nodes/http/map_body.hpp"

#include <gtest/gtest.h>

#include "actors/core/codec.hpp"

namespace troupe {
namespace {

constexpr map_format array{};
constexpr map_format lines{true, false};
constexpr map_format entities{false, true};

/// The bodies of inputs, with a space behind each.
std::string bodies(const std::string& text, map_format format) {
  std::string result;
  auto inputs = read_inputs(text, format);
  for (auto& x : inputs->items)
    result.append(x.body).append(" ");
  return result;
}

/// Type and text of the error.
std::string refusal(const std::string& text, map_format format) {
  try {
    read_inputs(text, format);
    return "it was read";
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason().what_happened(), effect::none);
    return std::string{e.reason().type()} + ": " + e.what();
  }
}

std::string many(size_t count, const char* value, char separator) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    (result += i > 0 ? std::string{separator} : "") += value;
  return result;
}

TEST(map_body, reads_an_array_and_keeps_the_text_of_its_values) {
  EXPECT_EQ(bodies("[]", array), "");
  EXPECT_EQ(
    bodies(R"([1.0, "a", [2,3],{"x": 1}, 123456789012345678901234])", array),
    R"(1.0 "a" [2,3] {"x": 1} 123456789012345678901234 )");
}

TEST(map_body, reads_lines_and_skips_empty_ones) {
  EXPECT_EQ(bodies("", lines), "");
  EXPECT_EQ(bodies("1\r\n\n  [2, 3] \n \n\"x\"", lines), "1 [2, 3] \"x\" ");
}

TEST(map_body, says_what_is_wrong_with_inputs) {
  for (auto text : {"", "[1", "1", "{\"a\":1}", "[1] [2]", "[1,2x]"})
    EXPECT_TRUE(refusal(text, array).starts_with("bad_request: ")) << text;
  EXPECT_TRUE(
    refusal("1\n\n2\n[3", lines).starts_with("bad_request: input 2: "))
    << refusal("1\n\n2\n[3", lines);
  std::string deep(512, '[');
  deep += std::string(512, ']');
  EXPECT_EQ(read_inputs("[" + deep + "]", array)->items.size(), 1u);
  EXPECT_TRUE(refusal("[[" + deep + "]]", array).starts_with("bad_request: "));
}

TEST(map_body, reads_ten_thousand_inputs_and_no_more) {
  EXPECT_EQ(
    read_inputs("[" + many(10'000, "1", ',') + "]", array)->items.size(),
    10'000u);
  EXPECT_TRUE(refusal("[" + many(10'001, "1", ',') + "]", array)
                .starts_with("payload_too_large: "));
  EXPECT_EQ(read_inputs(many(10'000, "1", '\n'), lines)->items.size(), 10'000u);
  EXPECT_TRUE(
    refusal(many(10'001, "1", '\n'), lines).starts_with("payload_too_large: "));
}

TEST(map_body, reads_entities) {
  auto x = read_inputs(R"(["a", {"key":"b"},
                       {"body" : [1], "\u006bey": "\u00e9/",
                        "idempotencyKey": "i"}, {"key":"c","body":null}])",
                       entities);
  ASSERT_EQ(x->items.size(), 4u);
  EXPECT_EQ(x->items[0].key, "a");
  EXPECT_EQ(x->items[0].body, "");
  EXPECT_EQ(x->items[1].key, "b");
  EXPECT_EQ(x->items[2].key, "\xC3\xA9/");
  EXPECT_EQ(x->items[2].body, "[1]");
  EXPECT_EQ(x->items[2].idempotency_key, "i");
  EXPECT_EQ(x->items[3].body, "null");
}

TEST(map_body, says_what_is_wrong_with_entities) {
  for (auto text :
       {"1", "[\"a\"]", "null", "\"\"", "{}", R"({"body":1})", R"({"key":1})",
        R"({"key":"a","key":"a"})", R"({"key":"a","more":1})",
        R"({"key":"a","idempotencyKey":""})",
        R"({"key":"a","idempotencyKey":"a b"})",
        R"({"key":"a","idempotencyKey":1})"})
    EXPECT_TRUE(refusal("[\"a\"," + std::string{text} + "]", entities)
                  .starts_with("bad_request: input 1: "))
      << text << refusal("[\"a\"," + std::string{text} + "]", entities);
}

std::string written(payload x) {
  return write_outcomes({{expected<payload>{std::move(x)}}});
}

TEST(map_body, writes_results_that_are_json_as_they_are) {
  auto one = [](const std::string& result) {
    return R"({"count":1,"failed":0,"results":[{"result":)" + result + "}]}";
  };
  EXPECT_EQ(written({"5", {}}), one("5"));
  EXPECT_EQ(written({"{\"a\": 1.0}", "application/json; charset=utf-8"}),
            one("{\"a\": 1.0}"));
  EXPECT_EQ(written({"\"x\"", "application/problem+json"}), one("\"x\""));
}

// Whatever a handler says that it gives: the answer is JSON.
TEST(map_body, writes_all_others_as_base64) {
  auto one = [](const std::string& result) {
    return R"({"count":1,"failed":0,"results":[{"resultBase64":")" + result
           + "\"}]}";
  };
  EXPECT_EQ(written({"5", "text/plain"}), one("NQ=="));
  EXPECT_EQ(written({"", {}}), one(""));
  EXPECT_EQ(written({"hello", "application/json"}), one("aGVsbG8="));
  EXPECT_EQ(written({"1}", {}}), one("MX0="));
  EXPECT_EQ(written({"\xEF\xBB\xBF"
                     "1",
                     {}}),
            one("77u/MQ=="));
  EXPECT_EQ(written({"\"\xff\"", {}}), one("Iv8i"));
  auto deep = std::string(513, '[') + std::string(513, ']');
  EXPECT_NE(written({deep, {}}).find("resultBase64"), std::string::npos);
}

TEST(map_body, writes_results_and_errors_in_their_order) {
  std::vector<std::optional<expected<payload>>> all(3);
  all[0] = expected<payload>{payload{"1", {}}};
  all[1] = expected<payload>{error::from_handler("a::b", "no \"x\"")};
  all[2] = expected<payload>{payload{"3", {}}};
  EXPECT_EQ(write_outcomes(all),
            R"({"count":3,"failed":1,"results":[{"result":1},)"
            R"({"error":{"errorType":"a::b","errorMessage":"no \"x\"",)"
            R"("effect":"ran"}},{"result":3}]})");
  EXPECT_EQ(write_outcomes({}), R"({"count":0,"failed":0,"results":[]})");
}

} // namespace
} // namespace troupe
