// What a node's log says of brokers that go and come back.

#include <algorithm>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include "tests/support/broker.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t result = 0;
  for (auto i = text.find(part); i != text.npos; i = text.find(part, i + 1))
    ++result;
  return result;
}

/// Closes so many connections to a port as soon as they come.
bool turns_away(uint16_t port, int times) {
  namespace asio = boost::asio;
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor{io,
                                   {asio::ip::address_v4::loopback(), port}};
  acceptor.non_blocking(true);
  int count = 0;
  return eventually([&] {
    boost::system::error_code fault;
    acceptor.accept(fault); // and it is closed
    count += fault ? 0 : 1;
    return count >= times;
  });
}

/// A broker goes, and comes back after the node has tried in vain.
template <class Server>
void says_what_becomes_of(const std::string& topic, const char* reason) {
  Server server;
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  for (auto name : {"first", "second"}) {
    settings.options.push_back("--subscribe");
    settings.options.push_back(std::string{name} + "=broker:" + server.url()
                               + ",topic:" + topic + ",function:add");
  }
  node_process node{settings};
  auto has = "the broker " + server.url();
  auto has_not = "nothing from its broker " + server.url() + ", and try";
  auto names = [&](const std::string& part) {
    auto log = node.log();
    size_t result = 0;
    for (size_t i = 0; i < log.size();) {
      auto end = std::min(log.find('\n', i), log.size());
      auto line = log.substr(i, end - i);
      if (line.find(part) != line.npos)
        result += count(line, "'first'") + count(line, "'second'");
      i = end + 1;
    }
    return result;
  };
  ASSERT_TRUE(eventually([&] { return names(has) == 2; })) << node.log();
  server.kill();
  ASSERT_TRUE(eventually([&] { return names(has_not) == 2; })) << node.log();
  EXPECT_NE(node.log().find(reason), std::string::npos) << node.log();
  EXPECT_TRUE(turns_away(server.port(), 8)); // far apart: several moments
  server.start();
  ASSERT_TRUE(eventually([&] { return names(has) == 4; })) << node.log();
  EXPECT_EQ(names(has_not), 2u) << node.log();
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(names(has_not), 2u) << node.log(); // it goes on purpose
}

} // namespace

TEST(broker_news, tells_once_of_mqtt) {
  says_what_becomes_of<mosquitto_server>("a", "the connection broke");
}

TEST(broker_news, tells_once_of_nats) {
  says_what_becomes_of<nats_server>("a", "the connection is over");
}

} // namespace troupe::test
