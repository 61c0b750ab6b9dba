// HTTPS, and brokers over TLS: who is told is who has a certificate that is good
// for his host, and nobody else gets a byte of a message.

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/broker.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/tls_receiver.hpp"

namespace troupe::test {

namespace {

/// Certificates, each its own CA; of servers for 127.0.0.1 alone.
class certificates {
public:
  certificates() {
    for (auto name : {"server", "client", "stranger"})
      make_certificate(file(name));
  }

  std::filesystem::path file(const std::string& name) const {
    return folder_.path() / name;
  }

  std::string pem(const std::string& name) const {
    return file(name).string() + ".pem";
  }

  std::string key(const std::string& name) const {
    return file(name).string() + ".key";
  }

  /// Fields by which a client shows itself, and trusts the server.
  std::string good() const {
    return trusting("server") + ",cert:" + pem("client")
           + ",cert-key:" + key("client");
  }

  std::string trusting(const std::string& name) const {
    return "ca:" + pem(name);
  }

private:
  testing::temporary_folder folder_;
};

/// A node that tells `lane` of sums.
node_settings telling(const std::filesystem::path& folder,
                      const std::string& lane, const std::string& rest,
                      const std::string& login) {
  node_settings result;
  result.folder = folder;
  result.options = {"--queued", "add=on-success:" + lane + rest, "--queued",
                    lane + "=pause:20ms,max-pause:100ms"};
  if (!login.empty()) {
    result.options.push_back("--destination");
    result.options.push_back(lane + "=" + login);
  }
  return result;
}

void add(const node_process& node) {
  auto x = post(node, "/invoke/add", "[2,3]",
                {"Prefer: respond-async", "Troupe-Key: k"});
  EXPECT_EQ(x.status, 202u) << x.body;
}

std::string waiting(const node_process& node, const std::string& lane) {
  return get(node, "/queue/invocations?state=queued&lane=" + lane).body;
}

/// `eventually`, for what takes a while: each look is a connection, whose port is
/// not free again for a minute.
bool in_a_while(const std::function<bool()>& condition) {
  return eventually([&] {
    if (condition())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    return false;
  });
}

/// Who must not be told: where, and whom the node trusts.
struct wrong {
  std::string host;
  std::string login;
  const char* reason;
  const char* type = "receiver_unreachable";
};

/// None of them is told, and each error says why. Tried more than once.
void are_not_told(const std::string& scheme, uint16_t port,
                  const std::string& rest, const std::vector<wrong>& all) {
  for (auto& x : all) {
    auto lane = scheme + x.host + ":" + std::to_string(port);
    testing::temporary_folder folder;
    node_process node{telling(folder.path(), lane, rest, x.login)};
    add(node);
    EXPECT_TRUE(in_a_while([&] {
      auto text = waiting(node, lane);
      return text.find(x.type) != text.npos && text.find(x.reason) != text.npos;
    }))
      << lane << " " << x.login << ": " << waiting(node, lane);
    EXPECT_EQ(get(node, "/queue/invocations?state=succeeded&lane=" + lane)
                .body.find("receiver"),
              std::string::npos);
  }
}

std::vector<wrong> all_wrong(const certificates& of, const char* other_host) {
  auto shown = ",cert:" + of.pem("client") + ",cert-key:" + of.key("client");
  return {
    {"127.0.0.1", of.trusting("stranger") + shown, "self-signed certificate"},
    {"127.0.0.1", "", "self-signed certificate"}, // trusts the system's alone
    {"localhost", of.good(), other_host}};
}

/// What comes to a broker comes back to the node as well: over a subscription.
void comes_back(const std::string& lane, const std::string& separator,
                const certificates& of) {
  testing::temporary_folder folder;
  auto settings =
    telling(folder.path(), lane, "/sums" + separator + "{key}", of.good());
  settings.options.push_back("--subscribe");
  settings.options.push_back("s=broker:" + lane + ",topic:sums" + separator
                             + "{key},service:data_service,method:set_data,"
                             + of.good());
  node_process node{settings};
  ASSERT_TRUE(in_a_while([&] {
    return get(node, "/subscriptions").body.find("\"connected\"")
           != std::string::npos;
  }))
    << get(node, "/subscriptions").body;
  add(node);
  EXPECT_TRUE(in_a_while([&] {
    return post(node, "/services/data_service/k/get_data").body == "5";
  }))
    << waiting(node, lane);
}

} // namespace

TEST(tls, tells_a_server_of_https_that_is_who_it_says) {
  certificates of;
  tls_receiver server{of.file("server"), of.file("client")};
  are_not_told("https://", server.port(), "/sums",
               all_wrong(of, "target host name"));
  // It asks for a certificate, which this one does not have; with TLS 1.3 it
  // says so after the request has come.
  are_not_told("https://", server.port(), "/sums",
               {{"127.0.0.1", of.trusting("server"), "certificate required",
                 "receiver_failed"}});
  EXPECT_TRUE(server.requests().empty());
  auto lane = "https://127.0.0.1:" + std::to_string(server.port());
  testing::temporary_folder folder;
  node_process node{telling(folder.path(), lane, "/sums", of.good())};
  add(node);
  ASSERT_TRUE(in_a_while([&] { return !server.requests().empty(); }))
    << waiting(node, lane);
  EXPECT_EQ(server.requests()[0].line, "POST /sums");
  EXPECT_EQ(server.requests()[0].body, "5");
}

TEST(tls, tells_a_server_of_nats_that_is_who_it_says) {
  certificates of;
  nats_server server{"debug: true\ntrace: true\ntls { cert_file: \""
                     + of.pem("server") + "\", key_file: \"" + of.key("server")
                     + "\", ca_file: \"" + of.pem("client")
                     + "\", verify: true }\n"};
  are_not_told("tls://", server.port(), "/sums.k",
               all_wrong(of, "hostname mismatch"));
  EXPECT_EQ(server.log().find("sums"), std::string::npos) << server.log();
  comes_back("tls://127.0.0.1:" + std::to_string(server.port()), ".", of);
  EXPECT_NE(server.log().find("sums"), std::string::npos) << server.log();
}

TEST(tls, tells_a_broker_of_mqtt_that_is_who_it_says) {
  certificates of;
  mosquitto_server broker{"allow_anonymous true\ncafile " + of.pem("client")
                          + "\ncertfile " + of.pem("server") + "\nkeyfile "
                          + of.key("server") + "\nrequire_certificate true\n"};
  are_not_told("mqtts://", broker.port(), "/sums/k",
               all_wrong(of, "hostname mismatch"));
  EXPECT_EQ(broker.log().find("sums"), std::string::npos) << broker.log();
  comes_back("mqtts://127.0.0.1:" + std::to_string(broker.port()), "/", of);
  EXPECT_NE(broker.log().find("sums"), std::string::npos) << broker.log();
}

} // namespace troupe::test
