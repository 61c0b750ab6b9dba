// `troupe certs` from outside.

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "nodes/link/certificates.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

class certs_test : public ::testing::Test {
protected:
  testing::process_result run(std::vector<std::string> arguments) {
    testing::process_input input;
    input.command = {TROUPE_BINARY, "certs", "--dir", where.string()};
    input.command.insert(input.command.end(), arguments.begin(),
                         arguments.end());
    return testing::run_process(input);
  }

  std::string content(const char* name) {
    std::ifstream in{where / name};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  testing::temporary_folder folder;
  std::filesystem::path where = folder.path() / "certs";
};

TEST_F(certs_test, makes_a_ca_and_what_nodes_need) {
  auto x = run({"a", "b"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_NE(x.out.find("a.pem"), std::string::npos);
  link::certificate_folder made{where};
  for (auto node : {"a", "b"})
    EXPECT_NO_THROW(link::tls_context{made.files(node)});
}

TEST_F(certs_test, adds_nodes_to_a_ca_that_is_there) {
  run({"a"});
  auto ca = content("ca.pem");
  EXPECT_EQ(run({"b"}).status, 0);
  EXPECT_EQ(content("ca.pem"), ca);
  EXPECT_NO_THROW(
    link::tls_context{link::certificate_folder{where}.files("b")});
}

TEST_F(certs_test, overwrites_nothing_unless_asked) {
  run({"a"});
  auto before = content("a.pem");
  auto x = run({"b", "a"});
  EXPECT_EQ(x.status, 1);
  EXPECT_NE(x.err.find("'a'"), std::string::npos);
  EXPECT_EQ(content("a.pem"), before);
  EXPECT_EQ(content("b.pem"), "") << "it was all or nothing";
  EXPECT_EQ(run({}).status, 1); // there is a CA
  EXPECT_EQ(run({"a", "--force"}).status, 0);
  EXPECT_NE(content("a.pem"), before);
  auto ca = content("ca.pem");
  EXPECT_EQ(run({"a", "--force", "--new-ca"}).status, 0);
  EXPECT_NE(content("ca.pem"), ca);
}

TEST_F(certs_test, tells_a_wrong_command_line_from_a_failure) {
  EXPECT_EQ(run({"../a"}).status, 2);
  EXPECT_EQ(run({"ca"}).status, 2);
  EXPECT_EQ(run({"--days", "0", "a"}).status, 2);
  EXPECT_EQ(run({"--nonsense"}).status, 2);
  EXPECT_FALSE(std::filesystem::exists(where));
  std::ofstream{where} << "a file";
  EXPECT_EQ(run({"a"}).status, 1);
  auto help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("Default: certs."), std::string::npos) << help.out;
  EXPECT_EQ(help.out.find("(="), std::string::npos) << help.out;
}

} // namespace
} // namespace troupe
