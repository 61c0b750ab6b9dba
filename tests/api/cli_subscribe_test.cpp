// `troupe subscribe list`, of a node whose broker has a lot to say.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/canned_node.hpp"
#include "tests/support/process.hpp"

namespace troupe::testing {
namespace {

using json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

process_result troupe_subscribe(std::vector<std::string> arguments,
                                const canned_node& node) {
  process_input what;
  what.command = {TROUPE_BINARY, "subscribe"};
  what.command.insert(what.command.end(), arguments.begin(), arguments.end());
  what.environment = {"TROUPE_ENDPOINT=" + node.url(), "LC_ALL=C.UTF-8"};
  return run_process(what);
}

/// A node without a cluster that has one subscription.
canned_node having(const json& subscription) {
  return canned_node{[subscription](const received_request& x) {
    auto line = x.line();
    auto body = subscription;
    if (line.ends_with("/cluster"))
      body = {{"nodes", json::array()}};
    else if (line.ends_with("/subscriptions"))
      body = {{"node", "n"}, {"subscriptions", json::array({subscription})}};
    return http_answer(200, "application/json", body.dump());
  }};
}

json failing_with(const std::string& error) {
  return {
    {"name", "meters"}, {"state", "connecting"}, {"broker", "mqtt://h:1883"},
    {"topic", "a"},     {"target", "f"},         {"brokerError", error}};
}

TEST(cli_subscribe, cuts_a_long_error_in_a_list_and_shows_all_of_it) {
  std::string error = "cannot connect: größer ";
  while (error.size() < 300)
    error += "und größer ";
  error += "the end";
  auto node = having(failing_with(error));
  auto list = troupe_subscribe({"list"}, node);
  ASSERT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("cannot connect: größer und größer "));
  EXPECT_THAT(list.out, HasSubstr("...\n"));
  EXPECT_THAT(list.out, Not(HasSubstr("the end")));
  auto line = list.out.substr(list.out.find('\n') + 1);
  EXPECT_LT(line.size(), 180u) << line;
  EXPECT_NO_THROW(json(line).dump()) << "no character is cut in two";

  auto as_json = troupe_subscribe({"list", "--json"}, node);
  EXPECT_EQ(json::parse(as_json.out).at(0).at("brokerError"), error);
  EXPECT_THAT(troupe_subscribe({"show", "meters"}, node).out, HasSubstr(error));
}

TEST(cli_subscribe, leaves_a_short_error_as_it_is) {
  auto node = having(failing_with(std::string(60, 'x')));
  EXPECT_THAT(troupe_subscribe({"list"}, node).out,
              HasSubstr(std::string(60, 'x') + "\n"));
}

} // namespace
} // namespace troupe::testing
