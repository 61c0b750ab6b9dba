// Which servers and databases a store opens, and what it says of the others.

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/core/errors.hpp"
#include "nodes/store/postgres_schema.hpp"
#include "nodes/store/postgres_store.hpp"
#include "nodes/store/store_url.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using ::testing::AllOf;
using testing::database_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::shared_postgres;

/// Patient, but for who has the store.
postgres_options options() {
  auto result = testing::patient();
  result.lock_time = std::chrono::seconds{2};
  return result;
}

/// What is said when it cannot be opened.
std::string refusal(const std::string& url) {
  auto store = open_store(url, options());
  if (store)
    return "it was opened";
  EXPECT_EQ(store.error(), errc::store_unavailable);
  return store.error().message();
}

void execute(const std::string& url, const std::string& statement) {
  shared_postgres().sql(statement, database_of(url));
}

std::string version(const std::string& url) {
  return shared_postgres()
    .sql("SELECT version FROM troupe.schema_version", database_of(url))
    .at(0)
    .at(0);
}

std::string newest() {
  return std::to_string(postgres_schema_steps().size());
}

// -- servers -----------------------------------------------------------------

TEST(postgres_open, describes_itself_without_the_password) {
  auto url = shared_postgres().new_database();
  auto login = url;
  login.insert(login.find('@'), ":secret");
  auto store = open_store(login, options());
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->describe(), url);
}

TEST(postgres_open, says_that_the_password_is_wrong_and_not_what_it_was) {
  auto url = shared_postgres().new_database();
  shared_postgres().sql("DROP ROLE IF EXISTS guarded");
  shared_postgres().sql("CREATE ROLE guarded LOGIN PASSWORD 'right'");
  auto guarded =
    shared_postgres().url(database_of(url), "guarded:wrongpassword");
  EXPECT_THAT(refusal(guarded),
              AllOf(HasSubstr("password"), HasSubstr("guarded@127.0.0.1"),
                    Not(HasSubstr("wrongpassword"))));
  auto silent = shared_postgres().url(database_of(url), "guarded");
  EXPECT_THAT(refusal(silent), HasSubstr("password"));
}

TEST(postgres_open, says_which_database_is_missing) {
  EXPECT_THAT(refusal(shared_postgres().url("nowhere")),
              HasSubstr("database \"nowhere\" does not exist"));
}

TEST(postgres_open, says_that_the_role_may_not_make_tables) {
  auto url = shared_postgres().new_database();
  shared_postgres().sql("DROP ROLE IF EXISTS stranger");
  shared_postgres().sql("CREATE ROLE stranger LOGIN");
  auto strange = shared_postgres().url(database_of(url), "stranger");
  EXPECT_THAT(refusal(strange), HasSubstr("permission denied"));
}

TEST(postgres_open, says_that_a_server_takes_no_writes) {
  auto url = shared_postgres().new_database();
  shared_postgres().sql("ALTER DATABASE " + database_of(url)
                        + " SET default_transaction_read_only = on");
  EXPECT_THAT(refusal(url), HasSubstr("takes no writes"));
}

TEST(postgres_open, takes_the_server_that_is_there_of_several) {
  auto url = shared_postgres().new_database();
  auto several = url;
  several.insert(several.find('@') + 1, "127.0.0.1:1,");
  auto store = open_store(several, options());
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_THAT((*store)->describe(), HasSubstr("127.0.0.1:1,127.0.0.1:"));
}

// -- who has it --------------------------------------------------------------

TEST(postgres_open, one_node_alone_and_nodes_that_share_exclude_each_other) {
  auto url = shared_postgres().new_database();
  {
    auto alone = open_store(url, options());
    ASSERT_TRUE(alone);
    EXPECT_THAT(refusal(url), HasSubstr("other nodes use"));
    auto shared = open_shared_store(url, options());
    ASSERT_FALSE(shared);
    EXPECT_THAT(shared.error().message(), HasSubstr("alone"));
  }
  auto one = open_shared_store(url, options());
  auto two = open_shared_store(url, options());
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
  EXPECT_THAT(refusal(url), HasSubstr("other nodes use"));
}

TEST(postgres_open, a_node_alone_has_it_again_after_its_session_was_cut) {
  auto url = shared_postgres().new_database();
  auto store = open_store(url, options()).value();
  for (int i = 0; i < 3; ++i) {
    shared_postgres().sql("SELECT pg_terminate_backend(pid, 10000) FROM "
                          "pg_stat_activity WHERE datname = '"
                          + database_of(url) + "'");
    EXPECT_EQ(testing::put(*store, {"cart", "ann"}, "1"), commit_outcome::done);
  }
}

// -- tables ------------------------------------------------------------------

TEST(postgres_open, makes_its_tables_and_leaves_those_of_others) {
  auto url = shared_postgres().new_database();
  execute(url, "CREATE TABLE public.entity (mine text)");
  execute(url, "INSERT INTO public.entity VALUES ('mine')");
  {
    postgres_store store{url, options()};
    EXPECT_EQ(testing::put(store, {"cart", "ann"}, "1"), commit_outcome::done);
  }
  EXPECT_EQ(version(url), newest());
  auto mine =
    shared_postgres().sql("SELECT mine FROM public.entity", database_of(url));
  EXPECT_EQ(mine.size(), 1u);
  postgres_store again{url, options()};
  EXPECT_EQ(testing::load(again, {"cart", "ann"}).value().state, "1");
}

TEST(postgres_open, uses_an_empty_schema_that_somebody_made_for_it) {
  auto url = shared_postgres().new_database();
  execute(url, "CREATE SCHEMA troupe AUTHORIZATION troupe");
  postgres_store store{url, options()};
  EXPECT_EQ(version(url), newest());
}

TEST(postgres_open, refuses_the_tables_of_something_else) {
  auto url = shared_postgres().new_database();
  execute(url, "CREATE SCHEMA troupe");
  execute(url, "CREATE TABLE troupe.actors (name text)");
  EXPECT_THAT(refusal(url), HasSubstr("something else than Troupe"));
  execute(url, "SELECT name FROM troupe.actors");
}

TEST(postgres_open, refuses_what_a_newer_troupe_wrote) {
  auto url = shared_postgres().new_database();
  { postgres_store store{url, options()}; }
  execute(url, "UPDATE troupe.schema_version SET version = version + 1");
  EXPECT_THAT(refusal(url), HasSubstr("newer Troupe"));
  execute(url, "SELECT * FROM troupe.entity");
}

/// The tables grow under a store that is open, when a newer node joins. It goes
/// on until it must connect again.
TEST(postgres_open, does_not_come_back_to_what_a_newer_troupe_wrote) {
  auto url = shared_postgres().new_database();
  postgres_store store{url, options()};
  testing::put(store, {"cart", "ann"}, "1");
  execute(url, "UPDATE troupe.schema_version SET version = version + 1");
  execute(url, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
               "WHERE application_name LIKE 'troupe %' AND datname = '"
                 + database_of(url) + "'");
  auto refused = testing::load(store, {"cart", "ann"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("newer Troupe"));
}

/// The tables of a Troupe that knew so many steps.
void make_version(const std::string& url, size_t version) {
  constexpr auto as_troupe = "SET ROLE troupe; SET search_path = troupe;";
  execute(url, "CREATE SCHEMA troupe AUTHORIZATION troupe");
  execute(
    url,
    as_troupe
      + std::string{"CREATE TABLE schema_version (version bigint NOT NULL);"
                    "INSERT INTO schema_version VALUES ("}
      + std::to_string(version) + ")");
  for (size_t i = 0; i < version; ++i)
    execute(url, std::string{as_troupe} + postgres_schema_steps()[i]);
}

/// An entity at revision 1, as the first version wrote it.
void insert_entity(const std::string& url, const std::string& state) {
  execute(url, "INSERT INTO troupe.entity (service, key, revision, schema, "
               "token, state) VALUES ('cart', 'ann', 1, 1, '\\x00', '"
                 + state + "')");
}

TEST(postgres_open, each_step_makes_the_next_version) {
  auto url = shared_postgres().new_database();
  for (size_t before = 0; before < postgres_schema_steps().size(); ++before) {
    execute(url, "DROP SCHEMA IF EXISTS troupe CASCADE");
    if (before > 0)
      make_version(url, before);
    postgres_store store{url, options()};
    EXPECT_EQ(version(url), newest()) << "from version " << before;
    EXPECT_EQ(testing::put(store, {"cart", "ann"}, "1"), commit_outcome::done);
  }
}

/// The version before had no work.
TEST(postgres_open, work_comes_to_a_store_that_had_none) {
  auto url = shared_postgres().new_database();
  make_version(url, 4);
  insert_entity(url, "1");
  postgres_store store{url, options()};
  EXPECT_EQ(version(url), newest());
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value().state, "1");
  auto& queue = *store.work();
  using testing::work_id;
  testing::accept(queue, {testing::work(1), "", "", "node"}).value();
  EXPECT_EQ(testing::report(queue, {work_id(1), "node", 1, work_end::succeeded},
                            testing::at(1)),
            work_outcome::done);
}

/// The version before had an outbox in place of work that comes with commits.
TEST(postgres_open, commits_take_work_along_in_a_store_where_they_did_not) {
  auto url = shared_postgres().new_database();
  make_version(url, 5);
  insert_entity(url, "1");
  execute(url, "INSERT INTO troupe.outbox VALUES (1, 'cart', 'ann', '', '', "
               "'')");
  postgres_store store{url, options()};
  EXPECT_EQ(version(url), newest());
  const entity_id cart{"cart", "ann"};
  EXPECT_EQ(testing::claim(store, cart, testing::our_token).value().found,
            (stored_state{1, "1", 1}));
  auto request = testing::change(cart, 1, "2");
  request.next.reminders = R"({"tea":1})";
  request.work = {testing::note(testing::work_id(1), "ann", "one")};
  EXPECT_EQ(testing::commit(store, request), commit_outcome::done);
  EXPECT_EQ(testing::claim(store, cart, testing::our_token).value().found,
            request.next);
  EXPECT_EQ(testing::notes(store).size(), 1u);
}

TEST(postgres_open, nodes_that_start_at_once_make_the_tables_once) {
  auto url = shared_postgres().new_database();
  std::vector<std::future<std::unique_ptr<postgres_store>>> stores;
  for (int i = 0; i < 6; ++i)
    stores.push_back(std::async(std::launch::async, [&] {
      return std::make_unique<postgres_store>(url, testing::patient());
    }));
  for (auto& x : stores)
    EXPECT_EQ(testing::put(*x.get(), {"cart", "ann"}, "1"),
              commit_outcome::done);
  EXPECT_EQ(version(url), newest());
}

} // namespace
} // namespace troupe
