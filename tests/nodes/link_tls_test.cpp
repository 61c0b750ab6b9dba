// Mutual TLS between nodes: with the right files it is a link like any other, and
// every mistake is either refused at the start, or keeps exactly those two apart.

#include <fstream>

#include <openssl/ssl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "nodes/link/certificates.hpp"
#include "tests/support/link_node.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::link {
namespace {

using testing::link_node;
using outcome = forwarded_answer::outcome;
using namespace std::chrono_literals;

class link_tls_test : public ::testing::Test {
protected:
  link_tls_test() : certificates(folder.path() / "certs") {
    certificates.make_ca({});
    certificates.make("a", {});
    certificates.make("b", {});
  }

  link_options options(const std::string& id) {
    auto result = link_node::options(id);
    result.tls = certificates.files(id);
    return result;
  }

  /// Those of a node that another CA vouches for.
  link_options foreign_options(const std::string& id) {
    certificate_folder others{folder.path() / "others"};
    others.make_ca({});
    others.make(id, {});
    auto result = link_node::options(id);
    result.tls = others.files(id);
    return result;
  }

  /// With times in which a test sees that there is no link.
  static link_options impatient(link_options x) {
    x.heartbeat_interval = 20ms;
    x.connect_timeout = 500ms;
    return x;
  }

  /// Why these files are refused at the start; empty if they are not.
  static std::string objection(const tls_files& files) {
    try {
      tls_context context{files};
      return {};
    } catch (const tls_error& e) {
      return e.what();
    }
  }

  static std::string content(const std::filesystem::path& x) {
    std::ifstream in{x};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  static void expect_in(const std::string& part, const std::string& whole) {
    EXPECT_NE(whole.find(part), std::string::npos) << whole;
  }

  testing::temporary_folder folder;
  certificate_folder certificates;
};

// -- links ---------------------------------------------------------------------

TEST_F(link_tls_test, brings_calls_and_large_payloads) {
  link_node a{options("a")};
  link_node b{options("b")};
  auto to_b = a.connect(b.endpoint());
  auto to_a = b.connect(a.endpoint());
  std::string large(3'000'000, 'x');
  large[2'999'999] = 'y';
  auto x = link_node::send(to_b, large);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(link_node::send(to_a, "small")->wait().result.bytes, "small");
  EXPECT_EQ(x->wait().result.bytes, large);
}

TEST_F(link_tls_test, keeps_a_node_of_another_ca_out) {
  link_node a{options("a")};
  link_node b{foreign_options("b")};
  auto to_b = a.link->connect(b.endpoint());
  auto to_a = b.link->connect(a.endpoint());
  expect_in("TLS: ", a.wait_for("down b/1"));
  expect_in("TLS: ", b.wait_for("down a/1"));
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
  EXPECT_EQ(link_node::send(to_a)->wait().what, outcome::unsent);
}

TEST_F(link_tls_test, keeps_a_plain_node_and_one_with_tls_apart) {
  link_node a{impatient(options("a"))};
  link_node b{impatient(link_node::options("b"))};
  auto to_b = a.link->connect(b.endpoint());
  auto to_a = b.link->connect(a.endpoint());
  expect_in("TLS", a.wait_for("down b/1"));
  b.wait_for("down a/1");
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::unsent);
  EXPECT_EQ(link_node::send(to_a)->wait().what, outcome::unsent);
}

TEST_F(link_tls_test, both_sides_say_why_there_is_no_link) {
  link_node a{options("a")};
  link_node b{foreign_options("b")};
  auto to_a = b.link->connect(a.endpoint());
  expect_in("TLS: ", a.wait_for("refused 127.0.0.1:"));
  b.wait_for("down a/1");
  expect_in("certificate", to_a->failure());
}

TEST_F(link_tls_test, a_node_with_tls_and_a_plain_one_tell_of_each_other) {
  link_node a{options("a")};
  link_node b{impatient(link_node::options("b"))};
  auto to_a = b.link->connect(a.endpoint());
  expect_in("TLS: ", a.wait_for("refused 127.0.0.1:"));
  auto to_b = a.link->connect(b.endpoint());
  b.wait_for("refused 127.0.0.1:");
  a.wait_for("down b/1");
  EXPECT_NE(to_b->failure(), "");
}

TEST_F(link_tls_test, its_address_is_free_once_it_accepts_no_more) {
  link_node a{options("a")};
  link_node b{options("b")};
  auto to_b = a.connect(b.endpoint());
  b.link->accept_no_more();
  auto next = options("b");
  next.self.incarnation = "2";
  next.listen = b.link->address();
  link_node again{next};
  EXPECT_EQ(link_node::send(to_b)->wait().what, outcome::done);
  EXPECT_EQ(link_node::send(a.connect(again.endpoint()))->wait().what,
            outcome::done);
}

TEST_F(link_tls_test, drops_who_does_not_shake_hands) {
  auto impatient = options("b");
  impatient.connect_timeout = 50ms;
  link_node b{impatient};
  auto patient = link_node::options("a");
  link_node a{patient};
  // A plain node says hello, which is no handshake.
  a.link->connect(b.endpoint());
  a.wait_for("down b/1");
}

TEST_F(link_tls_test, lets_nobody_in_without_a_certificate) {
  link_node b{options("b")};
  auto address = b.link->address();
  auto port = address.substr(address.rfind(':') + 1);
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{
    SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<BIO, decltype(&BIO_free_all)> stranger{
    BIO_new_ssl_connect(context.get()), &BIO_free_all};
  BIO_set_conn_hostname(stranger.get(), ("127.0.0.1:" + port).c_str());
  // With TLS 1.3 the client learns of the refusal when it reads.
  char byte;
  auto open = BIO_do_connect(stranger.get()) == 1;
  EXPECT_LE(open ? BIO_read(stranger.get(), &byte, 1) : 0, 0);
  // The node serves on.
  link_node a{options("a")};
  EXPECT_EQ(link_node::send(a.connect(b.endpoint()))->wait().what,
            outcome::done);
}

// -- files ---------------------------------------------------------------------

TEST_F(link_tls_test, takes_files_that_fit) {
  EXPECT_EQ(objection(certificates.files("a")), "");
}

TEST_F(link_tls_test, demands_all_three_files) {
  auto files = certificates.files("a");
  for (auto missing :
       {&tls_files::ca, &tls_files::certificate, &tls_files::key}) {
    auto some = files;
    (some.*missing).clear();
    expect_in("is missing", objection(some));
    // A node does not start with them either.
    auto wrong = options("a");
    wrong.tls = some;
    EXPECT_THROW(link_node{wrong}, tls_error);
  }
}

TEST_F(link_tls_test, says_which_file_it_cannot_read) {
  auto files = certificates.files("a");
  for (auto missing :
       {&tls_files::ca, &tls_files::certificate, &tls_files::key}) {
    auto some = files;
    some.*missing = (folder.path() / "nowhere.pem").string();
    expect_in("nowhere.pem' cannot be read", objection(some));
  }
}

TEST_F(link_tls_test, refuses_files_that_are_something_else) {
  auto path = (folder.path() / "text.pem").string();
  std::ofstream{path} << "not a certificate\n";
  auto files = certificates.files("a");
  for (auto wrong :
       {&tls_files::ca, &tls_files::certificate, &tls_files::key}) {
    auto some = files;
    some.*wrong = path;
    expect_in("text.pem' cannot be used", objection(some));
  }
}

TEST_F(link_tls_test, refuses_a_key_of_another_certificate) {
  auto files = certificates.files("a");
  files.key = certificates.files("b").key;
  expect_in("cannot be used with the certificate", objection(files));
}

TEST_F(link_tls_test, refuses_an_expired_certificate) {
  certificates.make("old", {-std::chrono::hours{48}, -std::chrono::hours{24}});
  expect_in("has expired", objection(certificates.files("old")));
}

TEST_F(link_tls_test, refuses_a_certificate_that_is_not_valid_yet) {
  certificates.make("new", {std::chrono::hours{24}, std::chrono::hours{48}});
  expect_in("not valid yet", objection(certificates.files("new")));
}

TEST_F(link_tls_test, refuses_a_certificate_of_another_ca) {
  certificate_folder others{folder.path() / "others"};
  others.make_ca({});
  auto files = certificates.files("a");
  files.ca = others.files("a").ca;
  expect_in("does not fit the CA", objection(files));
}

TEST_F(link_tls_test, refuses_an_expired_ca) {
  certificate_folder old{folder.path() / "old"};
  old.make_ca({-std::chrono::hours{48}, -std::chrono::hours{24}});
  old.make("a", {});
  expect_in("expired", objection(old.files("a")));
}

// -- making them ---------------------------------------------------------------

TEST_F(link_tls_test, keeps_keys_for_their_owner) {
  for (auto name : {"ca.key", "a.key"}) {
    struct stat x {};
    ASSERT_EQ(::stat((folder.path() / "certs" / name).c_str(), &x), 0);
    EXPECT_EQ(x.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(link_tls_test, overwrites_nothing_unless_asked) {
  auto before = content(certificates.files("a").certificate);
  auto ca = content(certificates.files("a").ca);
  EXPECT_THROW(certificates.make("a", {}), certificate_error);
  EXPECT_THROW(certificates.make_ca({}), certificate_error);
  EXPECT_EQ(content(certificates.files("a").certificate), before);
  EXPECT_EQ(content(certificates.files("a").ca), ca);
  certificates.make("a", {}, true);
  EXPECT_NE(content(certificates.files("a").certificate), before);
  EXPECT_EQ(objection(certificates.files("a")), "");
  certificates.make_ca({}, true);
  expect_in("does not fit the CA", objection(certificates.files("a")));
}

TEST_F(link_tls_test, makes_nothing_without_a_ca) {
  certificate_folder empty{folder.path() / "empty"};
  EXPECT_THROW(empty.make("a", {}), certificate_error);
  EXPECT_FALSE(empty.has("a"));
}

TEST(certificate_names, are_names_of_files_and_of_nothing_else) {
  for (auto good : {"a", "node-1", "eu.west_2", "A9"})
    EXPECT_TRUE(is_certificate_name(good)) << good;
  for (auto bad : {"", "ca", ".", "..", "../x", "a/b", "a b", ".hidden"})
    EXPECT_FALSE(is_certificate_name(bad)) << bad;
  EXPECT_FALSE(is_certificate_name(std::string(65, 'a')));
}

} // namespace
} // namespace troupe::link
