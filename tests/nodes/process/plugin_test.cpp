// Plugins in a real node: which are refused and what is said, and what a new
// build of one does to calls, those under way and those to come.

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using json = nlohmann::json;

namespace troupe::test {

namespace {

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void overwrite(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes;
}

/// The bytes of a test plugin; `number` makes them another build of it.
std::string build_of(const std::string& name, int number = 0) {
  auto result = read_all(test_plugin(name));
  // Behind an ELF file's sections may stand anything.
  return number == 0 ? result : result + std::to_string(number);
}

/// A node that serves the examples and a plugin whose file the test changes.
class plugin_node {
public:
  explicit plugin_node(const std::string& build, words options = {})
    : file_(folder_.path() / "p.so") {
    replace(build);
    node_settings settings;
    settings.folder = folder_.path() / "data";
    settings.plugins.push_back(file_.string());
    settings.options = std::move(options);
    node_ = std::make_unique<node_process>(settings);
  }

  /// As a linker does: a new file takes the name.
  void replace(const std::string& build) {
    auto next = file_;
    next += ".next";
    overwrite(next, build);
    std::filesystem::rename(next, file_);
  }

  void write_in_place(const std::string& bytes) { overwrite(file_, bytes); }

  /// SIGHUP; waits until the log says what became of it.
  void reload() {
    auto before = outcomes();
    node_->signal(SIGHUP);
    ASSERT_TRUE(eventually([&] { return outcomes() > before; }))
      << node_->log();
  }

  /// Calls of a function, by name with or without a qualifier.
  std::string call(const std::string& target) {
    auto x = post(*node_, "/invoke/" + target);
    return x.status == 200 ? x.body : x.error_type();
  }

  const std::filesystem::path& file() const { return file_; }

  operator const node_process&() const { return *node_; }

  node_process* operator->() { return node_.get(); }

private:
  /// How often the log says of our plugin that it was looked at.
  size_t outcomes() const {
    auto log = node_->log();
    size_t result = 0;
    auto mark = "plugin " + file_.string();
    for (auto at = log.find(mark); at != log.npos;
         at = log.find(mark, log.find('\n', at)))
      if (log.find('\n', at) != log.npos)
        ++result;
    return result;
  }

  testing::temporary_folder folder_;
  std::filesystem::path file_;
  std::unique_ptr<node_process> node_;
};

struct refused_row {
  std::string file;
  std::string why;
};

/// Files that are no plugins, with a part of what is said.
std::vector<refused_row> refused_files(const std::filesystem::path& folder) {
  auto path = [&](const char* name) { return (folder / name).string(); };
  overwrite(path("empty.so"), "");
  overwrite(path("text.so"), "no shared object");
  overwrite(path("cut.so"), build_of("version_1").substr(0, 5000));
  overwrite(path("head.so"), build_of("version_1").substr(0, 64));
  return {{path("nowhere.so"), "No such file"},
          {folder.string(), "regular file"},
          {path("empty.so"), "is no shared object"},
          {path("text.so"), "is no shared object"},
          {path("cut.so"), "is cut off"},
          {path("head.so"), "is cut off"},
          {test_plugin("no_symbol"), "troupe_plugin"},
          {test_plugin("other_abi"), "ABI version"},
          {test_plugin("throwing"), "the price list is missing"},
          {test_plugin("twice"), "'item'"},
          {test_plugin("clashing"), "'add'"}};
}

} // namespace

// -- at the start ------------------------------------------------------------

TEST(plugin, that_cannot_be_used_stops_the_start_with_a_clear_error) {
  testing::temporary_folder folder;
  for (auto& row : refused_files(folder.path())) {
    node_settings settings;
    settings.folder = folder.path() / "data";
    settings.plugins.push_back(row.file);
    auto x = testing::run_process(node_command(settings));
    EXPECT_EQ(x.status, 1) << row.file;
    EXPECT_EQ(x.out, "");
    EXPECT_THAT(x.err, AllOf(StartsWith("error: "), HasSubstr(row.file),
                             HasSubstr(row.why)));
  }
}

TEST(plugin, whose_names_another_one_has_names_the_other) {
  testing::temporary_folder folder;
  auto copy = folder.path() / "copy.so";
  std::filesystem::copy_file(examples_plugin(), copy);
  node_settings settings;
  settings.folder = folder.path() / "data";
  settings.plugins.push_back(copy.string());
  auto x = testing::run_process(node_command(settings));
  EXPECT_EQ(x.status, 1);
  EXPECT_THAT(x.err, AllOf(HasSubstr(copy.string()),
                           HasSubstr(examples_plugin()), HasSubstr("taken")));
}

TEST(plugin, that_is_named_twice_is_refused) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.plugins = {examples_plugin(), examples_plugin()};
  auto x = testing::run_process(node_command(settings));
  EXPECT_EQ(x.status, 2);
  EXPECT_EQ(x.out, "");
  EXPECT_THAT(x.err, HasSubstr("twice"));
}

TEST(plugin, is_not_needed_for_a_node_to_run) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.plugins.clear();
  node_process node{settings};
  EXPECT_EQ(get(node, "/readyz").status, 200u);
  EXPECT_EQ(post(node, "/invoke/add", "[2,3]").status, 404u);
  EXPECT_EQ(node.stop(), 0);
}

// -- a new build -------------------------------------------------------------

TEST(plugin, in_a_new_build_is_a_new_version_and_the_old_one_is_still_there) {
  plugin_node node{build_of("version_1")};
  EXPECT_EQ(node.call("version"), "1");
  EXPECT_EQ(node.call("version:2"), "not_found");
  node.replace(build_of("version_2"));
  EXPECT_EQ(node.call("version"), "1"); // not before it is told
  node.reload();
  EXPECT_EQ(node.call("version"), "2");
  EXPECT_EQ(node.call("version:1"), "1");
  EXPECT_EQ(node.call("version:2"), "2");
  EXPECT_EQ(node.call("version:$LATEST"), "2");
  EXPECT_EQ(node.call("version:3"), "not_found");
  // The others were not loaded again.
  EXPECT_EQ(post(node, "/invoke/add:2", "[2,3]").status, 404u);
  auto body = json::parse(get(node, "/cluster").body);
  for (auto& x : body["functions"])
    if (x["name"] == "version") {
      EXPECT_EQ(x["versions"], json::parse("[1,2]"));
    }
}

TEST(plugin, in_an_old_build_again_is_a_new_version_too) {
  plugin_node node{build_of("version_1")};
  node.replace(build_of("version_2"));
  node.reload();
  node.replace(build_of("version_1"));
  node.reload();
  EXPECT_EQ(node.call("version"), "1");
  EXPECT_EQ(node.call("version:2"), "2");
  EXPECT_EQ(node.call("version:3"), "1");
}

TEST(plugin, that_has_not_changed_is_not_loaded_again) {
  plugin_node node{build_of("version_1")};
  node.reload();
  EXPECT_EQ(node.call("version:2"), "not_found");
  EXPECT_EQ(node.call("version"), "1");
}

TEST(plugin, lets_calls_under_way_finish_in_the_build_that_they_began_in) {
  plugin_node node{build_of("version_1")};
  raw_client old{node->port()};
  old.send(request("POST", "/invoke/slow_version", "600"));
  ASSERT_TRUE(eventually([&] {
    return get(node, "/metrics")
             .body.find("troupe_calls_in_flight{kind=\"function\",name="
                        "\"slow_version\",version=\"1\"} 1\n")
           != std::string::npos;
  }));
  node.replace(build_of("version_2"));
  node.reload();
  EXPECT_EQ(post(node, "/invoke/slow_version", "1").body, "2");
  auto x = old.read();
  EXPECT_EQ(x.status, 200u);
  EXPECT_EQ(x.body, "1");
}

TEST(plugin, that_is_refused_leaves_the_build_before_in_service) {
  plugin_node node{build_of("version_1")};
  testing::temporary_folder folder;
  for (auto& row : refused_files(folder.path())) {
    SCOPED_TRACE(row.file);
    if (std::filesystem::is_regular_file(row.file))
      node.replace(read_all(row.file));
    else
      std::filesystem::remove(node.file());
    node.reload();
    ASSERT_TRUE(node->is_alive());
    EXPECT_EQ(node.call("version"), "1");
    EXPECT_EQ(node.call("version:2"), "not_found");
    EXPECT_EQ(node.call("before_clash"), "not_found");
    EXPECT_EQ(post(node, "/invoke/add", "[5,3]").body, "8");
  }
  EXPECT_THAT(node->log(), HasSubstr("the version before stays in service"));
  node.replace(build_of("version_2"));
  node.reload();
  EXPECT_EQ(node.call("version"), "2");
  EXPECT_EQ(node->stop(), 0);
}

TEST(plugin, may_be_overwritten_in_place_while_its_code_runs) {
  plugin_node node{build_of("version_1")};
  std::atomic<bool> done{false};
  std::atomic<int> calls{0};
  std::thread caller{[&] {
    raw_client client{node->port()};
    while (!done) {
      client.send(request("POST", "/invoke/version"));
      auto x = client.read();
      EXPECT_EQ(x.body, "1");
      if (x.status != 200)
        return;
      ++calls;
    }
  }};
  auto more = [&] {
    auto now = calls.load();
    EXPECT_TRUE(eventually([&] { return calls > now + 50; }));
  };
  more();
  node.write_in_place(std::string(100'000, '\0'));
  more();
  node.write_in_place("");
  more();
  node.reload();
  more();
  done = true;
  caller.join();
  EXPECT_TRUE(node->is_alive());
  EXPECT_EQ(node.call("version"), "1");
}

TEST(plugin, loses_no_call_in_20_reloads_under_load) {
  plugin_node node{build_of("version_1")};
  std::atomic<bool> done{false};
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i)
    callers.emplace_back([&, quick = i % 2 == 0] {
      raw_client client{node->port()};
      auto call = quick ? request("POST", "/invoke/version")
                        : request("POST", "/invoke/slow_version", "7");
      while (!done) {
        client.send(call);
        auto x = client.read();
        EXPECT_TRUE(x.status == 200 && (x.body == "1" || x.body == "2"))
          << x.head << x.body;
        if (x.status != 200)
          return;
        ++calls;
      }
    });
  for (int i = 1; i <= 20; ++i) {
    auto number = i % 2 + 1;
    node.replace(build_of("version_" + std::to_string(number), i));
    node.reload();
    EXPECT_EQ(node.call("version"), std::to_string(number));
    auto now = calls.load();
    EXPECT_TRUE(eventually([&] { return calls > now + 20; }));
  }
  done = true;
  for (auto& x : callers)
    x.join();
  EXPECT_EQ(node.call("version:21"), "1");
  EXPECT_EQ(node->stop(), 0) << node->log();
}

TEST(plugin, keeps_the_state_of_its_services_through_reloads_under_load) {
  plugin_node node{build_of("version_1")};
  std::atomic<bool> done{false};
  std::atomic<int> added[3] = {0, 0, 0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i)
    callers.emplace_back([&, key = i % 3] {
      raw_client client{node->port()};
      auto call = request(
        "POST", "/services/tally/k" + std::to_string(key) + "/add", "1");
      while (!done) {
        client.send(call);
        auto x = client.read();
        EXPECT_EQ(x.status, 200u) << x.head << x.body;
        if (x.status != 200)
          return;
        ++added[key];
      }
    });
  for (int i = 1; i <= 10; ++i) {
    auto number = i % 2 + 1;
    node.replace(build_of("version_" + std::to_string(number), i));
    node.reload();
    EXPECT_EQ(post(node, "/services/tally/k0/version").body,
              std::to_string(number));
    auto now = added[0].load();
    EXPECT_TRUE(
      eventually([&] { return added[0] > now + 20 || added[0] == 0; }));
  }
  done = true;
  for (auto& x : callers)
    x.join();
  for (int key = 0; key < 3; ++key)
    EXPECT_EQ(
      post(node, "/services/tally/k" + std::to_string(key) + "/add", "0").body,
      std::to_string(added[key]));
  EXPECT_EQ(node->stop(), 0) << node->log();
}

TEST(plugin, brings_its_exposed_actors_in_a_new_build_too) {
  plugin_node node{build_of("version_1")};
  EXPECT_EQ(post(node, "/invoke/versioned_actor", "7").body, "71");
  node.replace(build_of("version_2"));
  node.reload();
  EXPECT_EQ(post(node, "/invoke/versioned_actor", "7").body, "72");
  EXPECT_EQ(post(node, "/invoke/versioned_actor:1", "7").body, "71");
}

TEST(plugin, lets_a_long_call_finish_however_many_builds_come_after_its_own) {
  plugin_node node{build_of("version_1")};
  raw_client old{node->port()};
  old.send(request("POST", "/invoke/slow_version", "4000"));
  ASSERT_TRUE(eventually([&] {
    return get(node, "/metrics")
             .body.find("troupe_calls_in_flight{kind=\"function\",name="
                        "\"slow_version\",version=\"1\"} 1\n")
           != std::string::npos;
  }));
  for (int i = 1; i <= 12; ++i) {
    node.replace(build_of("version_2", i));
    node.reload();
  }
  EXPECT_EQ(node.call("version"), "2");
  auto x = old.read();
  EXPECT_EQ(x.status, 200u) << x.body;
  EXPECT_EQ(x.body, "1");
}

} // namespace troupe::test
