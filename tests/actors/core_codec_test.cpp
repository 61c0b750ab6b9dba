// Typed values at a JSON border.

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/codec.hpp"
#include "actors/core/typed_call.hpp"

namespace troupe {
namespace {

template <class T>
std::string refused(const std::string& body) {
  try {
    (void)from_json<T>(parse_json(body));
  } catch (const error_exception& e) {
    return std::string{e.reason().type()};
  }
  return "taken";
}

/// What is said of `body` as arguments `Ts`.
template <class... Ts>
std::string complaint(const std::string& body) {
  try {
    (void)decode_arguments<std::tuple<Ts...>>({body, {}});
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason(), errc::bad_request);
    return e.reason().message();
  }
  return "";
}

template <class... Ts>
std::tuple<Ts...> round_trip(std::tuple<Ts...> xs) {
  return decode_arguments<std::tuple<Ts...>>(encode_arguments(xs));
}

TEST(codec, gives_back_what_it_was_given) {
  using map = std::map<std::string, std::vector<int>>;
  auto xs = std::tuple{true,
                       int8_t{-128},
                       std::numeric_limits<uint64_t>::max(),
                       0.1,
                       std::string{"\"\n\u00e9"},
                       std::optional<int>{},
                       std::optional<int>{3},
                       map{{"a", {1, 2}}, {"", {}}}};
  EXPECT_EQ(round_trip(xs), xs);
  EXPECT_EQ(round_trip(std::tuple{7}), std::tuple{7});
  EXPECT_EQ(round_trip(std::tuple{}), std::tuple{});
}

TEST(codec, has_nothing_one_value_or_an_array_for_arguments) {
  std::tuple<> none;
  std::tuple one{3};
  std::tuple two{3, std::string{"a"}};
  EXPECT_EQ(encode_arguments(none).bytes, "");
  EXPECT_EQ(encode_arguments(one).bytes, "3");
  EXPECT_EQ(encode_arguments(two).bytes, R"([3,"a"])");
}

TEST(codec, keeps_a_single_string_raw) {
  std::tuple one{std::string{"{\xFF"}};
  auto body = encode_arguments(one);
  EXPECT_EQ(body.bytes, "{\xFF");
  EXPECT_EQ(body.content_type, "application/octet-stream");
}

TEST(codec, never_rounds_or_wraps_a_number) {
  EXPECT_EQ(refused<int>("2.5"), "bad_request");
  EXPECT_EQ(refused<int>("2.0"), "bad_request");
  EXPECT_EQ(refused<int>("1e2"), "bad_request");
  EXPECT_EQ(refused<int8_t>("128"), "bad_request");
  EXPECT_EQ(refused<int8_t>("-129"), "bad_request");
  EXPECT_EQ(refused<uint32_t>("-1"), "bad_request");
  EXPECT_EQ(refused<int64_t>("9223372036854775808"), "bad_request");
  EXPECT_EQ(refused<uint64_t>("18446744073709551616"), "bad_request");
  EXPECT_EQ(refused<int64_t>("-9223372036854775808"), "taken");
  EXPECT_EQ(refused<uint64_t>("18446744073709551615"), "taken");
  EXPECT_EQ(refused<double>("3"), "taken");
  EXPECT_EQ(refused<double>("1e308"), "taken");
  EXPECT_EQ(refused<double>("1e400"), "bad_request");
  EXPECT_EQ(refused<float>("3.4e38"), "taken");
  EXPECT_EQ(refused<float>("1e39"), "bad_request");
  EXPECT_EQ(refused<float>("-1e39"), "bad_request");
}

TEST(codec, never_takes_one_kind_for_another) {
  EXPECT_EQ(refused<int>("true"), "bad_request");
  EXPECT_EQ(refused<bool>("1"), "bad_request");
  EXPECT_EQ(refused<double>(R"("1")"), "bad_request");
  EXPECT_EQ(refused<std::string>("1"), "bad_request");
  EXPECT_EQ(refused<text>("null"), "bad_request");
  EXPECT_EQ(refused<std::vector<int>>("{}"), "bad_request");
  EXPECT_EQ(refused<std::vector<int>>("[1,2.5]"), "bad_request");
  EXPECT_EQ((refused<std::map<std::string, int>>("[]")), "bad_request");
  EXPECT_EQ((refused<std::map<std::string, int>>(R"({"a": "b"})")),
            "bad_request");
}

TEST(codec, says_which_argument_does_not_fit_and_what_came) {
  EXPECT_EQ((complaint<int, int>(R"([2,"3"])")),
            "argument 2: expected an integer, got a string");
  EXPECT_EQ((complaint<int, int>("[2.5,3]")),
            "argument 1: expected an integer, got the number 2.5");
  EXPECT_EQ((complaint<int, std::vector<int>>("[2,[1,null]]")),
            "argument 2: expected an integer, got null");
  EXPECT_EQ((complaint<int8_t, int>("[128,3]")),
            "argument 1: expected an integer from -128 to 127, got the number "
            "128");
  EXPECT_EQ(complaint<uint32_t>("-1"),
            "argument 1: expected an integer from 0 to 4294967295, got the "
            "number -1");
  EXPECT_EQ(complaint<bool>("{}"),
            "argument 1: expected true or false, got an object");
  EXPECT_EQ(complaint<double>("true"),
            "argument 1: expected a number, got true");
  EXPECT_EQ(complaint<text>("[]"),
            "argument 1: expected a string, got an array");
  EXPECT_EQ(complaint<float>("1e39"),
            "argument 1: expected a number that fits into a float, got the "
            "number 1e+39");
}

TEST(codec, says_how_many_arguments_it_takes_and_how_many_came) {
  EXPECT_EQ((complaint<int, int>("[2]")), "takes 2 arguments, got 1");
  EXPECT_EQ((complaint<int, int>("[2,3,4]")), "takes 2 arguments, got 3");
  EXPECT_EQ((complaint<int, int>("")), "takes 2 arguments, got none");
  EXPECT_EQ((complaint<int, int>("7")),
            "takes 2 arguments as an array, got the number 7");
  EXPECT_EQ((complaint<int, int>(R"({"a":1})")),
            "takes 2 arguments as an array, got an object");
  EXPECT_EQ(complaint<int>(""), "takes 1 argument, got none");
  EXPECT_EQ(complaint<json>(""), "takes 1 argument, got none");
  EXPECT_EQ(complaint<>("[]"), "takes no argument, got an array");
}

TEST(codec, says_what_is_wrong_with_json_without_a_librarys_numbers) {
  for (auto body : {"[2,", "{", "nul", "[1,2] 3"}) {
    auto text = complaint<int, int>(body);
    EXPECT_TRUE(text.starts_with("this is no JSON: ")) << text;
    EXPECT_EQ(text.find("json.exception"), text.npos) << text;
  }
}

TEST(codec, counts_levels_of_json_outside_of_strings) {
  auto nested = [](size_t n) {
    return std::string(n, '[') + std::string(n, ']');
  };
  EXPECT_NO_THROW((void)parse_json(nested(512)));
  EXPECT_THROW((void)parse_json(nested(513)), error_exception);
  EXPECT_THROW((void)parse_json(nested(100'000)), error_exception);
  std::string objects;
  for (int i = 0; i < 513; ++i)
    objects += R"({"a":)";
  EXPECT_THROW((void)parse_json(objects), error_exception);
  EXPECT_NO_THROW((void)parse_json('"' + std::string(1000, '[') + '"'));
  EXPECT_NO_THROW((void)parse_json(R"("\\\")" + std::string(1000, '{') + '"'));
  EXPECT_THROW((void)parse_json(R"(["\\",)" + nested(512) + "]"),
               error_exception);
  std::string siblings = "[";
  for (int i = 0; i < 1000; ++i)
    siblings += "[],";
  EXPECT_NO_THROW((void)parse_json(siblings + "0]"));
}

TEST(codec, replaces_bytes_that_are_no_text) {
  EXPECT_NO_THROW((void)parse_json(dump_json(json("\xFF"))));
}

TEST(codec, reads_a_string_result_raw_or_as_json) {
  EXPECT_EQ(decode_result<std::string>({R"("a")", {}}), "a");
  EXPECT_EQ(decode_result<std::string>({"a", "text/plain"}), "a");
}

TEST(typed_call, is_reached_only_by_its_own_signature) {
  typed_invocation<int(int)> call{3};
  EXPECT_NE(call.typed(typeid(int(int))), nullptr);
  EXPECT_EQ(call.typed(typeid(int(long))), nullptr);
  EXPECT_EQ(call.typed(typeid(long(int))), nullptr);
  EXPECT_EQ(call.take_arguments().bytes, "3");
  call.set_result({"4", {}});
  EXPECT_EQ(call.take_result(), 4);
}

TEST(typed_call, has_run_when_its_result_does_not_fit) {
  typed_invocation<int(int)> call{3};
  try {
    call.set_result({"\"four\"", {}});
    FAIL();
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason(), errc::bad_request);
    EXPECT_EQ(e.reason().what_happened(), effect::ran);
  }
}

} // namespace
} // namespace troupe

// -- numbers inside of classes ------------------------------------------------

namespace troupe {

namespace {

struct author {
  int born = 0;
  unsigned books = 0;
  std::string name;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(author, born, books, name)
};

struct shelf {
  std::vector<author> authors;
  double width = 0;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(shelf, authors, width)
};

shelf parse_shelf(const char* text) {
  return from_json<shelf>(parse_json(text));
}

TEST(codec_of_classes, takes_what_fits) {
  auto x = parse_shelf(
    R"({"authors":[{"born":1947.0,"books":3,"name":"x","extra":1}],"width":1})");
  ASSERT_EQ(x.authors.size(), 1u);
  EXPECT_EQ(x.authors[0].born, 1947);
  EXPECT_EQ(x.width, 1.0);
}

TEST(codec_of_classes, refuses_a_number_that_would_be_cut_and_says_where) {
  for (auto born : {"1.9", "99999999999", "true", "-99999999999"}) {
    auto text = R"({"authors":[{},{"born":)" + std::string{born} + "}]}";
    try {
      parse_shelf(text.c_str());
      FAIL() << text;
    } catch (const error_exception& e) {
      EXPECT_EQ(e.reason().code(), errc::bad_request) << text;
      EXPECT_NE(e.reason().message().find("/authors/1/born"), std::string::npos)
        << e.reason().message();
    }
  }
  EXPECT_THROW(parse_shelf(R"({"authors":[{"books":-1}]})"), error_exception);
}

/// Reads itself, and does not take everything.
struct even {
  int value = 0;

  friend void from_json(const json& from, even& to) {
    to.value = from.get<int>();
    if (to.value % 2 != 0)
      throw std::domain_error("this is odd");
  }
};

// It was answered as an exception of the handler's, which never ran.
TEST(codec_of_classes, refuses_what_a_classs_own_conversion_refuses) {
  auto complaint = [](const char* body) {
    try {
      (void)decode_arguments<std::tuple<int, even>>({body, {}});
    } catch (const error_exception& e) {
      EXPECT_EQ(e.reason(), errc::bad_request);
      return e.reason().message();
    }
    return std::string{};
  };
  EXPECT_EQ(complaint("[1,2]"), "");
  EXPECT_EQ(complaint("[1,3]"), "argument 2: this is odd");
  EXPECT_EQ(complaint(R"([1,"x"])"),
            "argument 2: type must be number, but is string");
}

TEST(codec_of_classes, refuses_arrays_of_another_length) {
  using pair_of_ints = std::array<int, 2>;
  EXPECT_EQ((from_json<pair_of_ints>(parse_json("[1,2]"))),
            (pair_of_ints{1, 2}));
  EXPECT_THROW((from_json<pair_of_ints>(parse_json("[1,2,3]"))),
               error_exception);
  EXPECT_THROW(
    (from_json<std::pair<int, std::string>>(parse_json(R"([1.5,"a"])"))),
    error_exception);
}

} // namespace

} // namespace troupe
