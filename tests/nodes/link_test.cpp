// Links between nodes on real sockets: what arrives, what is refused, and what
// happens to calls when a peer goes or hangs.

#include <random>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "actors/core/lender.hpp"
#include "tests/support/link_node.hpp"

namespace troupe::link {
namespace {

using testing::link_node;
using testing::link_process;
using testing::sent_call_ptr;
using namespace std::chrono_literals;
using outcome = forwarded_answer::outcome;

std::string random_bytes(size_t n) {
  std::mt19937_64 random{n};
  std::string result(n, '\0');
  for (auto& c : result)
    c = static_cast<char>(random());
  return result;
}

class link_test : public ::testing::Test {
protected:
  void connect() { to_b = a.connect(b.endpoint()); }

  link_node a{link_node::options("a")};
  link_node b{link_node::options("b")};
  peer_link_ptr to_b;
};

// -- calls ---------------------------------------------------------------------

TEST_F(link_test, brings_a_call_and_its_answer) {
  connect();
  auto x = link_node::send(to_b, "hello");
  EXPECT_EQ(x->wait().what, outcome::done);
  EXPECT_EQ(x->wait().result.bytes, "hello");
  EXPECT_EQ(x->wait().result.content_type, "text/plain");
  EXPECT_TRUE(x->left());
}

TEST_F(link_test, says_who_calls) {
  connect();
  b.keep();
  auto x = link_node::send(to_b);
  b.wait_until_received(1);
  EXPECT_EQ(b.kept().at(0)->from, a.self);
  EXPECT_EQ(b.kept().at(0)->content.function, "echo");
  b.release();
  x->wait();
}

TEST_F(link_test, brings_many_calls_of_many_threads) {
  connect();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<testing::sent_call_ptr> calls;
      for (int i = 0; i < 500; ++i)
        calls.push_back(link_node::send(to_b, std::to_string(t * 1'000 + i)));
      for (int i = 0; i < 500; ++i)
        right += calls[i]->wait().result.bytes == std::to_string(t * 1'000 + i);
    });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(right, 2'000);
  EXPECT_EQ(to_b->stats().calls, 2'000u);
  EXPECT_EQ(to_b->stats().in_flight, 0u);
  EXPECT_EQ(to_b->stats().bytes_in_flight, 0u);
}

TEST_F(link_test, sends_what_came_together_at_the_end_of_a_turn) {
  connect();
  turn together;
  auto x = caf::make_counted<testing::sent_call>();
  x->content.function = "echo";
  x->content.arguments.bytes = "later";
  to_b->send(x, &together);
  EXPECT_EQ(x->answers(), 0);
  together.end(a.system);
  EXPECT_EQ(x->wait().result.bytes, "later");
}

TEST_F(link_test, brings_large_payloads_beside_small_ones) {
  connect();
  auto large = random_bytes(6'000'000);
  auto other = random_bytes(1'000'003);
  auto x = link_node::send(to_b, large);
  auto y = link_node::send(to_b, other);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(link_node::send(to_b, "small")->wait().result.bytes, "small");
  EXPECT_EQ(x->wait().result.bytes, large);
  EXPECT_EQ(y->wait().result.bytes, other);
  EXPECT_EQ(x->wait().result.content_type, "text/plain");
}

TEST_F(link_test, brings_payloads_of_every_size_around_the_limits) {
  connect();
  for (auto n : {0u, 1u, 16'000u, 16'384u, 65'535u, 65'536u, 262'143u, 262'144u,
                 262'145u, 327'680u, 327'681u}) {
    auto bytes = random_bytes(n);
    EXPECT_EQ(link_node::send(to_b, bytes)->wait().result.bytes, bytes) << n;
  }
}

TEST_F(link_test, brings_errors_and_owners) {
  connect();
  b.keep();
  auto x = link_node::send(to_b);
  auto y = link_node::send(to_b);
  b.wait_until_received(2);
  forwarded_answer failed;
  failed.what = outcome::failed;
  failed.failure = error{errc::busy_retry, "not now"}.retry_after(2);
  b.kept()[0]->answer(failed);
  forwarded_answer wrong;
  wrong.what = outcome::wrong_owner;
  wrong.owner = {"c", 4};
  b.kept()[1]->answer(wrong);
  EXPECT_EQ(x->wait().failure->code(), errc::busy_retry);
  EXPECT_EQ(x->wait().failure->retry_after_s(), 2u);
  EXPECT_EQ(y->wait().owner, (owner_hint{"c", 4}));
}

TEST_F(link_test, answers_calls_that_got_lost_at_the_other_side) {
  connect();
  b.keep();
  auto x = link_node::send(to_b);
  b.wait_until_received(1);
  b.forget();
  ASSERT_EQ(x->wait().what, outcome::failed);
  EXPECT_EQ(x->wait().failure->code(), errc::shutting_down);
  EXPECT_EQ(x->wait().failure->what_happened(), effect::none);
}

TEST_F(link_test, sends_no_call_that_was_given_up) {
  connect();
  auto x = caf::make_counted<testing::sent_call>();
  x->give_up();
  to_b->send(x, nullptr);
  auto large = caf::make_counted<testing::sent_call>();
  large->content.arguments.bytes = std::string(1'000'000, 'x');
  large->give_up();
  to_b->send(large, nullptr);
  link_node::send(to_b, std::string(1'000'000, 'y'))->wait();
  EXPECT_EQ(link_node::send(to_b, "next")->wait().result.bytes, "next");
  b.wait_until_received(2);
  EXPECT_EQ(x->answers(), 0);
  EXPECT_EQ(large->answers(), 0);
  EXPECT_EQ(to_b->stats().in_flight, 0u);
}

TEST_F(link_test, brings_notices) {
  connect();
  to_b->notify({"registry", "changed"});
  b.wait_for("notice a registry changed");
}

// -- bounds --------------------------------------------------------------------

TEST(link_bounds, holds_so_many_calls_under_way_and_no_more) {
  auto options = link_node::options("a");
  options.in_flight_max = 2;
  link_node a{options};
  link_node b{link_node::options("b")};
  b.keep();
  auto to_b = a.connect(b.endpoint());
  auto x = link_node::send(to_b);
  auto y = link_node::send(to_b);
  auto z = link_node::send(to_b);
  auto& refused = z->wait();
  ASSERT_EQ(refused.what, outcome::failed);
  EXPECT_EQ(refused.failure->code(), errc::too_many_requests);
  EXPECT_EQ(refused.failure->what_happened(), effect::none);
  EXPECT_EQ(to_b->stats().refused, 1u);
  b.wait_until_received(2);
  b.release();
  x->wait();
  y->wait();
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
}

TEST(link_bounds, holds_so_many_bytes_under_way_and_no_more) {
  auto options = link_node::options("a");
  options.bytes_in_flight_max = 1'000'000;
  link_node a{options};
  link_node b{link_node::options("b")};
  b.keep();
  auto to_b = a.connect(b.endpoint());
  auto x = link_node::send(to_b, std::string(900'000, 'x'));
  auto y = link_node::send(to_b, std::string(200'000, 'y'));
  EXPECT_EQ(y->wait().failure->code(), errc::too_many_requests);
  b.wait_until_received(1);
  b.release();
  x->wait();
  // Larger than all that is allowed: alone it may go.
  EXPECT_EQ(link_node::send(to_b, std::string(2'000'000, 'z'))->wait().what,
            outcome::done);
}

// -- who is who ----------------------------------------------------------------

TEST(link_bounds, sends_large_answers_after_each_other_once_there_are_many) {
  auto options = link_node::options("a");
  options.bytes_in_flight_max = 1'000'000;
  link_node a{options};
  options.self.node = "b";
  link_node b{options};
  auto to_b = a.connect(b.endpoint());
  b.keep();
  std::vector<sent_call_ptr> calls;
  for (int i = 0; i < 16; ++i)
    calls.push_back(link_node::send(to_b));
  b.wait_until_received(calls.size());
  auto large = random_bytes(3'000'000);
  for (auto& x : b.kept()) {
    forwarded_answer answer;
    answer.result = {large, "text/plain"};
    x->answer(std::move(answer));
  }
  for (auto& x : calls) {
    EXPECT_EQ(x->wait().what, outcome::done);
    EXPECT_TRUE(x->wait().result.bytes == large);
  }
}

TEST_F(link_test, refuses_another_run_of_the_node) {
  peer_endpoint other{{"b", "2"}, b.link->address()};
  a.link->connect(other);
  EXPECT_EQ(a.wait_for("down b/2"),
            "down b/2: it refuses: this is b/1, not b/2");
  // Who is right gets a link all the same.
  connect();
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
}

TEST_F(link_test, replaces_the_link_to_an_older_run) {
  connect();
  b.keep();
  auto x = link_node::send(to_b);
  b.wait_until_received(1);
  auto next = link_node::options("b");
  next.self.incarnation = "2";
  link_node newer{next};
  auto to_newer = a.connect(newer.endpoint());
  EXPECT_EQ(x->wait().what, outcome::lost);
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
  EXPECT_EQ(link_node::send(to_newer)->wait().what, outcome::done);
  EXPECT_EQ(a.link->links().size(), 1u);
}

TEST_F(link_test, ends_links_in_both_directions_when_a_run_is_declared_dead) {
  connect();
  auto to_a = b.connect(a.endpoint());
  a.keep();
  b.keep();
  auto x = link_node::send(to_b);
  b.wait_until_received(1);
  auto y = link_node::send(to_a);
  a.wait_until_received(1);
  a.link->disconnect(b.self);
  EXPECT_EQ(x->wait().what, outcome::lost);
  EXPECT_EQ(y->wait().what, outcome::lost);
  b.wait_for("down a/1");
  // What b tries again is refused.
  EXPECT_EQ(link_node::send(to_a)->wait().what, outcome::unsent);
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
}

void expect_refusal(const link_options& ours, const link_options& theirs,
                    const std::string& why) {
  link_node a{ours};
  link_node b{theirs};
  a.link->connect(b.endpoint());
  b.link->connect(a.endpoint());
  EXPECT_NE(a.wait_for("down b/1").find(why), std::string::npos);
  EXPECT_NE(b.wait_for("down a/1").find("refuses"), std::string::npos);
}

TEST(link_greeting, refuses_other_heartbeats) {
  auto theirs = link_node::options("b");
  theirs.heartbeat_timeout = 31s;
  expect_refusal(link_node::options("a"), theirs,
                 "other heartbeats: 500/31000 ms and 500/30000 ms");
}

TEST(link_greeting, refuses_another_cluster) {
  auto theirs = link_node::options("b");
  theirs.cluster = "other";
  expect_refusal(link_node::options("a"), theirs,
                 "another cluster: 'other' and 'troupe'");
}

TEST(link_greeting, refuses_a_version_that_is_too_far_away) {
  auto theirs = link_node::options("b");
  theirs.version_min = wire::version + 1;
  theirs.version_max = wire::version + 2;
  expect_refusal(link_node::options("a"), theirs, "no common wire version");
}

TEST(link_greeting, links_nodes_of_neighbouring_versions) {
  auto newer = link_node::options("b");
  newer.version_min = wire::version;
  newer.version_max = wire::version + 1;
  link_node a{link_node::options("a")};
  link_node b{newer};
  auto to_b = a.connect(b.endpoint());
  auto to_a = b.connect(a.endpoint());
  EXPECT_EQ(link_node::send(to_b, "old")->wait().result.bytes, "old");
  EXPECT_EQ(link_node::send(to_a, "new")->wait().result.bytes, "new");
  EXPECT_EQ(to_b->stats().wire_version, wire::version);
  EXPECT_EQ(to_a->stats().wire_version, wire::version);
}

testing::sent_call_ptr send_with_lock(const peer_link_ptr& to,
                                      std::string body = {}) {
  auto x = caf::make_counted<testing::sent_call>();
  x->content.entity.emplace().locks = {{"door", 1}};
  x->content.arguments.bytes = std::move(body);
  to->send(x, nullptr);
  return x;
}

TEST(link_greeting, keeps_locks_from_a_node_that_would_skip_them) {
  auto older = link_node::options("b");
  older.version_min = older.version_max = wire::version_with_locks - 1;
  link_node a{link_node::options("a")};
  link_node b{older};
  auto to_b = a.connect(b.endpoint());
  for (auto size : {size_t{1}, older.bulk_threshold + 1}) {
    auto x = send_with_lock(to_b, std::string(size, 'x'));
    ASSERT_TRUE(x->wait().failure);
    EXPECT_EQ(*x->wait().failure, errc::not_implemented);
    EXPECT_EQ(x->wait().failure->what_happened(), effect::none);
    EXPECT_FALSE(x->left());
  }
  EXPECT_EQ(to_b->stats().wire_version, wire::version_with_locks - 1);
  EXPECT_EQ(link_node::send(to_b, "no lock")->wait().result.bytes, "no lock");
  EXPECT_EQ(to_b->stats().connects, 1u);
}

TEST_F(link_test, brings_locks_to_a_node_of_this_version) {
  connect();
  EXPECT_EQ(send_with_lock(to_b, "hello")->wait().result.bytes, "hello");
}

TEST(link_greeting, checks_its_options) {
  auto wrong = [](auto change) {
    auto options = link_node::options("a");
    change(options);
    return options.validate().has_value();
  };
  EXPECT_FALSE(wrong([](auto&) {}));
  EXPECT_TRUE(wrong([](auto& x) { x.self.node.clear(); }));
  EXPECT_TRUE(wrong([](auto& x) { x.self.incarnation.clear(); }));
  EXPECT_TRUE(wrong([](auto& x) { x.heartbeat_interval = 1ms; }));
  EXPECT_TRUE(wrong([](auto& x) { x.heartbeat_timeout = 600ms; }));
  EXPECT_TRUE(wrong([](auto& x) { x.connect_timeout = 0ms; }));
  EXPECT_TRUE(wrong([](auto& x) { x.in_flight_max = 0; }));
  EXPECT_TRUE(wrong([](auto& x) { x.bulk_threshold = 10'000'000; }));
  EXPECT_TRUE(wrong([](auto& x) { x.chunk_size = 0; }));
  EXPECT_TRUE(wrong([](auto& x) { x.version_min = x.version_max + 1; }));
}

TEST(link_greeting, says_where_it_cannot_listen) {
  link_node a{link_node::options("a")};
  auto options = link_node::options("b");
  options.listen = a.link->address();
  try {
    link_node b{options};
    FAIL() << "two listen on one port";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string{e.what()}.find(options.listen), std::string::npos);
  }
}

// -- peers that go and come ----------------------------------------------------

TEST_F(link_test, ends_in_order_and_brings_what_was_answered) {
  connect();
  b.keep();
  std::vector<testing::sent_call_ptr> calls;
  for (int i = 0; i < 4; ++i)
    calls.push_back(link_node::send(to_b, std::string(2'000'000, 'x')));
  b.wait_until_received(4);
  b.release();
  b.link->stop(30s);
  for (auto& x : calls)
    EXPECT_EQ(x->wait().result.bytes.size(), 2'000'000u);
  a.wait_for("down b/1");
}

TEST_F(link_test, connects_again_by_itself) {
  connect();
  auto options = link_node::options("b");
  options.listen = b.link->address();
  b.link->stop(0s);
  a.wait_for("down b/1");
  EXPECT_FALSE(to_b->up());
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
  link_node again{options};
  a.wait_for("up b/1");
  EXPECT_TRUE(to_b->up());
  EXPECT_EQ(link_node::send(to_b, "again")->wait().result.bytes, "again");
  EXPECT_EQ(to_b->stats().connects, 2u);
}

/// Where nobody listens, and a node may.
std::string free_address() {
  return link_node{link_node::options("early")}.link->address();
}

TEST(link_peers, finds_a_peer_that_comes_later) {
  link_node a{link_node::options("a")};
  auto address = free_address();
  auto to_b = a.link->connect({{"b", "1"}, address});
  a.wait_for("down b/1");
  auto options = link_node::options("b");
  options.listen = address;
  link_node b{options};
  a.wait_for("up b/1");
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
}

TEST(link_peers, tries_again_at_once_to_reach_a_peer_that_comes_itself) {
  auto patient = link_node::options("a");
  patient.reconnect = {1h, 1h};
  link_node a{patient};
  auto address = free_address();
  auto to_b = a.link->connect({{"b", "1"}, address});
  a.wait_for("down b/1");
  auto options = link_node::options("b");
  options.listen = address;
  link_node b{options};
  b.connect(a.endpoint());
  a.wait_for("up b/1");
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
}

TEST(link_peers, tells_lost_calls_from_those_that_never_left) {
  link_process dying{link_node::options("b"), true};
  link_node a{link_node::options("a")};
  auto to_b = a.connect(dying.endpoint());
  auto lost = link_node::send(to_b);
  auto large = link_node::send(to_b, std::string(300'000, 'x'));
  dying.kill();
  EXPECT_EQ(lost->wait().what, outcome::lost);
  // Whichever: it may have been on its way.
  EXPECT_NE(large->wait().what, outcome::done);
  a.wait_for("down b/1");
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
  EXPECT_EQ(lost->answers(), 1);
}

TEST(link_peers, gives_up_a_peer_that_stands_still_and_holds_up_nobody) {
  auto with_short_heartbeats = [](const char* id) {
    auto options = link_node::options(id);
    options.heartbeat_interval = 100ms;
    options.heartbeat_timeout = 1500ms;
    options.connect_timeout = 500ms;
    return options;
  };
  link_process still{with_short_heartbeats("b")};
  link_process lively{with_short_heartbeats("c")};
  link_node a{with_short_heartbeats("a")};
  auto to_b = a.connect(still.endpoint());
  auto to_c = a.connect(lively.endpoint());
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
  still.stop();
  auto x = link_node::send(to_b);
  // More than the kernel takes: it must not keep anything from ending.
  auto large = link_node::send(to_b, std::string(30'000'000, 'x'));
  EXPECT_EQ(link_node::send(to_c, "quick")->wait().result.bytes, "quick");
  EXPECT_EQ(x->answers(), 0);
  EXPECT_EQ(a.wait_for("down b/1"), "down b/1: no sign of life");
  EXPECT_EQ(x->wait().what, outcome::lost);
  EXPECT_EQ(large->wait().what, outcome::unsent);
  EXPECT_EQ(link_node::send(to_c, "still")->wait().result.bytes, "still");
  still.go_on();
  a.wait_for("up b/1");
  EXPECT_EQ(link_node::send(to_b, "back")->wait().result.bytes, "back");
}

TEST(link_peers, stops_in_time_beside_a_peer_that_reads_nothing) {
  link_process still{link_node::options("b")};
  link_node a{link_node::options("a")};
  auto to_b = a.connect(still.endpoint());
  still.stop();
  auto x = link_node::send(to_b, std::string(30'000'000, 'x'));
  auto began = std::chrono::steady_clock::now();
  a.link->stop(100ms);
  // Far less than the heartbeats' time; nothing waits for the peer.
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_EQ(x->wait().what, outcome::unsent);
}

// -- strangers -----------------------------------------------------------------

/// Something that has a port and is no node.
class stranger {
public:
  explicit stranger(const std::string& address = {}) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address.empty()) {
      ::bind(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to));
      ::listen(fd_, 8);
      return;
    }
    auto port = std::stoi(address.substr(address.rfind(':') + 1));
    to.sin_port = htons(static_cast<uint16_t>(port));
    ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to));
  }

  ~stranger() { ::close(fd_); }

  std::string address() const {
    sockaddr_in at{};
    socklen_t length = sizeof(at);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length);
    return "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }

  void say(std::string_view text) const {
    ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }

  /// Waits until the other side has closed.
  bool is_closed() const {
    char bytes[256];
    ssize_t n;
    while ((n = ::recv(fd_, bytes, sizeof(bytes), 0)) > 0)
      ;
    return n == 0 || errno == ECONNRESET;
  }

private:
  int fd_;
};

TEST_F(link_test, sends_strangers_away) {
  connect();
  for (auto text : {std::string{"GET / HTTP/1.1\r\n\r\n"},
                    std::string(100'000, '\xff'), std::string{"\1\0\0\0\4", 5},
                    std::string{"\1\0\0\0\5", 5}, std::string(5, '\0')}) {
    stranger x{b.link->address()};
    x.say(text);
    EXPECT_TRUE(x.is_closed());
  }
  EXPECT_EQ(link_node::send(to_b, "as before")->wait().result.bytes,
            "as before");
}

/// The first piece of an answer of so many bytes.
std::string begun_answer(const std::string& length) {
  std::string body{"\1\1\1\3\1\6\4\6\1\1\1\2\1\1\2", 15};
  body += static_cast<char>(length.size());
  body += length;
  std::string result(4, '\0');
  result[0] = static_cast<char>(body.size() + 1);
  return result + '\x8' + body;
}

/// What comes of a peer whose newest version is `version`.
std::string hello_of_stranger(const peer_identity& to, uint64_t session,
                              uint32_t version = wire::version) {
  auto options = link_node::options("");
  wire::greeting hello;
  hello.version_max = version;
  hello.cluster = options.cluster;
  hello.from = {"stranger", "1"};
  hello.to = to;
  hello.session = session;
  hello.heartbeat_interval_ms =
    static_cast<uint32_t>(options.heartbeat_interval.count());
  hello.heartbeat_timeout_ms =
    static_cast<uint32_t>(options.heartbeat_timeout.count());
  wire::buffer frames;
  wire::append_greeting(frames, wire::frame_kind::hello, hello);
  return {frames.begin(), frames.end()};
}

TEST_F(link_test, sends_those_away_who_say_what_is_newer_than_was_agreed_on) {
  connect();
  b.keep();
  forwarded_call call;
  call.entity.emplace().locks = {{"door", 1}};
  wire::buffer frames;
  wire::append_call(frames, 1, call, {}, {});
  stranger x{b.link->address()};
  x.say(hello_of_stranger(b.self, 1, wire::version_with_locks - 1)
        + std::string{frames.begin(), frames.end()});
  EXPECT_TRUE(x.is_closed());
  EXPECT_TRUE(b.kept().empty());
}

TEST_F(link_test, sends_those_away_who_promise_impossible_payloads) {
  connect();
  std::string most(9, '\xff');
  for (auto& length : {most + '\x1',             // 2^64 - 1
                       most.substr(1) + '\x7f',  // 2^63 - 1
                       most.substr(3) + '\x7f'}) // 2^49 - 1
  {
    stranger x{b.link->address()};
    x.say(hello_of_stranger(b.self, length.size()) + begun_answer(length));
    EXPECT_TRUE(x.is_closed());
  }
  EXPECT_EQ(link_node::send(to_b, "as before")->wait().result.bytes,
            "as before");
}

TEST(link_strangers, drops_those_who_never_greet) {
  auto options = link_node::options("b");
  options.connect_timeout = 50ms;
  options.heartbeat_interval = 20ms;
  link_node b{options};
  stranger silent{b.link->address()};
  stranger slow{b.link->address()};
  slow.say(std::string_view{"\x40\0\0\0\1", 5});
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(slow.is_closed());
}

TEST(link_strangers, gives_up_a_port_that_never_answers) {
  auto options = link_node::options("a");
  options.connect_timeout = 50ms;
  options.heartbeat_interval = 20ms;
  link_node a{options};
  stranger mute;
  auto link = a.link->connect({{"b", "1"}, mute.address()});
  EXPECT_EQ(a.wait_for("down b/1"), "down b/1: it does not greet");
  EXPECT_EQ(link_node::send(link)->wait().what, outcome::unsent);
}

TEST(link_strangers, says_what_is_wrong_with_an_address) {
  link_node a{link_node::options("a")};
  a.link->connect({{"b", "1"}, "127.0.0.1"});
  EXPECT_EQ(a.wait_for("down b/1"),
            "down b/1: '127.0.0.1' is not of the form address:port");
  a.link->connect({{"c", "1"}, "127.0.0.1:1"});
  EXPECT_NE(a.wait_for("down c/1").find("refused"), std::string::npos);
}

} // namespace
} // namespace troupe::link
