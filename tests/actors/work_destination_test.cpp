#include "actors/core/work_destination.hpp"

#include <gtest/gtest.h>

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

TEST(work_destination, is_nothing_else) {
  for (auto text : {"", ":", "add:", ":live", "a b", "a/b", "a//b", "/k/m",
                    "a/k/", "a/{name}/m", "a/{key/m", "a:b:c", "a/k/m n"})
    EXPECT_FALSE(work_destination::parse(text)) << text;
}

} // namespace
} // namespace troupe::testing
