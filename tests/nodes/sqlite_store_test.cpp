// What SQLite's store keeps beyond the contract: durability, one owner of a
// folder, clear words for what it cannot open.

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "nodes/store/store_url.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using ::testing::AllOf;
using testing::change;
using testing::claim;
using testing::commit;
using ::testing::HasSubstr;
using testing::load;
using testing::our_token;
using testing::put;

/// The message of the error that opening `folder` gives; empty if it opens.
std::string why_not(const std::filesystem::path& folder) {
  try {
    sqlite_store store{folder};
    return {};
  } catch (const error_exception& e) {
    EXPECT_EQ(e.reason().code(), errc::store_unavailable);
    return e.reason().message();
  }
}

class sqlite_store_test : public ::testing::Test {
protected:
  std::filesystem::path database() const { return folder.path() / "data.db"; }

  testing::temporary_folder folder;
  const entity_id cart{"cart", "ann"};
};

TEST_F(sqlite_store_test, has_its_state_again_after_it_was_closed) {
  {
    sqlite_store store{folder.path()};
    ASSERT_EQ(put(store, cart, "1"), commit_outcome::done);
  }
  sqlite_store store{folder.path()};
  EXPECT_EQ(load(store, cart).value().state, "1");
  EXPECT_EQ(commit(store, change(cart, 0, "2")), commit_outcome::refused);
  EXPECT_EQ(commit(store, change(cart, 1, "2")), commit_outcome::done);
}

TEST_F(sqlite_store_test, has_what_came_with_its_states_after_it_was_closed) {
  auto request = change(cart, 0, "1");
  request.outcomes = {{"id", "print", 1, false, "a/b", "body"}};
  request.next.reminders = R"({"tea":"4"})";
  request.work = {testing::note({1, 1}, "ann", "one"),
                  testing::note({1, 2}, "ann", "two")};
  {
    sqlite_store store{folder.path()};
    claim(store, cart, our_token).value();
    ASSERT_EQ(commit(store, request), commit_outcome::done);
  }
  sqlite_store store{folder.path()};
  EXPECT_EQ(testing::find_outcome(store, cart, "id").value(),
            request.outcomes[0]);
  EXPECT_EQ(testing::notes(store),
            (std::vector<work_target>{{"note", {}, "ann", "one"},
                                      {"note", {}, "ann", "two"}}));
  EXPECT_EQ(claim(store, cart, {3, 4}).value().found, request.next);
}

TEST_F(sqlite_store_test, forgets_at_its_start_what_was_never_committed) {
  {
    sqlite_store store{folder.path()};
    claim(store, cart, our_token).value();
    ASSERT_EQ(put(store, {"cart", "bob"}, "1"), commit_outcome::done);
    ASSERT_EQ(put(store, {"cart", "cid"}, "1"), commit_outcome::done);
    ASSERT_EQ(commit(store, change({"cart", "cid"}, 1, "")),
              commit_outcome::done);
  }
  sqlite_store store{folder.path()};
  EXPECT_EQ(commit(store, change(cart, 0, "1")), commit_outcome::refused);
  EXPECT_EQ(claim(store, cart, our_token).value().previous, std::nullopt);
  EXPECT_EQ(load(store, {"cart", "bob"}).value().state, "1");
  EXPECT_EQ(load(store, {"cart", "cid"}).value().revision, 2u);
}

TEST_F(sqlite_store_test, makes_its_folder_and_those_above_it) {
  auto deep = folder.path() / "a" / "b" / "c";
  EXPECT_EQ(why_not(deep), "");
  EXPECT_TRUE(std::filesystem::exists(deep / "data.db"));
}

TEST_F(sqlite_store_test, writes_a_log_and_syncs_it_fully) {
  sqlite_store store{folder.path()};
  put(store, cart, "1");
  SQLite::Database other{database().string()};
  EXPECT_EQ(other.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(other.execAndGet("PRAGMA user_version").getInt(),
            data_schema().version());
}

TEST_F(sqlite_store_test, commits_what_waits_before_it_closes) {
  std::vector<std::future<commit_outcome>> answers;
  {
    sqlite_store store{folder.path()};
    for (int i = 0; i < 1000; ++i) {
      entity_id entity{"s", std::to_string(i)};
      (void)testing::begin_claim(store, entity, our_token);
      answers.push_back(testing::begin_commit(store, change(entity, 0, "x")));
    }
  }
  for (auto& x : answers)
    EXPECT_EQ(x.get(), commit_outcome::done);
  sqlite_store store{folder.path()};
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(load(store, {"s", std::to_string(i)}).value().exists());
}

TEST_F(sqlite_store_test, fails_a_commit_past_its_queue_and_answers_each) {
  sqlite_options options;
  options.queue = 1;
  sqlite_store store{folder.path(), options};
  auto entity = [](int i) { return entity_id{"s", std::to_string(i)}; };
  for (int i = 0; i < 200; ++i)
    claim(store, entity(i), our_token).value();
  std::vector<std::future<commit_outcome>> answers;
  for (int i = 0; i < 200; ++i)
    answers.push_back(testing::begin_commit(store, change(entity(i), 0, "x")));
  for (int i = 0; i < 200; ++i) {
    auto outcome = answers[i].get();
    auto found = load(store, entity(i)).value();
    EXPECT_EQ(found.exists(), outcome == commit_outcome::done) << i;
    EXPECT_NE(outcome, commit_outcome::refused);
  }
}

TEST_F(sqlite_store_test, refuses_a_folder_that_another_one_has) {
  sqlite_store store{folder.path()};
  EXPECT_THAT(why_not(folder.path()),
              AllOf(HasSubstr(folder.path().string()),
                    HasSubstr("in use by another node")));
  EXPECT_EQ(put(store, cart, "1"), commit_outcome::done);
}

TEST_F(sqlite_store_test, leaves_its_folder_to_the_next_one) {
  EXPECT_EQ(why_not(folder.path()), "");
  EXPECT_EQ(why_not(folder.path()), "");
}

TEST_F(sqlite_store_test, says_so_when_its_file_is_no_database) {
  std::ofstream{database()} << std::string(8192, 'x');
  EXPECT_THAT(why_not(folder.path()),
              AllOf(HasSubstr("data.db"), HasSubstr("not a database")));
}

TEST_F(sqlite_store_test, says_so_when_its_tables_are_damaged) {
  {
    sqlite_store store{folder.path()};
    put(store, cart, "1");
  }
  {
    std::fstream file{database(),
                      std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(100); // the root page of the schema, behind the header
    file << std::string(3000, '\xFF');
  }
  EXPECT_THAT(why_not(folder.path()),
              AllOf(HasSubstr("data.db"), HasSubstr("malformed")));
}

TEST_F(sqlite_store_test, refuses_the_database_of_something_else) {
  {
    SQLite::Database other{database().string(),
                           SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    other.exec("CREATE TABLE entity (x)");
  }
  EXPECT_THAT(why_not(folder.path()), HasSubstr("something else"));
}

TEST_F(sqlite_store_test, refuses_a_schema_of_the_future_and_leaves_it_alone) {
  EXPECT_EQ(why_not(folder.path()), "");
  {
    SQLite::Database other{database().string(), SQLite::OPEN_READWRITE};
    other.exec("PRAGMA user_version=1000");
  }
  EXPECT_THAT(why_not(folder.path()), HasSubstr("newer Troupe"));
  SQLite::Database other{database().string()};
  EXPECT_EQ(other.execAndGet("PRAGMA user_version").getInt(), 1000);
}

TEST_F(sqlite_store_test, refuses_a_folder_that_is_a_file) {
  auto path = folder.path() / "file";
  std::ofstream{path} << "x";
  EXPECT_THAT(why_not(path), HasSubstr("file"));
}

TEST(store_folder, knows_network_file_systems_by_their_number) {
  EXPECT_EQ(network_file_system(0x6969), "NFS");
  EXPECT_EQ(network_file_system(0xFF534D42), "CIFS");
  EXPECT_EQ(network_file_system(static_cast<int>(0xFF534D42)), "CIFS");
  EXPECT_EQ(network_file_system(0x65735546), "FUSE");
  EXPECT_EQ(network_file_system(0xEF53), "");     // ext4
  EXPECT_EQ(network_file_system(0x58465342), ""); // XFS
  EXPECT_EQ(network_file_system(0x794C7630), ""); // overlayfs
}

// -- what is old -------------------------------------------------------------

class sqlite_retention_test : public sqlite_store_test {
protected:
  /// A store whose wall clock the test moves.
  sqlite_options options() {
    sqlite_options result;
    result.now = [this] { return now.load(); };
    return result;
  }

  /// Records outcomes `first` to `last` of the cart, one a commit.
  void record(state_store& store, int first, int last) {
    auto claimed = claim(store, cart, our_token).value();
    auto base = claimed.found.revision;
    for (int i = first; i <= last; ++i, ++base) {
      auto request = change(cart, base, "1");
      request.outcomes = {{std::to_string(i), "", 1, false, "", ""}};
      ASSERT_EQ(commit(store, request), commit_outcome::done);
    }
  }

  bool has(state_store& store, int id) {
    return testing::find_outcome(store, cart, std::to_string(id))
      .value()
      .has_value();
  }

  std::atomic<std::chrono::system_clock::time_point> now{
    std::chrono::system_clock::time_point{std::chrono::hours{400'000}}};
};

TEST_F(sqlite_retention_test, keeps_an_outcome_for_as_long_as_it_says) {
  sqlite_store store{folder.path(), options()};
  record(store, 1, 1);
  now = now.load() + state_store::outcome_retention;
  record(store, 2, 2);
  EXPECT_TRUE(has(store, 1));
  now = now.load() + std::chrono::minutes{2};
  record(store, 3, 3);
  EXPECT_FALSE(has(store, 1));
  EXPECT_TRUE(has(store, 2));
  EXPECT_TRUE(has(store, 3));
}

TEST_F(sqlite_retention_test, removes_many_old_outcomes_a_few_at_a_time) {
  sqlite_store store{folder.path(), options()};
  record(store, 1, 200);
  now = now.load() + state_store::outcome_retention + std::chrono::minutes{2};
  record(store, 201, 201);
  EXPECT_FALSE(has(store, 1));
  EXPECT_TRUE(has(store, 200));
  record(store, 202, 206);
  EXPECT_FALSE(has(store, 200));
  EXPECT_TRUE(has(store, 201));
}

TEST_F(sqlite_retention_test, removes_old_outcomes_when_the_clock_was_wrong) {
  sqlite_store store{folder.path(), options()};
  record(store, 1, 1);
  now = now.load() - std::chrono::hours{100'000};
  record(store, 2, 2);
  EXPECT_TRUE(has(store, 1));
  now = now.load() + std::chrono::hours{200'000};
  record(store, 3, 3);
  EXPECT_FALSE(has(store, 1));
  EXPECT_FALSE(has(store, 2));
}

// -- a full disk -------------------------------------------------------------

TEST_F(sqlite_store_test, fails_a_group_that_the_file_has_no_room_for) {
  sqlite_options options;
  options.pages_max = 64;
  sqlite_store store{folder.path(), options};
  ASSERT_EQ(put(store, cart, "1"), commit_outcome::done);
  EXPECT_EQ(commit(store, change(cart, 1, std::string(1'000'000, 'x'))),
            commit_outcome::failed);
  EXPECT_EQ(load(store, cart).value().state, "1");
  EXPECT_EQ(commit(store, change(cart, 1, "2")), commit_outcome::done);
}

/// Runs `code` in a child; returns its wait status.
template <class F>
int in_child(F code) {
  auto child = fork();
  if (child == 0) {
    code();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(sqlite_store_test, acknowledges_nothing_when_its_log_cannot_grow) {
  auto status = in_child([this] {
    std::signal(SIGXFSZ, SIG_IGN);
    sqlite_store store{folder.path()};
    if (put(store, {"s", "small"}, "1") != commit_outcome::done
        || !claim(store, {"s", "big"}, our_token))
      _exit(1);
    rlimit limit{1'000'000, 1'000'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto big = change({"s", "big"}, 0, std::string(2'000'000, 'x'));
    if (commit(store, big) != commit_outcome::failed)
      _exit(2);
    auto found = load(store, {"s", "big"});
    if (!found || found->exists())
      _exit(3);
    auto again = change({"s", "small"}, 1, "2");
    _exit(commit(store, again) == commit_outcome::done ? 0 : 4);
  });
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
  sqlite_store store{folder.path()};
  EXPECT_EQ(load(store, {"s", "small"}).value().state, "2");
  EXPECT_FALSE(load(store, {"s", "big"}).value().exists());
}

// -- kill -9 -----------------------------------------------------------------

/// Commits rising revisions of ten entities and tells each acknowledged one.
[[noreturn]] void commit_and_tell(const std::filesystem::path& path, int out) {
  sqlite_store store{path};
  for (uint32_t key = 0; key < 10; ++key)
    (void)claim(store, {"s", std::to_string(key)}, our_token);
  for (uint64_t base = 0;; ++base)
    for (uint32_t key = 0; key < 10; ++key)
      store.commit(change({"s", std::to_string(key)}, base, "x"),
                   [=](commit_outcome outcome) {
                     uint64_t line[] = {key, base + 1};
                     if (outcome == commit_outcome::done)
                       (void)!write(out, line, sizeof(line));
                   });
}

TEST_F(sqlite_store_test, has_all_that_it_acknowledged_before_a_kill) {
  for (int round = 0; round < 3; ++round) {
    testing::temporary_folder place;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    auto child = fork();
    if (child == 0) {
      close(ends[0]);
      commit_and_tell(place.path(), ends[1]);
    }
    close(ends[1]);
    std::array<uint64_t, 10> acknowledged{};
    uint64_t line[2];
    for (int count = 0; read(ends[0], line, sizeof(line)) == sizeof(line);
         ++count) {
      acknowledged.at(line[0]) = line[1];
      if (count == 500 + 333 * round)
        kill(child, SIGKILL);
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
    sqlite_store store{place.path()};
    for (uint32_t key = 0; key < 10; ++key) {
      auto found = load(store, {"s", std::to_string(key)}).value();
      EXPECT_GE(found.revision, acknowledged[key]);
    }
  }
}

// -- URLs --------------------------------------------------------------------

TEST(store_url, reads_each_kind) {
  auto sqlite = parse_store_url("sqlite:/var/lib/troupe");
  ASSERT_TRUE(sqlite);
  EXPECT_EQ(sqlite->kind, store_url::scheme::sqlite);
  EXPECT_EQ(sqlite->location, "/var/lib/troupe");
  EXPECT_EQ(parse_store_url("sqlite:./data").value().location, "./data");
  EXPECT_EQ(parse_store_url("memory:").value().kind, store_url::scheme::memory);
  EXPECT_EQ(parse_store_url("postgresql://h/db").value().kind,
            store_url::scheme::postgresql);
}

TEST(store_url, refuses_what_is_none) {
  for (auto url : {"", "sqlite", "sqlite:", "memory", "memory:x", "mysql://h",
                   "postgresql:", "/var/lib/troupe", "SQLITE:x"}) {
    auto parsed = parse_store_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().code(), errc::bad_request) << url;
  }
}

TEST(store_url, opens_what_it_names) {
  testing::temporary_folder folder;
  auto url = "sqlite:" + folder.path().string();
  auto store = open_store(url);
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->describe(), url);
  auto second = open_store(url + "/");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), errc::store_unavailable);
  EXPECT_EQ(open_store("memory:").value()->describe(), "memory:");
}

TEST(store_url, says_who_cannot_be_reached_and_no_password) {
  auto store = open_store("postgresql://ann:secret@127.0.0.1:1/troupe");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), errc::store_unavailable);
  auto& message = store.error().message();
  EXPECT_NE(message.find("postgresql://ann@127.0.0.1:1/troupe"), message.npos);
  EXPECT_EQ(message.find("secret"), message.npos) << message;
}

} // namespace
} // namespace troupe
