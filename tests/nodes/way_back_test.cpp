#include "nodes/http/way_back.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class errand final : public home_thread::errand {
public:
  explicit errand(std::function<void()> f) : f_(std::move(f)) {}
  void run() noexcept override { f_(); }

private:
  std::function<void()> f_;
};

class way_back_test : public ::testing::Test {
protected:
  /// Errands that note their numbers.
  home_thread::errands note(std::vector<int> numbers) {
    home_thread::errands result;
    for (auto i : numbers)
      result.push_back(std::make_unique<errand>([this, i] {
        ran.push_back(i);
        at_home.push_back(home->delivers_here());
      }));
    return result;
  }

  io_thread loop;
  std::shared_ptr<way_back> home = std::make_shared<way_back>(loop);
  std::vector<int> ran;
  std::vector<bool> at_home;
};

TEST_F(way_back_test, runs_errands_on_its_thread_in_their_order) {
  std::thread other{[&] {
    home->post(note({1, 2}));
    home->post(note({3}));
    loop.post([&] { loop.stop(); });
  }};
  other.join();
  EXPECT_THAT(ran, IsEmpty());
  loop.run();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
  EXPECT_THAT(at_home, ElementsAre(true, true, true));
  EXPECT_FALSE(home->delivers_here());
}

TEST_F(way_back_test, runs_them_where_they_are_once_it_is_closed) {
  home->close();
  home->post(note({1, 2}));
  EXPECT_THAT(ran, ElementsAre(1, 2));
  EXPECT_THAT(at_home, ElementsAre(false, false));
}

TEST_F(way_back_test, forgets_none_that_its_thread_did_not_run) {
  home->post(note({1}));
  home->close();
  EXPECT_THAT(ran, IsEmpty());
  loop.forget_posted();
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST_F(way_back_test, takes_errands_that_an_errand_leads_to) {
  home_thread::errands first;
  first.push_back(std::make_unique<errand>([&] {
    home->post(note({2}));
    home->send([&] { loop.stop(); });
    ran.push_back(1);
  }));
  home->post(std::move(first));
  loop.run();
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

TEST_F(way_back_test, can_be_closed_by_an_errand) {
  home_thread::errands first;
  first.push_back(std::make_unique<errand>([&] {
    home->close();
    home->post(note({1})); // runs at once
    loop.stop();
  }));
  home->post(std::move(first));
  loop.run();
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST_F(way_back_test, leaves_to_the_sender_what_it_cannot_send) {
  std::string text = "a text that is too long to be kept in place";
  home->close();
  EXPECT_FALSE(home->send(text, [](const std::string&) { FAIL(); }));
  EXPECT_EQ(text, "a text that is too long to be kept in place");
}

} // namespace
} // namespace troupe::http
