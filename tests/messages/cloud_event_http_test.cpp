// Events in the headers of HTTP: what is written is read again, escapes and
// quotes are those of the binding, and what is no event is refused.

#include "actors/messages/cloud_event_http.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace troupe {
namespace {

const header_list needed{{"ce-specversion", "1.0"},
                         {"Ce-Id", "1"},
                         {"CE-SOURCE", "/s"},
                         {"ce-type", "t"}};

header_list with(const std::string& name, const std::string& value) {
  auto result = needed;
  result.emplace_back(name, value);
  return result;
}

std::string header(const header_list& from, const std::string& name) {
  for (auto& [key, value] : from)
    if (key == name)
      return value;
  return "(none)";
}

TEST(cloud_event_http, tells_its_mode_by_the_media_type) {
  EXPECT_EQ(*event_mode_of("application/cloudevents+json"),
            event_mode::structured);
  EXPECT_EQ(*event_mode_of("Application/CloudEvents+JSON ; charset=UTF-8"),
            event_mode::structured);
  EXPECT_EQ(*event_mode_of("application/cloudevents-batch+json;a=b"),
            event_mode::batch);
  for (auto binary : {"", "application/json", "text/plain", "x/cloudevents"})
    EXPECT_EQ(*event_mode_of(binary), event_mode::binary) << binary;
  for (auto unknown :
       {"application/cloudevents+avro", "application/cloudevents",
        "application/cloudevents-batch", "application/cloudevents+protobuf"})
    EXPECT_EQ(event_mode_of(unknown).error().code(), errc::bad_request)
      << unknown;
}

TEST(cloud_event_http, reads_an_event_of_headers_and_a_body) {
  auto headers = needed;
  headers.emplace_back("ce-subject", "Euro%20%E2%82%AC%20%f0%9f%98%80");
  headers.emplace_back("ce-time", "2018-04-05T03:56:24Z");
  headers.emplace_back("ce-dataschema", "urn:a");
  headers.emplace_back("ce-myext", "7");
  auto x = read_binary_event(headers, "text/plain; charset=utf-8", "%41\n");
  ASSERT_TRUE(x) << x.error().message();
  cloud_event expected_event{.id = "1",
                             .source = "/s",
                             .type = "t",
                             .subject = "Euro € 😀",
                             .time = "2018-04-05T03:56:24Z",
                             .dataschema = "urn:a",
                             .datacontenttype = "text/plain; charset=utf-8",
                             .extensions = {{"myext", "7"}},
                             .data = "%41\n"};
  EXPECT_EQ(*x, expected_event);
}

TEST(cloud_event_http, writes_what_it_reads) {
  cloud_event x{.id = "100 %\"",
                .source = "/s",
                .type = "t",
                .subject = "ä~!",
                .datacontenttype = "image/png",
                .extensions = {{"a", true}, {"b", -3}, {"c", "x y"}},
                .data = std::string("\0\1", 2)};
  auto headers = to_headers(x);
  EXPECT_EQ(header(headers, "ce-id"), "100%20%25%22");
  EXPECT_EQ(header(headers, "ce-subject"), "%C3%A4~!");
  EXPECT_EQ(header(headers, "ce-a"), "true");
  EXPECT_EQ(header(headers, "ce-b"), "-3");
  EXPECT_EQ(header(headers, "ce-datacontenttype"), "(none)");
  EXPECT_EQ(header(headers, "Content-Type"), "image/png");
  headers.pop_back();
  auto again = read_binary_event(headers, "image/png", *x.data);
  ASSERT_TRUE(again) << again.error().message();
  x.extensions = {{"a", "true"}, {"b", "-3"}, {"c", "x y"}};
  EXPECT_EQ(*again, x);
}

TEST(cloud_event_http, says_the_type_of_json_that_had_none) {
  cloud_event x{.id = "1", .source = "/s", .type = "t", .data = "[1]"};
  EXPECT_EQ(header(to_headers(x), "Content-Type"), "application/json");
  x.data.reset();
  EXPECT_EQ(header(to_headers(x), "Content-Type"), "(none)");
}

TEST(cloud_event_http, reads_quotes_of_older_senders) {
  auto subject = [](const std::string& value) {
    auto x = read_binary_event(with("ce-subject", value), {}, {});
    return x ? x->subject : "(" + std::string{x.error().type()} + ")";
  };
  EXPECT_EQ(subject(R"("a b")"), "a b");
  EXPECT_EQ(subject(R"("a \"b\" \\ %20")"), "a \"b\" \\  ");
  EXPECT_EQ(subject("a b"), "a b");
  EXPECT_EQ(subject(R"(a"b)"), "a\"b");
  EXPECT_EQ(subject(R"("a)"), "(bad_request)");
  EXPECT_EQ(subject(R"("a\")"), "(bad_request)");
  EXPECT_EQ(subject(R"("a"b)"), "(bad_request)");
}

TEST(cloud_event_http, refuses_what_is_no_event) {
  auto reason = [](const header_list& headers, const std::string& type = {}) {
    auto x = read_binary_event(headers, type, "body");
    EXPECT_FALSE(x);
    if (x)
      return std::string{};
    EXPECT_EQ(x.error().code(), errc::bad_request);
    return x.error().message();
  };
  EXPECT_NE(reason({}).find("ce-specversion"), std::string::npos);
  for (size_t i = 0; i < needed.size(); ++i) {
    auto headers = needed;
    headers.erase(headers.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_NE(reason(headers), "") << needed[i].first;
    headers = needed;
    headers[i].second.clear();
    EXPECT_NE(reason(headers), "") << needed[i].first;
  }
  for (auto [name, value] : {std::pair{"ce-subject", "%C0%A0"},
                             {"ce-subject", "%"},
                             {"ce-subject", "%4"},
                             {"ce-subject", "%zz"},
                             {"ce-subject", "%0A"},
                             {"ce-subject", ""},
                             {"ce-subject", "\xFF"},
                             {"ce-ID", "2"},
                             {"ce-a_b", "x"},
                             {"ce-", "x"},
                             {"ce-data", "x"},
                             {"ce-datacontenttype", "text/plain"},
                             {"ce-time", "now"},
                             {"ce-dataschema", "relative"}})
    EXPECT_NE(reason(with(name, value)), "") << name << ": " << value;
  EXPECT_NE(reason(needed, "no type"), "");
}

} // namespace
} // namespace troupe
