// Strategy x restart type x exit reason, one named case each, after OTP's
// supervisor suite. The outcomes are written down, not computed.
//
// Three children are started: a, b, c. The one in the middle has the restart
// type and ends for the reason of the case; the others are permanent. The
// outcome lists who is there afterwards: "b" the same actor as before, "b*"
// another one, "b-" down with its specification kept; who is not listed is
// forgotten.

#include <map>

#include "tests/support/supervised.hpp"

namespace troupe {
namespace {

using enum restart_strategy;
using enum restart_type;

struct matrix_case {
  restart_strategy strategy;
  restart_type restart;
  const char* reason;
  const char* means;
  const char* outcome;
};

std::string name_of(const matrix_case& x) {
  return std::string{to_string(x.strategy)} + "_" + to_string(x.restart) + "_"
         + x.reason + "_" + x.means;
}

constexpr matrix_case matrix[] = {
  {one_for_one, permanent, "normal", "restarts_it", "a b* c"},
  {one_for_one, permanent, "shutdown", "restarts_it", "a b* c"},
  {one_for_one, permanent, "kill", "restarts_it", "a b* c"},
  {one_for_one, permanent, "error", "restarts_it", "a b* c"},
  {one_for_one, permanent, "throw", "restarts_it", "a b* c"},
  {one_for_one, transient, "normal", "leaves_it_down", "a b- c"},
  {one_for_one, transient, "shutdown", "leaves_it_down", "a b- c"},
  {one_for_one, transient, "kill", "restarts_it", "a b* c"},
  {one_for_one, transient, "error", "restarts_it", "a b* c"},
  {one_for_one, transient, "throw", "restarts_it", "a b* c"},
  {one_for_one, temporary, "normal", "forgets_it", "a c"},
  {one_for_one, temporary, "shutdown", "forgets_it", "a c"},
  {one_for_one, temporary, "kill", "forgets_it", "a c"},
  {one_for_one, temporary, "error", "forgets_it", "a c"},
  {one_for_one, temporary, "throw", "forgets_it", "a c"},

  {one_for_all, permanent, "normal", "restarts_everyone", "a* b* c*"},
  {one_for_all, permanent, "shutdown", "restarts_everyone", "a* b* c*"},
  {one_for_all, permanent, "kill", "restarts_everyone", "a* b* c*"},
  {one_for_all, permanent, "error", "restarts_everyone", "a* b* c*"},
  {one_for_all, permanent, "throw", "restarts_everyone", "a* b* c*"},
  {one_for_all, transient, "normal", "leaves_it_down", "a b- c"},
  {one_for_all, transient, "shutdown", "leaves_it_down", "a b- c"},
  {one_for_all, transient, "kill", "restarts_everyone", "a* b* c*"},
  {one_for_all, transient, "error", "restarts_everyone", "a* b* c*"},
  {one_for_all, transient, "throw", "restarts_everyone", "a* b* c*"},
  {one_for_all, temporary, "normal", "forgets_it", "a c"},
  {one_for_all, temporary, "shutdown", "forgets_it", "a c"},
  {one_for_all, temporary, "kill", "forgets_it", "a c"},
  {one_for_all, temporary, "error", "forgets_it", "a c"},
  {one_for_all, temporary, "throw", "forgets_it", "a c"},

  {rest_for_one, permanent, "normal", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, permanent, "shutdown", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, permanent, "kill", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, permanent, "error", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, permanent, "throw", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, transient, "normal", "leaves_it_down", "a b- c"},
  {rest_for_one, transient, "shutdown", "leaves_it_down", "a b- c"},
  {rest_for_one, transient, "kill", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, transient, "error", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, transient, "throw", "restarts_it_and_the_rest", "a b* c*"},
  {rest_for_one, temporary, "normal", "forgets_it", "a c"},
  {rest_for_one, temporary, "shutdown", "forgets_it", "a c"},
  {rest_for_one, temporary, "kill", "forgets_it", "a c"},
  {rest_for_one, temporary, "error", "forgets_it", "a c"},
  {rest_for_one, temporary, "throw", "forgets_it", "a c"},
};

class supervisor_matrix : public ::testing::TestWithParam<matrix_case>,
                          public supervision_fixture {
public:
  std::string outcome(const supervisor_actor& x,
                      std::map<std::string, caf::actor> before) {
    std::string result;
    for (auto& child : children(x)) {
      result += (result.empty() ? "" : " ") + child.id;
      if (child.state == child_state::down)
        result += "-";
      else if (child.state == child_state::up
               && child.handle != before[child.id])
        result += "*";
    }
    return result;
  }
};

TEST_P(supervisor_matrix, ends_as_written) {
  auto& param = GetParam();
  supervisor_options options;
  options.strategy = param.strategy;
  auto parent =
    supervise(options, {worker("a"), worker("b", param.restart), worker("c")});
  std::map<std::string, caf::actor> before;
  for (auto& x : children(parent))
    before[x.id] = x.handle;
  end_child(parent, "b", param.reason);
  EXPECT_EQ(outcome(parent, before), param.outcome);
  EXPECT_EQ(end_of(parent), "alive");
}

INSTANTIATE_TEST_SUITE_P(, supervisor_matrix, ::testing::ValuesIn(matrix),
                         [](auto& info) { return name_of(info.param); });

} // namespace
} // namespace troupe
