// `troupe store` as an operator uses it: beside a node, after it, and after its
// end with -9.

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using json = nlohmann::json;

namespace troupe::test {

namespace {

class store_command : public ::testing::Test {
protected:
  /// `troupe store words...` on the data of the test.
  testing::process_result store(words arguments) {
    arguments.insert(arguments.end(), {"--data-dir", data.string()});
    return bare(arguments);
  }

  /// `troupe store words...`
  testing::process_result bare(const words& arguments,
                               const words& environment = {}) {
    node_settings settings;
    settings.bare = true;
    auto input = node_command(settings); // for its environment
    input.command[1] = "store";
    input.command.insert(input.command.end(), arguments.begin(),
                         arguments.end());
    input.environment.insert(input.environment.end(), environment.begin(),
                             environment.end());
    return testing::run_process(input);
  }

  json check() {
    auto result = store({"check", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json::parse(result.out);
  }

  node_settings settings() {
    node_settings result;
    result.folder = data;
    return result;
  }

  void increment(const node_process& node, const std::string& key) {
    EXPECT_EQ(post(node, "/services/counter/" + key + "/increment").status,
              200);
  }

  testing::temporary_folder folder;
  const std::filesystem::path data = folder.path() / "data";
  const std::filesystem::path backup = folder.path() / "backup";
};

TEST_F(store_command, checks_beside_a_node_and_after_it) {
  node_process node{settings()};
  increment(node, "a");
  increment(node, "b");
  auto beside = check();
  EXPECT_EQ(beside["ok"], true);
  EXPECT_EQ(beside["node"]["state"], "running");
  EXPECT_EQ(beside["node"]["pid"], node.pid());
  EXPECT_EQ(beside["services"], (json{{"counter", 2}}));
  EXPECT_EQ(node.stop(), 0);
  auto after = check();
  EXPECT_EQ(after["node"], (json{{"state", "none"}}));
  EXPECT_EQ(after["entities"], 2);
}

TEST_F(store_command, tells_that_the_last_node_did_not_stop_cleanly) {
  node_process node{settings()};
  increment(node, "a");
  auto pid = node.pid();
  node.kill();
  auto after = check();
  EXPECT_EQ(after["ok"], true);
  EXPECT_EQ(after["node"]["state"], "crashed");
  EXPECT_EQ(after["node"]["pid"], pid);
  EXPECT_EQ(after["entities"], 1);
  EXPECT_THAT(store({"check"}).out,
              AllOf(HasSubstr("did not stop cleanly"),
                    HasSubstr("  counter    1"), HasSubstr("entities     1")));
}

TEST_F(store_command, backs_up_beside_a_node_and_restores) {
  {
    node_process node{settings()};
    increment(node, "a");
    auto result = store({"backup", backup.string()});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("Backed up 1 entities to "));
    increment(node, "a");
    auto refused = store({"restore", backup.string(), "--force"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, AllOf(StartsWith("error: store_unavailable: "),
                                   HasSubstr("in use by another node")));
    EXPECT_EQ(get(node, "/healthz").status, 200);
    EXPECT_EQ(node.stop(), 0);
  }
  auto refused = store({"restore", backup.string()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err,
              AllOf(StartsWith("error: bad_request: "), HasSubstr("--force")));
  EXPECT_THAT(
    store({"backup", backup.string()}).err,
    AllOf(StartsWith("error: bad_request: "), HasSubstr("is there already")));
  auto restored = store({"restore", backup.string(), "--force"});
  EXPECT_EQ(restored.status, 0) << restored.err;
  EXPECT_THAT(restored.out, AllOf(HasSubstr("Moved what was there to "),
                                  HasSubstr("Restored 1 entities")));
  node_process node{settings()};
  EXPECT_EQ(post(node, "/services/counter/a/get").body, "1");
}

// What a call that stores nothing leaves is not to look like damage.
TEST_F(store_command, says_in_words_what_is_there) {
  node_process node{settings()};
  EXPECT_EQ(post(node, "/services/counter/a/get").status, 200);
  EXPECT_THAT(store({"check"}).out, AllOf(HasSubstr("no state yet 1 called"),
                                          Not(HasSubstr("uncommitted")),
                                          HasSubstr("node         process")));
  EXPECT_EQ(store({"backup", backup.string()}).status, 0);
  EXPECT_THAT(bare({"check", "--data-dir", backup.string()}).out,
              AllOf(HasSubstr("it is a copy"), Not(HasSubstr("cleanly"))));
  EXPECT_EQ(node.stop(), 0);
  EXPECT_THAT(store({"check"}).out, HasSubstr("stopped cleanly"));
}

TEST_F(store_command, takes_the_store_from_where_a_node_does) {
  { node_process node{settings()}; }
  auto url = "sqlite:" + data.string();
  EXPECT_EQ(bare({"check", "--store", url}).status, 0);
  EXPECT_EQ(bare({"check"}, {"TROUPE_STORE=" + url}).status, 0);
  EXPECT_EQ(bare({"check"}, {"TROUPE_DATA_DIR=" + data.string()}).status, 0);
}

TEST_F(store_command, fails_without_a_store) {
  for (auto& arguments :
       {words{"check"}, words{"check", "--json"},
        words{"backup", backup.string()}, words{"restore", backup.string()}}) {
    auto result = store(arguments);
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err,
                AllOf(StartsWith("error: not_found: "), HasSubstr("no store")));
  }
}

TEST_F(store_command, refuses_a_wrong_command_line) {
  for (auto& arguments :
       {words{}, words{"chek"}, words{"check", "x"}, words{"backup"},
        words{"backup", "a", "b"}, words{"restore"}, words{"check", "--force"},
        words{"restore", "x", "--json"}, words{"check", "--no-such"},
        words{"check", "--store", "memory:"},
        words{"check", "--store", "x:"}}) {
    auto result = bare(arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(StartsWith("troupe store"),
                                  HasSubstr("Try 'troupe store")));
  }
  EXPECT_THAT(bare({"chek"}).err, HasSubstr("'troupe store --help'"));
  EXPECT_THAT(bare({"backup"}).err, HasSubstr("'troupe store backup --help'"));
}

TEST_F(store_command, explains_itself) {
  auto result = bare({"--help"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("backup DEST"));
  auto check = bare({"check", "--help"});
  EXPECT_EQ(check.status, 0);
  EXPECT_THAT(check.out, AllOf(HasSubstr("--data-dir"), HasSubstr("--json"),
                               Not(HasSubstr("--force"))));
  EXPECT_THAT(bare({"backup", "--help"}).out,
              AllOf(HasSubstr("backup DEST"), Not(HasSubstr("--force")),
                    Not(HasSubstr("--json"))));
  EXPECT_THAT(bare({"restore", "--help"}).out,
              AllOf(HasSubstr("restore SRC"), HasSubstr("--force")));
}

} // namespace

} // namespace troupe::test
