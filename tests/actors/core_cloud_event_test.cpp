// Events as values, and as JSON: what the specification says is read and
// written, and what it forbids is refused.

#include "actors/core/cloud_event.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/cloud_event_json.hpp"
#include "actors/core/codec.hpp"

namespace troupe {
namespace {

constexpr auto start =
  R"({"specversion":"1.0","id":"1","source":"/s","type":"t")";

cloud_event minimal() {
  return {.id = "1", .source = "/s", .type = "t"};
}

std::string with(const std::string& members) {
  return start + ("," + members) + "}";
}

std::string reason(const expected<cloud_event>& x) {
  EXPECT_FALSE(x);
  if (x)
    return {};
  EXPECT_EQ(x.error().code(), errc::bad_request);
  EXPECT_EQ(x.error().what_happened(), effect::none);
  return x.error().message();
}

TEST(cloud_event, is_read_with_all_its_attributes) {
  auto x = read_event(R"({
    "specversion": "1.0", "id": "A-1", "source": "https://a.example/b?c#d",
    "type": "com.example.made", "subject": "Größe", "time":
    "2018-04-05T17:31:00.25+02:00", "dataschema": "urn:x:y",
    "datacontenttype": "application/vnd.a+json; charset=utf-8",
    "comexamplea": "v", "comexampleb": -5, "comexamplec": true,
    "comexampled": null, "data": {"n": 12345678901234567890123.50}})");
  ASSERT_TRUE(x) << x.error().message();
  cloud_event expected_event{.id = "A-1",
                             .source = "https://a.example/b?c#d",
                             .type = "com.example.made",
                             .subject = "Größe",
                             .time = "2018-04-05T17:31:00.25+02:00",
                             .dataschema = "urn:x:y",
                             .datacontenttype =
                               "application/vnd.a+json; charset=utf-8",
                             .extensions = {{"comexamplea", "v"},
                                            {"comexampleb", -5},
                                            {"comexamplec", true}},
                             .data = R"({"n": 12345678901234567890123.50})"};
  EXPECT_EQ(*x, expected_event);
  EXPECT_EQ(x->attribute("comexampleb"), "-5");
  EXPECT_EQ(x->attribute("comexamplec"), "true");
  EXPECT_EQ(x->attribute("subject"), "Größe");
  EXPECT_EQ(x->attribute("comexampled"), std::nullopt);
  auto again = read_event(to_json(*x));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *x);
}

TEST(cloud_event, has_data_of_three_kinds) {
  auto data = [](const std::string& members) {
    auto x = read_event(with(members));
    EXPECT_TRUE(x) << members << ": " << x.error().message();
    return x ? *x : cloud_event{};
  };
  EXPECT_EQ(data(R"("subject":null)").data, std::nullopt);
  EXPECT_EQ(data(R"("data":null)").data, "null");
  EXPECT_EQ(data(R"("data":"text")").data, R"("text")");
  EXPECT_EQ(data(R"("data":"text")").body().content_type, "application/json");
  EXPECT_EQ(data(R"("datacontenttype":"text/plain","data":"a\nb")").data,
            "a\nb");
  EXPECT_EQ(data(R"("datacontenttype":"x/y","data_base64":"AP8=")").data,
            std::string("\0\xFF", 2));
  // An unset one counts as absent.
  EXPECT_EQ(data(R"("data_base64":null,"data":1)").data, "1");
}

TEST(cloud_event, is_written_as_it_was_read) {
  for (auto members :
       {R"("data":null)", R"("data":[1.0,"x"])",
        R"("datacontenttype":"text/plain","data":"ä")",
        R"("datacontenttype":"application/xml","data":"<a/>")",
        R"("datacontenttype":"image/png","data_base64":"iVBORw==")",
        R"("a":"","b":2147483647,"c":false)"}) {
    auto x = read_event(with(members));
    ASSERT_TRUE(x) << members << ": " << x.error().message();
    EXPECT_EQ(json::parse(to_json(*x)), json::parse(with(members))) << members;
  }
}

TEST(cloud_event, whose_data_is_not_what_its_type_says_is_written_as_bytes) {
  auto x = minimal();
  x.data = "{no json";
  EXPECT_EQ(to_json(x), with(R"("data_base64":"e25vIGpzb24=")"));
  x.datacontenttype = "text/plain";
  x.data = "\xFF";
  EXPECT_EQ(read_event(to_json(x))->data, "\xFF");
}

TEST(cloud_event, that_lacks_something_is_refused) {
  EXPECT_TRUE(read_event(start + std::string{"}"}));
  for (auto name : {"specversion", "id", "source", "type"}) {
    auto x = json::parse(start + std::string{"}"});
    x.erase(name);
    EXPECT_NE(reason(read_event(x.dump())).find(name), std::string::npos);
    for (auto value : {json(nullptr), json(""), json(7), json::array()}) {
      x[name] = value;
      EXPECT_NE(reason(read_event(x.dump())).find(name), std::string::npos)
        << x;
    }
  }
  for (auto version : {"0.3", "1", "1.0 ", "2.0"}) {
    auto x = json::parse(start + std::string{"}"});
    x["specversion"] = version;
    EXPECT_NE(reason(read_event(x.dump())).find("specversion"),
              std::string::npos);
  }
}

TEST(cloud_event, that_the_specification_forbids_is_refused) {
  for (auto members : {
         // names
         R"("Upper":"x")",
         R"("with_line":"x")",
         R"("with-dash":"x")",
         R"("":"x")",
         R"("größe":"x")",
         // values
         R"("ext":1.5)",
         R"("ext":1.0)",
         R"("ext":2147483648)",
         R"("ext":-2147483649)",
         R"("ext":18446744073709551615)",
         R"("ext":[])",
         R"("ext":{"a":1})",
         R"("ext":"a\u0007b")",
         R"("ext":"\ufdd0")",
         R"("subject":"")",
         R"("subject":7)",
         R"("subject":"a\nb")",
         R"("time":"yesterday")",
         R"("time":"2018-02-29T00:00:00Z")",
         R"("time":"2018-04-05T17:31:00")",
         R"("time":"2018-04-05 17:31:00Z")",
         R"("time":1522949460)",
         R"("dataschema":"/relative")",
         R"("dataschema":"")",
         R"("datacontenttype":"json")",
         R"("datacontenttype":"a/b/c")",
         R"("datacontenttype":"")",
         // data
         R"("data":1,"data_base64":"AA==")",
         R"("data_base64":"A")",
         R"("data_base64":"AA=")",
         R"("data_base64":"AB==")",
         R"("data_base64":"A A=")",
         R"("data_base64":7)",
         R"("datacontenttype":"text/plain","data":{"a":1})",
         R"("datacontenttype":"text/plain","data":null)",
         // twice
         R"("id":"2")",
         R"("data":1,"data":2)",
         R"("a":null,"a":"x")",
       })
    EXPECT_NE(reason(read_event(with(members))), "") << members;
  for (auto text : {"", "null", "[]", "1", "{", "{}", "\"x\"", "{\"id\":}"})
    EXPECT_NE(reason(read_event(text)), "") << text;
}

TEST(cloud_event, has_a_source_that_is_a_uri_reference) {
  for (auto good :
       {"/a/b", "a", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "?q",
        "mailto:a@b.example", "https://[::1]:8/%7Ea", "1-2", "./a:b", "#x"}) {
    auto x = minimal();
    x.source = good;
    EXPECT_TRUE(x.validate()) << good;
  }
  for (auto bad : {"", " ", "a b", "/größe", "<a>", "%", "%g0", "a%2", "a#b#c",
                   "{a}", "1:2", ":a", "a\\b", "a\"b", "a^b", "a|b"}) {
    auto x = minimal();
    x.source = bad;
    EXPECT_FALSE(x.validate()) << bad;
  }
}

TEST(cloud_event, has_a_time_as_rfc_3339_has_it) {
  for (auto good : {"2018-04-05T17:31:00Z", "2018-04-05t17:31:00.123456789z",
                    "2020-02-29T23:59:60Z", "1990-12-31T15:59:60-08:00",
                    "0001-01-01T00:00:00+23:59"}) {
    auto x = minimal();
    x.time = good;
    EXPECT_TRUE(x.validate()) << good;
  }
  for (auto bad :
       {"2018", "2018-04-05", "2018-04-05T17:31Z", "2018-04-05T17:31:00",
        "2018-13-05T17:31:00Z", "2018-04-31T17:31:00Z", "2018-00-01T00:00:00Z",
        "2018-04-05T24:00:00Z", "2018-04-05T17:60:00Z", "2018-04-05T17:31:61Z",
        "2018-04-05T17:31:00.Z", "2018-04-05T17:31:00+24:00",
        "2018-04-05T17:31:00+0200", "2018-04-05T17:31:00Z ",
        "+018-04-05T17:31:00Z", "2018-04-05T17:31:00+02:60"}) {
    auto x = minimal();
    x.time = bad;
    EXPECT_FALSE(x.validate()) << bad;
  }
}

TEST(cloud_event, comes_in_batches_all_or_none) {
  auto one = start + std::string{"}"};
  EXPECT_EQ(*read_event_batch("[]", 2), std::vector<cloud_event>{});
  EXPECT_EQ(*read_event_batch(" [" + one + ", " + one + "]", 2),
            (std::vector{minimal(), minimal()}));
  EXPECT_EQ(to_json(std::vector{minimal(), minimal()}),
            to_json(*read_event_batch("[" + one + "," + one + "]", 2)));
  auto third = read_event_batch("[" + one + "," + one + "," + one + "]", 2);
  EXPECT_EQ(third.error().code(), errc::payload_too_large);
  auto bad = read_event_batch("[" + one + ",{\"id\":\"2\"}]", 2);
  EXPECT_EQ(bad.error().code(), errc::bad_request);
  EXPECT_NE(bad.error().message().find("event 2"), std::string::npos);
  EXPECT_EQ(read_event_batch(one, 2).error().code(), errc::bad_request);
}

} // namespace
} // namespace troupe
