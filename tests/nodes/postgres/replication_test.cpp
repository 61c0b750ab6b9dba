// A primary and a standby. Goal: with `replication = sync` no commit that was
// acknowledged is lost with the primary, the store goes on with the standby that
// took its place, says that it is on a new timeline, and never goes back.

#include <chrono>
#include <cstdio>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/settling_clients.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::change;
using testing::database_of;
using ::testing::HasSubstr;
using testing::postgres_instance;
using testing::postgres_stop;
using clock = std::chrono::steady_clock;

postgres_options sync_options() {
  auto result = testing::patient();
  result.replication = replication_mode::sync;
  result.lock_time = 1s;
  return result;
}

/// For tests of what hangs.
postgres_options impatient() {
  auto result = sync_options();
  result.statement_time = 3s;
  result.connect_time = 5s;
  return result;
}

/// Looks until `condition` holds.
template <class Condition>
bool eventually(Condition condition, std::chrono::seconds time = 90s) {
  auto end = clock::now() + time;
  while (!condition()) {
    if (clock::now() > end)
      return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// What a store says of timelines.
class timeline_log {
public:
  postgres_options watched(postgres_options options) {
    options.on_new_timeline = [this](const auto& was, const auto& is) {
      std::lock_guard guard{mutex_};
      changes_.emplace_back(was, is);
    };
    return options;
  }

  std::vector<std::pair<postgres_timeline, postgres_timeline>> changes() {
    std::lock_guard guard{mutex_};
    return changes_;
  }

private:
  std::mutex mutex_;
  std::vector<std::pair<postgres_timeline, postgres_timeline>> changes_;
};

std::string refusal(const std::string& url, postgres_options options) {
  try {
    postgres_store store{url, std::move(options)};
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason(), errc::store_unavailable);
    return e.reason().message();
  }
  return "it was opened";
}

/// "postgresql://u@h:1,h:2/d" of both servers' URLs.
std::string either(const std::string& one, const std::string& two) {
  auto host = two.substr(two.find('@') + 1);
  auto result = one;
  result.insert(result.rfind('/'), "," + host.substr(0, host.find('/')));
  return result;
}

/// With a standby that it waits for.
class postgres_pair {
public:
  postgres_pair() {
    primary.set("synchronous_standby_names", "second");
    EXPECT_TRUE(eventually([&] {
      return !primary
                .sql("SELECT FROM pg_stat_replication WHERE sync_state = "
                     "'sync'")
                .empty();
    }));
  }

  std::string new_database() {
    url = primary.new_database();
    return either(url, standby.url_of(url));
  }

  postgres_instance primary;
  postgres_instance standby{primary, "second"};

  /// Of the primary alone.
  std::string url;
};

/// For tests that leave it as it was.
postgres_pair& shared_pair() {
  static postgres_pair result;
  return result;
}

const entity_id cart{"cart", "ann"};

TEST(postgres_replication, sync_refuses_a_server_that_waits_for_no_standby) {
  auto& server = testing::shared_postgres();
  auto url = server.new_database();
  EXPECT_THAT(refusal(url, sync_options()),
              HasSubstr("synchronous_standby_names is empty"));
  auto in_database = "ALTER DATABASE " + database_of(url) + " SET ";
  for (auto mode : {"off", "local", "remote_write"}) {
    server.sql(in_database + "synchronous_commit = '" + mode + "'");
    auto options = sync_options();
    options.replication = replication_mode::single;
    postgres_store store{url, options};
    EXPECT_EQ(testing::put(store, cart, "1"), commit_outcome::done);
  }
}

TEST(postgres_replication, no_commit_is_lost_with_the_primary) {
  postgres_pair pair;
  auto url = pair.new_database();
  for (auto mode : {"off", "local", "remote_write"}) {
    pair.primary.sql("ALTER DATABASE " + database_of(url)
                     + " SET synchronous_commit = '" + mode + "'");
    EXPECT_THAT(refusal(url, sync_options()), HasSubstr(mode));
  }
  pair.primary.sql("ALTER DATABASE " + database_of(url)
                   + " RESET synchronous_commit");
  // Once the database that was just made is there too.
  EXPECT_TRUE(eventually([&] {
    return refusal(pair.standby.url_of(url), sync_options()).find("standby")
           != std::string::npos;
  }));

  timeline_log timelines;
  postgres_store store{url, timelines.watched(sync_options())};
  testing::settling_clients clients{store, 8};
  ASSERT_TRUE(clients.wait_for(300));
  pair.primary.stop(postgres_stop::killed);
  pair.standby.promote();
  // The one that is left has nobody to wait for.
  EXPECT_TRUE(eventually([&] {
    auto found = testing::load(store, cart);
    return !found
           && found.error().message().find("standby") != std::string::npos;
  }));
  EXPECT_EQ(timelines.changes().size(), 1u);
  auto before = clients.done.load();
  postgres_instance third{pair.standby, "third"};
  EXPECT_EQ(clients.done, before);
  pair.standby.set("synchronous_standby_names", "third");
  EXPECT_TRUE(clients.wait_for(300));
  clients.stop();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  std::printf("%s\n", clients.summary().c_str());
  auto changes = timelines.changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].first.system, changes[0].second.system);
  EXPECT_EQ(changes[0].first.number, 1u);
  EXPECT_EQ(changes[0].second.number, 2u);

  // The old primary comes back, and the new one goes.
  pair.primary.start();
  pair.standby.stop(postgres_stop::fast);
  std::string why;
  EXPECT_TRUE(eventually([&] {
    auto found = testing::load(store, cart);
    why = found ? "it was read" : found.error().message();
    return found || why.find("past") != std::string::npos;
  }));
  EXPECT_THAT(why, HasSubstr("old primary"));
}

TEST(postgres_replication, what_a_standby_does_not_confirm_is_unknown) {
  auto& pair = shared_pair();
  auto url = pair.new_database();
  { // under way at leisure
    postgres_store store{url, sync_options()};
    ASSERT_EQ(testing::put(store, cart, "1"), commit_outcome::done);
  }
  postgres_store store{url, impatient()};
  pair.standby.pause();
  auto began = clock::now();
  EXPECT_EQ(testing::commit(store, change(cart, 1, "2")),
            commit_outcome::unknown);
  EXPECT_LT(clock::now() - began, 30s);
  // Its row stays locked, so that nobody sees what may yet be lost.
  EXPECT_FALSE(testing::claim(store, cart, {3, 4}));
  pair.standby.resume();
  expected<claimed_state> settled = error{errc::store_unavailable, ""};
  EXPECT_TRUE(eventually([&] {
    settled = testing::claim(store, cart, {3, 4});
    return settled.has_value();
  }));
  EXPECT_EQ(settled.value().found, (stored_state{2, "2", 1}));
}

/// An operator lets the server go on alone, under a store that is connected.
TEST(postgres_replication, a_server_that_stops_waiting_is_noticed) {
  auto& pair = shared_pair();
  auto url = pair.new_database();
  postgres_store store{url, sync_options()};
  ASSERT_EQ(testing::put(store, cart, "1"), commit_outcome::done);
  pair.primary.set("synchronous_standby_names", "");
  EXPECT_NE(testing::commit(store, change(cart, 1, "2")), commit_outcome::done);
  auto refused = testing::claim(store, cart, {3, 4});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("standby"));
  pair.primary.set("synchronous_standby_names", "second");
  EXPECT_TRUE(eventually([&] {
    return testing::claim(store, cart, {3, 4}).has_value();
  }));
}

/// A commit that somebody cancels while it waits for the standby is done, says
/// the server, in a warning; but it is on one disk.
TEST(postgres_replication, a_commit_that_was_cancelled_is_unknown) {
  auto& pair = shared_pair();
  auto url = pair.new_database();
  postgres_store store{url, sync_options()};
  ASSERT_EQ(testing::put(store, cart, "1"), commit_outcome::done);
  pair.standby.pause();
  auto commit = testing::begin_commit(store, change(cart, 1, "2"));
  EXPECT_TRUE(eventually([&] {
    return !pair.primary
              .sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE "
                   "wait_event = 'SyncRep'")
              .empty();
  }));
  EXPECT_EQ(commit.get(), commit_outcome::unknown);
  pair.standby.resume();
}

} // namespace
} // namespace troupe
