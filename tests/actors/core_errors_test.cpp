// The table of errors, as callers from outside lean on it.

#include <set>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "actors/core/caf_error.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/expected.hpp"

namespace troupe {
namespace {

struct row {
  errc code;
  std::string_view name;
  int status;
  effect what;
};

// The handler's own exceptions have no name of their own.
constexpr row table[] = {
  {errc::bad_request, "bad_request", 400, effect::none},
  {errc::payload_too_large, "payload_too_large", 413, effect::none},
  {errc::not_found, "not_found", 404, effect::none},
  {errc::method_not_allowed, "method_not_allowed", 405, effect::none},
  {errc::unauthorized, "unauthorized", 401, effect::none},
  {errc::forbidden, "forbidden", 403, effect::none},
  {errc::revision_mismatch, "revision_mismatch", 412, effect::none},
  {errc::idempotency_conflict, "idempotency_conflict", 422, effect::none},
  {errc::too_many_requests, "too_many_requests", 429, effect::none},
  {errc::call_cycle, "call_cycle", 508, effect::none},
  {errc::busy_retry, "busy_retry", 503, effect::none},
  {errc::quarantined, "quarantined", 503, effect::none},
  {errc::store_unavailable, "store_unavailable", 503, effect::none},
  {errc::shutting_down, "shutting_down", 503, effect::none},
  {errc::deadline_exceeded, "deadline_exceeded", 504, effect::none},
  {errc::outcome_unknown, "outcome_unknown", 504, effect::unknown},
  {errc::not_owner, "not_owner", 503, effect::none},
  {errc::lock_held, "lock_held", 409, effect::none},
  {errc::not_implemented, "not_implemented", 501, effect::none},
  {errc::request_timeout, "request_timeout", 408, effect::none},
  {errc::headers_too_large, "headers_too_large", 431, effect::none},
  {errc::instance_lost, "instance_lost", 502, effect::unknown},
  {errc::internal_error, "internal_error", 500, effect::unknown},
  {errc::handler_failed, "handler_failed", 502, effect::ran},
};

TEST(errors, are_as_the_table_says) {
  for (auto& x : table) {
    EXPECT_EQ(to_string(x.code), x.name);
    EXPECT_EQ(http_status(x.code), x.status) << x.name;
    EXPECT_EQ(default_effect(x.code), x.what) << x.name;
    EXPECT_EQ(error(x.code, "").what_happened(), x.what) << x.name;
    EXPECT_EQ(error(x.code, "").type(), x.name);
    EXPECT_EQ(errc_from_string(x.name), x.code);
  }
}

TEST(errors, are_all_in_the_table_under_a_name_of_their_own) {
  std::set<std::string_view> names;
  std::set<errc> codes;
  for (auto& x : table) {
    names.insert(x.name);
    codes.insert(x.code);
  }
  EXPECT_EQ(names.size(), std::size(table));
  EXPECT_EQ(codes.size(), std::size(table));
  // From bad_request, without a gap, to handler_failed.
  EXPECT_EQ(static_cast<size_t>(*codes.begin()), 1u);
  EXPECT_EQ(*codes.rbegin(), errc::handler_failed);
  EXPECT_EQ(static_cast<size_t>(*codes.rbegin()), std::size(table));
}

TEST(errors, name_what_happened) {
  EXPECT_EQ(to_string(effect::none), "none");
  EXPECT_EQ(to_string(effect::ran), "ran");
  EXPECT_EQ(to_string(effect::unknown), "unknown");
}

TEST(errors, of_a_handler_have_the_demangled_type) {
  auto x = error::from_exception(
    std::make_exception_ptr(std::runtime_error{"no stock"}));
  EXPECT_EQ(x.type(), "std::runtime_error");
  EXPECT_EQ(x.message(), "no stock");
  EXPECT_EQ(x.what_happened(), effect::ran);
  EXPECT_EQ(x.code(), errc::handler_failed);
  EXPECT_EQ(error::from_exception(std::make_exception_ptr(3)).type(), "int");
}

TEST(errors, that_a_handler_throws_are_kept) {
  error inner{errc::lock_held, "mine"};
  auto x =
    error::from_exception(std::make_exception_ptr(error_exception{inner}));
  EXPECT_EQ(x, errc::lock_held);
  EXPECT_EQ(x.message(), "mine");
}

TEST(errors, survive_json) {
  for (auto& row : table) {
    auto text = error(row.code, effect::ran, "why \"it\"").to_json();
    auto body = nlohmann::json::parse(text);
    EXPECT_EQ(body.size(), 3u);
    EXPECT_EQ(body["errorType"], row.name);
    EXPECT_EQ(body["errorMessage"], "why \"it\"");
    EXPECT_EQ(body["effect"], "ran");
    auto back = error::from_json(body);
    EXPECT_EQ(back.code(), row.code);
    EXPECT_EQ(back.what_happened(), effect::ran);
    EXPECT_EQ(back.message(), "why \"it\"");
  }
  auto own = error::from_json(nlohmann::json::parse(
    error::from_handler("shop::sold_out", "no").to_json()));
  EXPECT_EQ(own.type(), "shop::sold_out");
  EXPECT_EQ(own.code(), errc::handler_failed);
}

TEST(errors, with_bytes_that_are_no_text_are_json_nevertheless) {
  auto text = error{errc::bad_request, "\xFF\xFE"}.to_json();
  EXPECT_TRUE(nlohmann::json::accept(text));
}

TEST(errors, from_a_stranger_are_internal_errors) {
  for (auto text : {"1", "{}", "[]", R"({"errorType": 3})"})
    EXPECT_EQ(error::from_json(nlohmann::json::parse(text)),
              errc::internal_error);
}

TEST(errors, survive_a_caf_error) {
  for (auto& row : table) {
    auto x = error{row.code, effect::unknown, "why"}.retry_after(7);
    auto back = to_error(to_caf_error(x));
    EXPECT_EQ(back.code(), row.code);
    EXPECT_EQ(back.type(), x.type());
    EXPECT_EQ(back.what_happened(), effect::unknown);
    EXPECT_EQ(back.retry_after_s(), 7u);
    EXPECT_EQ(back.message(), "why");
  }
}

TEST(errors, cut_a_message_that_is_too_long_between_two_characters) {
  constexpr auto most = defaults::error_message_max;
  auto kept = [](std::string text) {
    return error::from_handler("type", std::move(text)).message();
  };
  EXPECT_EQ(kept(std::string(most, 'x')), std::string(most, 'x'));
  EXPECT_EQ(kept(std::string(most + 1, 'x')),
            std::string(most - 3, 'x') + "...");
  // Three bytes each, beginning at each offset.
  std::string euros;
  for (size_t i = 0; i < most; ++i)
    euros += "\u20ac";
  for (auto before : {"", "x", "xx"}) {
    auto text = kept(before + euros);
    EXPECT_LE(text.size(), most);
    EXPECT_GT(text.size(), most - 3);
    auto characters = text.size() - std::string_view{before}.size() - 3;
    EXPECT_EQ(characters % 3, 0u) << text;
    EXPECT_EQ(text, before + euros.substr(0, characters) + "...");
  }
  // No UTF-8 at all.
  EXPECT_EQ(kept(std::string(5 * most, '\x80')).size(), most - 3);
}

TEST(expected, holds_a_value_or_an_error) {
  expected<int> good{3};
  expected<int> bad{error{errc::not_found, "nobody"}};
  EXPECT_TRUE(good);
  EXPECT_EQ(good, 3);
  EXPECT_EQ(*good, 3);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error(), errc::not_found);
  EXPECT_EQ(bad.value_or(4), 4);
  EXPECT_THROW((void)bad.value(), error_exception);
  EXPECT_NO_THROW(expected<void>{}.value());
  EXPECT_THROW(expected<void>(error(errc::not_found, "")).value(),
               error_exception);
}

} // namespace
} // namespace troupe
