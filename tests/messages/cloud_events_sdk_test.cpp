// Events that the CloudEvents SDK for Node.js makes and reads.

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/support/node_process.hpp"
#include "tests/support/process.hpp"

namespace troupe::test {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path sdk_folder{TROUPE_CLOUDEVENTS_SDK};

/// Runs a program of the machine in the folder of the SDK.
testing::process_result run(const words& command, std::chrono::seconds time) {
  testing::process_input input;
  input.command = {"/usr/bin/env", "-C", sdk_folder};
  input.command.insert(input.command.end(), command.begin(), command.end());
  for (auto name :
       {"PATH", "HOME", "NPM_CONFIG_USERCONFIG", "NPM_CONFIG_REGISTRY",
        "npm_config_registry", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
        "no_proxy", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE"})
    if (auto value = std::getenv(name))
      input.environment.push_back(std::string{name} + "=" + value);
  input.patience = time;
  return testing::run_process(input);
}

/// As package-lock.json has it, unless it is there already.
::testing::AssertionResult install_sdk() {
  auto x = run({"npm", "ls", "--silent"}, 30s);
  if (x.status == 0)
    return ::testing::AssertionSuccess();
  x = run({"npm", "ci", "--no-audit", "--no-fund"}, 240s);
  if (x.status == 0)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "npm ci in " << sdk_folder << " ends with " << x.status << ": "
         << x.out << x.err;
}

TEST(cloud_events_sdk, sends_in_three_modes_and_reads_what_is_kept) {
  ASSERT_TRUE(install_sdk());
  example_node node{
    {"--event",
     "keep=type:sdk.keep,key:id,service:data_service,method:set_data,"
     "argument:event",
     "--event",
     "count=type:sdk.count,key:subject,service:counter,method:increment"}};
  auto x = run({"node", "events.mjs", node->url()}, 60s);
  EXPECT_EQ(x.status, 0) << x.out << x.err;
}

} // namespace
} // namespace troupe::test
