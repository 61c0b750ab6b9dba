// Nodes that want one subscription, in virtual time.

#include "actors/messages/subscription_lease.hpp"

#include <gtest/gtest.h>
#include <map>
#include <vector>

#include "actors/model/lock_record.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// One lock on a clock of the test's, which may be away.
class one_lock final : public lock_table {
public:
  explicit one_lock(const time_point& now) : now_(now) {}

  void acquire(lock_request request, callback<lock_answer> done) override {
    if (is_away)
      return done(error{errc::store_unavailable, "away"});
    EXPECT_EQ(request.name, "subscription m");
    auto is_free = now_ >= until || holder == request.holder;
    if (is_free) {
      token += holder != request.holder;
      holder = request.holder;
      until = now_ + request.ttl;
    }
    done(lock_answer{is_free, {token, left()}});
  }

  void renew(lock_proof held, std::optional<milliseconds> ttl,
             callback<lock_answer> done) override {
    if (is_away)
      return done(error{errc::store_unavailable, "away"});
    auto is_held = held.token == token && now_ < until;
    if (is_held)
      until = now_ + *ttl;
    done(lock_answer{is_held, {token, left()}});
  }

  void release(lock_proof held, callback<lock_answer> done) override {
    if (held.token == token)
      until = now_;
    done(lock_answer{held.token == token, {token, left()}});
  }

  void find(std::string, callback<lock_row> done) override {
    done(lock_row{token, left()});
  }

  bool is_away = false;
  std::string holder;
  uint64_t token = 0;
  time_point until{};

private:
  milliseconds left() const {
    return std::max(0ms,
                    std::chrono::duration_cast<milliseconds>(until - now_));
  }

  const time_point& now_;
};

class subscription_lease_test : public ::testing::Test {
public:
  struct node {
    std::shared_ptr<subscription_lease> lease;
    bool has_it = false;
    bool is_dead = false;
    int gained = 0;
    int lost = 0;
  };

  subscription_lease_test() : nodes(3) {
    for (auto& x : nodes) {
      lease_options options;
      options.after = [this, &x](auto time, auto what) {
        timers.emplace(now + time, [&x, what] {
          if (!x.is_dead)
            what();
        });
      };
      options.now = [this] { return now; };
      options.on_gained = [&x] {
        EXPECT_FALSE(x.has_it);
        x.has_it = true;
        ++x.gained;
      };
      options.on_lost = [&x] {
        EXPECT_TRUE(x.has_it);
        x.has_it = false;
        ++x.lost;
      };
      x.lease =
        std::make_shared<subscription_lease>(lock, "m", std::move(options));
      x.lease->start();
    }
  }

  void advance(milliseconds time) {
    auto until = now + time;
    while (!timers.empty() && timers.begin()->first <= until) {
      now = timers.begin()->first;
      auto what = std::move(timers.begin()->second);
      timers.erase(timers.begin());
      what();
      EXPECT_LE(owners(), 1);
    }
    now = until;
  }

  int owners() const {
    int result = 0;
    for (auto& x : nodes)
      result += x.has_it && !x.is_dead;
    return result;
  }

  node& owner() {
    for (auto& x : nodes)
      if (x.has_it && !x.is_dead)
        return x;
    ADD_FAILURE() << "nobody has it";
    return nodes[0];
  }

  time_point now{1h};
  one_lock lock{now};
  std::multimap<time_point, std::function<void()>> timers;
  std::vector<node> nodes;
};

} // namespace

TEST_F(subscription_lease_test, one_node_has_it_and_keeps_it) {
  advance(1s);
  auto& first = owner();
  advance(1h);
  EXPECT_EQ(&owner(), &first);
  EXPECT_EQ(first.gained, 1);
  EXPECT_EQ(first.lost, 0);
}

TEST_F(subscription_lease_test, it_moves_within_5_s_when_its_node_dies) {
  advance(10s);
  auto& first = owner();
  first.is_dead = true;
  advance(5s);
  EXPECT_EQ(owners(), 1);
  EXPECT_NE(&owner(), &first);
}

TEST_F(subscription_lease_test, a_node_that_stops_leaves_it_at_once) {
  advance(10s);
  auto& first = owner();
  first.has_it = false; // it has stopped its source before
  first.lease->stop();
  advance(1s);
  EXPECT_EQ(owners(), 1);
  EXPECT_NE(&owner(), &first);
}

TEST_F(subscription_lease_test, who_cannot_renew_it_gives_it_up_in_time) {
  advance(10s);
  auto& first = owner();
  lock.is_away = true;
  advance(5s);
  EXPECT_EQ(first.lost, 1);
  EXPECT_EQ(owners(), 0);
  lock.is_away = false;
  advance(1s);
  EXPECT_EQ(owners(), 1);
}

} // namespace troupe
