// What is said of brokers that come and go.

#include "nodes/broker_log.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "nodes/connection_watch.hpp"

namespace troupe {

namespace {

class broker_log_test : public ::testing::Test {
protected:
  /// The moment passes.
  std::vector<std::string> lines() {
    for (auto& x : std::exchange(waiting, {}))
      x();
    return std::exchange(said, {});
  }

  std::vector<std::function<void()>> waiting;
  std::vector<std::string> said;
  broker_log log{[this](broker_log::level level, const std::string& line) {
                   said.push_back(
                     (level == broker_log::level::info ? "info " : "warning ")
                     + line);
                 },
                 [this](auto time, auto what) {
                   EXPECT_EQ(time, broker_log::moment);
                   waiting.push_back(std::move(what));
                 }};
};

using lines_type = std::vector<std::string>;

} // namespace

TEST_F(broker_log_test, names_broker_subscription_and_reason) {
  log.changed("mqtt://h:1883", "meters", true, "");
  EXPECT_EQ(lines(), (lines_type{"info the subscription 'meters' has the "
                                 "broker mqtt://h:1883"}));
  log.changed("mqtt://h:1883", "meters", false, "it broke");
  EXPECT_EQ(lines(),
            (lines_type{"warning the subscription 'meters' gets nothing "
                        "from its broker mqtt://h:1883, and tries again: it "
                        "broke"}));
  EXPECT_EQ(lines(), lines_type{});
}

TEST_F(broker_log_test, says_in_one_line_what_happens_to_many) {
  for (int i = 0; i < 12; ++i)
    log.changed("nats://h:4222", "s" + std::to_string(i), false, "gone");
  log.changed("nats://other:4222", "t", false, "gone");
  auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[0].find("'s0', 's1'"), std::string::npos) << all[0];
  EXPECT_NE(
    all[0].find("'s9' and 2 more get nothing from its broker nats://h:4222"),
    std::string::npos)
    << all[0];
}

TEST_F(broker_log_test, says_each_reason_of_one_broker) {
  log.changed("nats://h:4222", "a", false, "cannot read 'f'");
  log.changed("nats://h:4222", "b", false, "there is no stream 'S'");
  auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[0].find("'a' gets nothing"), std::string::npos) << all[0];
  EXPECT_NE(all[1].find("'b' gets nothing"), std::string::npos) << all[1];
}

TEST_F(broker_log_test, is_one_line_whatever_a_broker_says) {
  log.changed("nats://h:4222", "s", false,
              "no\nyes\x1b[2J" + std::string(5'000, 'x'));
  auto all = lines();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LT(all[0].size(), 1'100u);
}

TEST(connection_watch, tells_of_changes_and_not_of_tries) {
  std::vector<std::string> told;
  connection_watch watch{[&](bool is_there, const std::string& why) {
    told.push_back(is_there ? "there" : "gone " + why);
  }};
  for (auto why : {"a", "b", "c"})
    watch.is_gone(why);
  watch.is_there();
  watch.is_there();
  watch.is_gone("d");
  watch.is_gone("e");
  EXPECT_EQ(told, (std::vector<std::string>{"gone a", "there", "gone d"}));
}

} // namespace troupe
