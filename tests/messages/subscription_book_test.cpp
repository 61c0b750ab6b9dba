// Subscriptions that are declared at run time, as they are kept.

#include "actors/messages/subscription_book.hpp"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace troupe {

namespace {

const subscription_fields some{{"broker", "mqtt://h"}, {"topic", "a"}};

subscription_book stored_and_read(const subscription_book& x) {
  return parse_json(dump_json(json(x))).get<subscription_book>();
}

errc code_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const error_exception& e) {
    return e.reason().code();
  }
  return errc{};
}

} // namespace

TEST(subscription_book, keeps_what_was_put_last) {
  subscription_book book;
  EXPECT_EQ(json(book), json::object());
  auto answer = book.put("m", some);
  EXPECT_EQ(answer,
            (json{{"name", "m"},
                  {"declared", "runtime"},
                  {"fields", {{"broker", "mqtt://h"}, {"topic", "a"}}}}));
  auto before = json(book);
  book.put("m", some);
  EXPECT_EQ(json(book), before);
  book.put("m", {{"topic", "b"}});
  book.put("n", some);
  auto read = stored_and_read(book);
  EXPECT_EQ(read.all(), book.all());
  EXPECT_EQ(read.all().at("m"), (subscription_fields{{"topic", "b"}}));
  read.remove("m");
  EXPECT_EQ(read.all().size(), 1u);
  EXPECT_EQ(code_of([&] { read.remove("m"); }), errc::not_found);
  read.remove("n");
  EXPECT_TRUE(stored_and_read(read).all().empty());
}

TEST(subscription_book, is_full_at_some_time) {
  subscription_book book;
  for (size_t i = 0; i < subscription_book::size_max; ++i)
    book.put("m" + std::to_string(i), some);
  EXPECT_EQ(code_of([&] { book.put("another", some); }), errc::bad_request);
  EXPECT_EQ(book.all().size(), subscription_book::size_max);
  book.put("m7", {{"topic", "b"}}); // there already
  EXPECT_EQ(book.all().at("m7").size(), 1u);
}

} // namespace troupe
