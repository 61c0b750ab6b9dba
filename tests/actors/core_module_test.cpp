// A module as a value, and the coroutines of its handlers.

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <caf/actor_system.hpp>

#include "actors/core/module.hpp"
#include "actors/core/task.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

TEST(module, takes_names_of_letters_digits_dash_and_underscore) {
  for (auto name : {"a", "A-z_0", "9"})
    EXPECT_TRUE(is_valid_name(name)) << name;
  for (auto name : {"", "a b", "a/b", "a.b", "a:b", "\xC3\xA9", "$LATEST"})
    EXPECT_FALSE(is_valid_name(name)) << name;
  EXPECT_TRUE(is_valid_name(std::string(64, 'a')));
  EXPECT_FALSE(is_valid_name(std::string(65, 'a')));
  module m;
  EXPECT_THROW(m.function("a b", [] {}), std::invalid_argument);
}

TEST(module, takes_keys_of_1_to_512_bytes_of_utf8) {
  using namespace std::literals;
  EXPECT_TRUE(is_valid_key("a/b c"));
  EXPECT_TRUE(is_valid_key("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_TRUE(is_valid_key("\0"sv));
  EXPECT_TRUE(is_valid_key(std::string(512, 'k')));
  EXPECT_FALSE(is_valid_key(std::string(513, 'k')));
  EXPECT_FALSE(is_valid_key(""));
  for (auto key : {"\xC3", "\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                   "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "a\xFF"})
    EXPECT_FALSE(is_valid_key(key)) << key;
}

TEST(module, refuses_a_name_twice_whatever_it_names) {
  module m;
  m.function("a", [] {});
  EXPECT_THROW(m.function("a", [](int) {}), std::invalid_argument);
  EXPECT_THROW(m.expose("a", {}), std::invalid_argument);
  EXPECT_EQ(m.functions().size(), 1u);
}

TEST(module, sets_limits_and_refuses_what_makes_no_sense) {
  module m;
  m.function("a", [] {}).concurrency(3).queue(0).timeout(2s).blocking();
  auto& limits = m.functions()[0]->limits;
  EXPECT_EQ(limits.concurrency, 3u);
  EXPECT_EQ(limits.queue, 0u);
  EXPECT_EQ(limits.timeout, 2s);
  EXPECT_TRUE(limits.blocking);
  auto b = m.function("b", [] {});
  EXPECT_THROW(b.concurrency(0), std::invalid_argument);
  EXPECT_THROW(b.timeout(0s), std::invalid_argument);
  EXPECT_THROW(b.timeout(901s), std::invalid_argument);
}

// -- tasks ---------------------------------------------------------------------

task<int> give(int x) {
  co_return x;
}

task<int> sum(int n) {
  auto result = 0;
  for (int i = 1; i <= n; ++i)
    result += co_await give(i);
  co_return result;
}

task<int> fail() {
  throw std::runtime_error{"inner"};
  co_return 0;
}

task<std::string> catch_it() {
  try {
    co_await fail();
  } catch (const std::runtime_error& e) {
    co_return e.what();
  }
  co_return "";
}

template <class T>
T finish(task<T> x) {
  x.start();
  EXPECT_TRUE(x.done());
  return x.take();
}

TEST(task, does_not_start_by_itself) {
  auto started = false;
  auto body = [&]() -> task<void> {
    started = true;
    co_return;
  };
  auto x = body();
  EXPECT_FALSE(started);
  EXPECT_FALSE(x.done());
  x.start();
  EXPECT_TRUE(started);
  EXPECT_TRUE(x.done());
}

TEST(task, gives_its_result_to_the_one_that_awaits_it) {
  EXPECT_EQ(finish(sum(100)), 5050);
}

TEST(task, passes_exceptions_on) {
  EXPECT_THROW(finish(fail()), std::runtime_error);
  EXPECT_EQ(finish(catch_it()), "inner");
}

TEST(task, destroys_its_frame_when_nobody_starts_it) {
  auto shared = std::make_shared<int>(1);
  {
    auto body = [](std::shared_ptr<int> x) -> task<int> { co_return *x; };
    auto x = body(shared);
    EXPECT_EQ(shared.use_count(), 2);
    auto y = std::move(x);
    EXPECT_FALSE(x); // NOLINT: that is what is tested
    EXPECT_TRUE(y);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

} // namespace
} // namespace troupe
