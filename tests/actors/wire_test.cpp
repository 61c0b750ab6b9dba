// What goes over a link: nothing is lost on the way, what is unknown is skipped,
// and what no node sends is refused.

#include "actors/cluster/wire.hpp"

#include <random>

#include <gtest/gtest.h>

namespace troupe::wire {
namespace {

using namespace std::chrono_literals;

const auto here = time_point{1000s};
const auto there = time_point{77s};

std::string_view all(const buffer& x) {
  return {x.data(), x.size()};
}

/// The only frame of `x`.
frame only(const buffer& x) {
  auto rest = all(x);
  auto result = next_frame(rest);
  EXPECT_TRUE(result);
  EXPECT_TRUE(rest.empty());
  return *result;
}

forwarded_call entity_example() {
  forwarded_call x;
  x.id = {0x0123456789abcdef, 0xfedcba9876543210};
  x.entity = entity_call{"counter",   "visits\n\"ä\"",
                         "increment", "\"3\", *",
                         "once",      entity_operation::replace,
                         7,           {{"door", 1}, {"gate_2", INT64_MAX}}};
  x.shard = shard_claim{0, 0}; // the lowest there are
  x.routing_key = std::string{"\0key", 4};
  x.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  x.deadline = here + 1500ms;
  x.root = {here - 3s, {5, 6}};
  x.path = {{"inner", "a"}, {"outer", std::string(512, 'k')}};
  x.arguments = {std::string("\xff\0{\"", 4), "application/octet-stream"};
  return x;
}

forwarded_call function_example() {
  forwarded_call x;
  x.id = {1, 2};
  x.function = "add";
  x.qualifier = "live";
  x.deadline = here + 10s;
  return x;
}

/// What a node whose clock says `there` reads of a call that was written at
/// `here`; for both it is the same time of the cluster.
forwarded_call over(const forwarded_call& x) {
  buffer bytes;
  append_call(bytes, 42, x, here, {100s});
  auto f = only(bytes);
  EXPECT_EQ(f.kind, frame_kind::call);
  auto result = read_call(f.body, there, {100s + (here - there)});
  EXPECT_EQ(result.number, 42u);
  return std::move(result.content);
}

forwarded_answer over(const forwarded_answer& x) {
  buffer bytes;
  append_answer(bytes, 7, x);
  auto result = read_answer(only(bytes).body);
  EXPECT_EQ(result.number, 7u);
  return std::move(result.content);
}

TEST(wire, brings_a_call_of_an_entity_as_it_was) {
  auto x = entity_example();
  auto y = over(x);
  EXPECT_EQ(y.id, x.id);
  ASSERT_TRUE(y.entity);
  EXPECT_EQ(y.entity->service, x.entity->service);
  EXPECT_EQ(y.entity->key, x.entity->key);
  EXPECT_EQ(y.entity->method, x.entity->method);
  EXPECT_EQ(y.entity->if_match, x.entity->if_match);
  EXPECT_EQ(y.entity->idempotency_key, x.entity->idempotency_key);
  EXPECT_EQ(y.entity->operation, x.entity->operation);
  EXPECT_EQ(y.entity->schema, x.entity->schema);
  EXPECT_EQ(y.entity->locks, x.entity->locks);
  EXPECT_EQ(y.shard, x.shard);
  EXPECT_EQ(y.routing_key, x.routing_key);
  EXPECT_EQ(y.trace, x.trace);
  EXPECT_EQ(y.path, x.path);
  EXPECT_EQ(y.arguments.bytes, x.arguments.bytes);
  EXPECT_EQ(y.arguments.content_type, x.arguments.content_type);
}

TEST(wire, brings_a_call_of_a_function_as_it_was) {
  auto y = over(function_example());
  EXPECT_EQ(y.function, "add");
  EXPECT_EQ(y.qualifier, "live");
  EXPECT_FALSE(y.entity);
  EXPECT_FALSE(y.shard);
  EXPECT_TRUE(y.path.empty());
  EXPECT_TRUE(y.arguments.bytes.empty());
}

TEST(wire, brings_a_deadline_as_the_time_that_is_left) {
  EXPECT_EQ(over(entity_example()).deadline, there + 1500ms);
  auto late = function_example();
  late.deadline = here - 5s;
  EXPECT_EQ(over(late).deadline, there);
}

TEST(wire, brings_the_root_as_the_same_time_on_every_node) {
  auto y = over(entity_example());
  EXPECT_EQ(y.root.began, there - 3s);
  EXPECT_EQ(y.root.id, (invocation_id{5, 6}));
}

TEST(wire, brings_results) {
  forwarded_answer x;
  x.result = {std::string(100'000, '\0'), "text/plain"};
  x.revision = 0;
  auto y = over(x);
  EXPECT_EQ(y.what, forwarded_answer::outcome::done);
  EXPECT_EQ(y.result.bytes, x.result.bytes);
  EXPECT_EQ(y.result.content_type, "text/plain");
  EXPECT_EQ(y.revision, 0u);
  EXPECT_FALSE(y.failure);
  EXPECT_FALSE(over(forwarded_answer{}).revision);
}

TEST(wire, brings_errors_with_all_that_they_say) {
  for (auto code = 1; code <= static_cast<int>(errc::internal_error); ++code)
    for (auto what : {effect::none, effect::ran, effect::unknown}) {
      forwarded_answer x;
      x.what = forwarded_answer::outcome::failed;
      x.failure =
        error{static_cast<errc>(code), what, "a message"}.retry_after(3);
      auto y = over(x);
      ASSERT_TRUE(y.failure);
      EXPECT_EQ(y.failure->code(), x.failure->code());
      EXPECT_EQ(y.failure->what_happened(), what);
      EXPECT_EQ(y.failure->message(), "a message");
      EXPECT_EQ(y.failure->retry_after_s(), 3u);
    }
}

TEST(wire, brings_an_exception_under_its_own_name) {
  forwarded_answer x;
  x.what = forwarded_answer::outcome::failed;
  x.failure = error::from_handler("shop::out_of_stock", "none left");
  auto y = over(x);
  EXPECT_EQ(y.failure->code(), errc::handler_failed);
  EXPECT_EQ(y.failure->type(), "shop::out_of_stock");
  EXPECT_EQ(y.failure->what_happened(), effect::ran);
}

TEST(wire, brings_who_the_owner_is) {
  forwarded_answer x;
  x.what = forwarded_answer::outcome::wrong_owner;
  x.owner = {"node-7", 12};
  EXPECT_EQ(over(x).owner, x.owner);
  x.owner = {};
  EXPECT_EQ(over(x).owner, x.owner);
}

TEST(wire, brings_notices) {
  buffer bytes;
  append_notice(bytes, {"registry", "changed"});
  auto x = read_notice(only(bytes).body);
  EXPECT_EQ(x.topic, "registry");
  EXPECT_EQ(x.body, "changed");
}

// -- large payloads ------------------------------------------------------------

TEST(wire, leaves_a_large_payload_to_chunks) {
  auto call = entity_example();
  call.arguments.bytes = std::string(500'000, 'x');
  buffer bytes;
  append_bulk_call(bytes, 3, 42, call, here, {});
  EXPECT_LT(bytes.size(), 2'000u);
  auto f = only(bytes);
  EXPECT_EQ(f.kind, frame_kind::bulk);
  auto head = read_bulk(f.body);
  EXPECT_EQ(head.stream, 3u);
  EXPECT_EQ(head.payload_length, 500'000u);
  EXPECT_EQ(head.kind, frame_kind::call);
  auto y = read_call(head.body, here, {});
  EXPECT_EQ(y.number, 42u);
  EXPECT_EQ(y.content.entity->key, call.entity->key);
  EXPECT_TRUE(y.content.arguments.bytes.empty());
  buffer piece;
  append_chunk(piece, 300, "some bytes");
  auto x = read_chunk(only(piece).body);
  EXPECT_EQ(x.stream, 300u);
  EXPECT_EQ(x.bytes, "some bytes");
}

// -- other versions ------------------------------------------------------------

TEST(wire, skips_fields_and_frames_that_it_does_not_know) {
  buffer bytes;
  append_call(bytes, 42, entity_example(), here, {});
  std::string body{only(bytes).body};
  body += std::string{'\xf0', 3} + "new"; // field 240
  body.insert(0, std::string{'\xf1', 1} + "x");
  auto x = read_call(body, here, {});
  EXPECT_EQ(x.number, 42u);
  EXPECT_EQ(x.content.entity->method, "increment");
  EXPECT_EQ(x.content.arguments.bytes, entity_example().arguments.bytes);

  buffer frames;
  append_empty(frames, static_cast<frame_kind>(200));
  append_empty(frames, frame_kind::heartbeat);
  auto rest = all(frames);
  EXPECT_EQ(next_frame(rest)->kind, static_cast<frame_kind>(200));
  EXPECT_EQ(next_frame(rest)->kind, frame_kind::heartbeat);
  EXPECT_FALSE(next_frame(rest));
}

TEST(wire, keeps_errors_of_newer_nodes_under_their_name) {
  // An error type that this build does not know.
  forwarded_answer x;
  x.what = forwarded_answer::outcome::failed;
  x.failure =
    error::from_handler("lease_expired", "").with_effect(effect::none);
  auto y = over(x);
  EXPECT_EQ(y.failure->type(), "lease_expired");
  EXPECT_EQ(y.failure->what_happened(), effect::none);
}

greeting example_greeting() {
  greeting x;
  x.version_min = 2;
  x.version_max = 3;
  x.cluster = "shop";
  x.from = {"a", "1"};
  x.to = {"b", "9"};
  x.lane = lane::bulk;
  x.session = UINT64_MAX;
  x.heartbeat_interval_ms = 500;
  x.heartbeat_timeout_ms = 2000;
  return x;
}

TEST(wire, brings_greetings) {
  auto x = example_greeting();
  buffer bytes;
  append_greeting(bytes, frame_kind::hello, x);
  auto f = only(bytes);
  EXPECT_EQ(f.kind, frame_kind::hello);
  EXPECT_EQ(read_greeting(f.body), x);
  buffer refused;
  append_refusal(refused, "because");
  EXPECT_EQ(read_refusal(only(refused).body), "because");
}

TEST(wire, agrees_on_the_newest_version_that_both_speak) {
  auto ours = example_greeting();
  auto theirs = ours;
  theirs.version_min = 3;
  theirs.version_max = 4;
  EXPECT_FALSE(mismatch(ours, theirs));
  EXPECT_EQ(agree(ours, theirs), 3u);
  EXPECT_EQ(agree(theirs, ours), 3u);
  theirs.version_min = 4;
  EXPECT_EQ(mismatch(ours, theirs),
            "no common wire version: 2 to 3 and 4 to 4");
  EXPECT_TRUE(mismatch(theirs, ours));
}

TEST(wire, knows_the_version_that_a_call_takes) {
  auto x = entity_example();
  EXPECT_EQ(version_for(x), version_with_locks);
  x.entity->locks.clear();
  EXPECT_EQ(version_for(x), 1u);
  EXPECT_EQ(version_for(function_example()), 1u);
}

TEST(wire, is_spoken_in_its_own_version_and_the_one_before) {
  EXPECT_EQ(oldest_beside(1), 1u);
  EXPECT_EQ(oldest_beside(2), 1u);
  EXPECT_EQ(oldest_beside(7), 6u);
  EXPECT_EQ(greeting{}.version_max, version);
  EXPECT_EQ(greeting{}.version_min, oldest_beside(version));
}

TEST(wire, says_what_keeps_two_nodes_apart) {
  auto ours = example_greeting();
  auto theirs = ours;
  theirs.cluster = "other";
  EXPECT_EQ(mismatch(ours, theirs), "another cluster: 'shop' and 'other'");
  theirs = ours;
  theirs.heartbeat_timeout_ms = 3000;
  EXPECT_EQ(mismatch(ours, theirs),
            "other heartbeats: 500/2000 ms and 500/3000 ms");
  theirs = ours;
  theirs.heartbeat_interval_ms = 0;
  EXPECT_TRUE(mismatch(ours, theirs));
}

// -- bytes of nobody -----------------------------------------------------------

TEST(wire, waits_for_the_rest_of_a_frame) {
  buffer bytes;
  append_call(bytes, 42, entity_example(), here, {});
  for (size_t n = 0; n < bytes.size(); ++n) {
    auto part = all(bytes).substr(0, n);
    EXPECT_FALSE(next_frame(part)) << n;
    EXPECT_EQ(part.size(), n);
  }
}

TEST(wire, refuses_frames_of_an_impossible_length) {
  for (auto text : {std::string_view{"GET / HTTP/1.1\r\n"},
                    std::string_view{"\0\0\0\0\0", 5},
                    std::string_view{"\xff\xff\xff\xff\x05", 5}})
    EXPECT_THROW(next_frame(text), wire_error);
}

TEST(wire, refuses_bodies_that_end_too_early) {
  buffer bytes;
  append_call(bytes, 42, entity_example(), here, {});
  auto body = only(bytes).body;
  // The last field is the payload: without its end it is no call.
  EXPECT_THROW(read_call(body.substr(0, body.size() - 1), here, {}),
               wire_error);
  EXPECT_THROW(read_chunk(""), wire_error);
  EXPECT_THROW(read_answer("\x01\x01"), wire_error);
  EXPECT_THROW(read_answer(""), wire_error); // without an outcome
}

TEST(wire, survives_whatever_comes) {
  buffer good;
  append_call(good, 42, entity_example(), here, {});
  append_greeting(good, frame_kind::hello, example_greeting());
  forwarded_answer failure;
  failure.what = forwarded_answer::outcome::failed;
  failure.failure = error{errc::bad_request, "no"};
  append_answer(good, 1, failure);
  append_bulk_call(good, 1, 2, entity_example(), here, {});
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  size_t understood = 0;
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes{all(good)};
    for (auto n = 1 + random() % 4; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    std::string_view rest{bytes};
    try {
      while (auto f = next_frame(rest)) {
        switch (f->kind) {
        case frame_kind::call:
          read_call(f->body, here, {});
          break;
        case frame_kind::hello:
          read_greeting(f->body);
          break;
        case frame_kind::answer:
          read_answer(f->body);
          break;
        case frame_kind::bulk:
          read_call(read_bulk(f->body).body, here, {});
          break;
        case frame_kind::notice:
          read_notice(f->body);
          break;
        default:
          break;
        }
        ++understood;
      }
    } catch (const wire_error&) {
      ++refused;
    }
  }
  EXPECT_GT(understood, 0u);
  EXPECT_GT(refused, 0u);
}

} // namespace
} // namespace troupe::wire
