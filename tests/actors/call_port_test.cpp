// Where calls begin: names, deadlines, numbers.

#include <set>
#include <string>

#include "tests/support/function_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

class call_port_test : public testing::function_fixture {
public:
  void SetUp() override {
    module m;
    m.function("a", [] {}).timeout(10s);
    serve(m);
  }

  std::chrono::nanoseconds
  given(std::optional<std::chrono::milliseconds> timeout) {
    raw_invocation call{{}};
    port.prepare(call, **port.function("a"), timeout);
    EXPECT_EQ(call.submitted, now());
    return call.deadline - call.submitted;
  }
};

TEST_F(call_port_test, gives_a_call_its_targets_time_or_less) {
  EXPECT_EQ(given({}), 10s);
  EXPECT_EQ(given(1s), 1s);
  EXPECT_EQ(given(11s), 10s);
}

TEST_F(call_port_test, numbers_calls_and_never_twice) {
  std::set<std::string> ids;
  call_port copy{port};
  for (int i = 0; i < 1'000; ++i)
    for (auto x : {&port, &copy}) {
      raw_invocation call{{}};
      x->prepare(call, **x->function("a"), {});
      ids.insert(to_string(call.id));
    }
  EXPECT_EQ(ids.size(), 2'000u);
  EXPECT_EQ(ids.begin()->size(), 32u);
}

TEST_F(call_port_test, writes_a_number_as_32_hexadecimal_digits) {
  EXPECT_EQ(to_string(invocation_id{0x0123456789abcdef, 0xf}),
            "0123456789abcdef000000000000000f");
}

TEST_F(call_port_test, sees_new_routes_with_the_next_look) {
  auto version = port.routes_version();
  EXPECT_EQ(port.function("b").error(), errc::not_found);
  auto table = std::make_shared<route_table>(*routes.load());
  table->functions["b"] = table->functions["a"];
  routes.publish(table);
  EXPECT_NE(port.routes_version(), version);
  EXPECT_TRUE(port.function("b"));
}

TEST_F(call_port_test, finds_versions_and_aliases) {
  auto table = std::make_shared<route_table>(*routes.load());
  auto& route = table->functions["a"];
  route.versions[3] = route.latest;
  route.aliases["live"] = 3;
  route.aliases["gone"] = 2;
  routes.publish(table);
  for (auto qualifier : {"", "$LATEST", "3", "live"})
    EXPECT_TRUE(port.function("a", qualifier)) << qualifier;
  for (auto qualifier :
       {"2", "gone", "nobody", "3x", "-3", " 3", "99999999999999999999999"})
    EXPECT_EQ(port.function("a", qualifier).error(), errc::not_found)
      << qualifier;
}

TEST_F(call_port_test, knows_no_service_of_a_functions_name) {
  EXPECT_EQ(port.service("a").error(), errc::not_found);
}

} // namespace
} // namespace troupe
