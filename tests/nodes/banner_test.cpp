// What a program says when it serves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/banner.hpp"

namespace troupe {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

json named(std::initializer_list<const char*> names) {
  auto result = json::array();
  for (auto x : names)
    result.push_back({{"name", x}});
  return result;
}

banner_facts facts(json functions, json services) {
  return {
    "http://h:1",
    "memory:",
    {{"functions", std::move(functions)}, {"services", std::move(services)}},
    "./bin/troupe"};
}

TEST(banner, says_where_what_and_what_to_try) {
  EXPECT_EQ(
    banner(facts(named({"add", "echo"}), named({"data_service"}))),
    "Troupe serves http://h:1\n"
    "  store      memory:\n"
    "  functions  add, echo\n"
    "  services   data_service\n"
    "\n"
    "Try:\n"
    "  curl -d '[2,3]' http://h:1/invoke/add\n"
    "  curl -d '{\"a\":1}' http://h:1/services/data_service/k1/set_data\n"
    "  ./bin/troupe tree --endpoint http://h:1\n");
}

TEST(banner, tries_no_function_of_which_it_does_not_know_what_it_takes) {
  EXPECT_THAT(banner(facts(named({"square"}), named({}))),
              AllOf(HasSubstr("  functions  square\n  services   none\n"),
                    HasSubstr("curl http://h:1/cluster\n"),
                    HasSubstr("curl http://h:1/metrics\n"),
                    Not(HasSubstr("/invoke/"))));
}

TEST(banner, of_another_program_names_no_command_of_troupe) {
  auto x = facts(named({}), named({}));
  x.program.clear();
  EXPECT_THAT(banner(x), AllOf(HasSubstr("curl http://h:1/cluster/tree\n"),
                               Not(HasSubstr("--endpoint"))));
}

} // namespace
} // namespace troupe
