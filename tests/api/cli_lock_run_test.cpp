// `troupe lock run` as a process, against answers that a test writes: when the
// program begins, and when it does not.

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/canned_node.hpp"
#include "tests/support/process.hpp"

namespace {

using namespace troupe::testing;
using testing::HasSubstr;
using testing::Not;

constexpr auto granted =
  R"({"token":7,"expiresAt":"2030-01-01T00:00:00.000Z"})";

std::string answer(const std::string& body) {
  return http_answer(200, "application/json", body);
}

/// Grants a lock, and answers its renewals as it is told.
canned_node granting(const std::string& renewal) {
  return canned_node{[renewal](const received_request& x) {
    if (x.line().starts_with("PUT"))
      return renewal;
    if (x.line().starts_with("DELETE"))
      return http_answer(204, "", "");
    return answer(granted);
  }};
}

process_result lock_run(const canned_node& node,
                        std::vector<std::string> before = {}) {
  process_input what;
  what.command = std::move(before);
  for (auto word :
       {TROUPE_BINARY, "lock", "run", "door", "--", "echo", "it ran"})
    what.command.emplace_back(word);
  what.environment = {"TROUPE_ENDPOINT=" + node.url(), "LC_ALL=C.UTF-8",
                      "PATH=/usr/bin:/bin", "ASAN_OPTIONS=exitcode=99",
                      "UBSAN_OPTIONS=exitcode=99"};
  return run_process(what);
}

TEST(cli_lock_run, begins_nothing_if_the_lock_is_lost_by_then) {
  auto node = granting(
    http_answer(409, "application/json",
                R"({"errorType":"lock_held","errorMessage":"it is over",)"
                R"("effect":"none"})"));
  auto x = lock_run(node);
  EXPECT_EQ(x.status, 1);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr("before the program began (effect: none)"));
}

TEST(cli_lock_run, ends_also_when_its_parent_wants_to_hear_of_no_child) {
  auto node = granting(answer(granted));
  auto x = lock_run(node, {"/usr/bin/env", "--ignore-signal=CHLD"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_EQ(x.out, "it ran\n");
  EXPECT_THAT(x.err, Not(HasSubstr("warning")));
  EXPECT_THAT(node.requests().back().line(), HasSubstr("DELETE"));
}

} // namespace
