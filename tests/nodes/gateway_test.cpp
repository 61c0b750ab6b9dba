// The gateway with stores that do not do as they should, and at its end. What it
// does while all is well is seen from outside, in nodes/process.

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "actors/messages/subscription_book.hpp"
#include "nodes/assembly.hpp"
#include "nodes/http/gateway.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/http_fixture.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe {
namespace {

using tree_callback = std::function<void(expected<std::string>)>;

/// A store that can be asked, but answers when the test says so.
class slow_store final : public state_store {
public:
  test::awaited<callback<stored_state>> loads;
  test::awaited<callback<std::vector<listed_entity>>> lists;

  void claim(entity_id, fencing_token, std::optional<shard_ownership>,
             callback<claimed_state> done) override {
    done(error{errc::store_unavailable, "not this one"});
  }

  void commit(commit_request, commit_callback done) override {
    done(commit_outcome::failed);
  }

  void release(entity_id, fencing_token) override {}

  void find_outcome(entity_id, std::string,
                    callback<std::optional<recorded_outcome>> done) override {
    done(error{errc::store_unavailable, "not this one"});
  }

  void load(entity_id, callback<stored_state> done) override {
    loads.set(std::move(done));
  }

  void list(list_request, callback<std::vector<listed_entity>> done) override {
    lists.set(std::move(done));
  }

  std::string describe() const override { return "slow:"; }
};

struct cell {
  int value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(cell, value)
};

/// A gateway in front of a slow store, with a service "cell".
struct slow_node {
  slow_store* store = new slow_store;
  assembly actors{{}, std::unique_ptr<state_store>{store}};
  gateway_host host;
  http::server server{test::free_port(), [this](http::io_thread& io) {
                        return std::make_unique<gateway>(io, actors.port(),
                                                         host);
                      }};

  slow_node() {
    module m;
    m.service<cell>("cell");
    actors.install("the test", m).value();
    host.store = store;
    server.start();
  }
};

std::string get(const std::string& path, const std::string& field = "X: y") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + field + "\r\n\r\n";
}

// The answer was posted to a thread that was gone, as the address sanitizer
// sees.
TEST(gateway, takes_no_tree_that_comes_after_its_end) {
  assembly actors{{}, std::make_unique<memory_store>()};
  test::awaited<tree_callback> asked;
  gateway_host host;
  host.tree = [&](tree_callback done) { asked.set(std::move(done)); };
  tree_callback late;
  {
    http::server server{test::free_port(), [&](http::io_thread& io) {
                          return std::make_unique<gateway>(io, actors.port(),
                                                           host);
                        }};
    server.start();
    test::raw_client client{server.port()};
    client.send("GET /cluster/tree HTTP/1.1\r\nHost: x\r\n\r\n");
    late = asked.get();
  }
  late(std::string{"[]"});
}

TEST(gateway, reads_a_state_when_the_store_gives_it) {
  slow_node node;
  test::raw_client client{node.server.port()};
  client.send(get("/services/cell/k"));
  node.store->loads.get()(stored_state{7, R"({"value":1})", 3});
  auto x = client.read();
  EXPECT_EQ(x.status, 200u);
  EXPECT_EQ(x.body, R"({"value":1})");
  EXPECT_EQ(x.field("ETag"), "\"7\"");
  EXPECT_EQ(x.field("Troupe-Schema"), "3");
}

TEST(gateway, says_that_it_cannot_read_what_the_store_has) {
  for (auto state : {"no JSON", R"({"subscriptions":7})"}) {
    slow_node node;
    node.actors.install("subscriptions", subscriptions_module()).value();
    node.host.subscription = [](const std::string&) { return json{}; };
    test::raw_client client{node.server.port()};
    client.send(get("/subscriptions/meters"));
    node.store->loads.get()(stored_state{7, state, 1});
    auto x = client.read();
    EXPECT_EQ(x.status, 500u) << state << x.body;
    EXPECT_EQ(x.error_type(), "internal_error");
  }
}

TEST(gateway, answers_a_read_by_its_deadline_when_the_store_does_not) {
  for (auto path : {"/services/cell/k", "/services/cell"}) {
    slow_node node;
    test::raw_client client{node.server.port()};
    client.send(get(path, "Troupe-Timeout-Ms: 20"));
    auto x = client.read();
    EXPECT_EQ(x.status, 504u);
    EXPECT_EQ(x.error_type(), "deadline_exceeded");
    EXPECT_EQ(x.effect(), "none");
    // What comes too late is dropped, and the connection goes on.
    if (path == std::string{"/services/cell/k"})
      node.store->loads.get()(stored_state{1, "1", 1});
    else
      node.store->lists.get()(std::vector<listed_entity>{});
    client.send(get("/nowhere"));
    EXPECT_EQ(client.read().status, 404u);
  }
}

TEST(gateway, says_that_a_store_cannot_be_read) {
  slow_node node;
  test::raw_client client{node.server.port()};
  error away{errc::store_unavailable, "the disk is gone"};
  client.send(get("/services/cell/k"));
  node.store->loads.get()(away);
  auto x = client.read();
  EXPECT_EQ(x.status, 503u);
  EXPECT_EQ(x.error_type(), "store_unavailable");
  EXPECT_EQ(x.field("Retry-After"), "1");
  client.send(get("/services/cell"));
  node.store->lists.get()(away);
  EXPECT_EQ(client.read().error_type(), "store_unavailable");
}

TEST(gateway, takes_no_state_that_comes_after_its_end) {
  slow_store::callback<stored_state> late;
  {
    slow_node node;
    test::raw_client client{node.server.port()};
    client.send(get("/services/cell/k"));
    late = node.store->loads.get();
  }
  late(stored_state{1, "1", 1});
}

TEST(gateway, forgets_a_read_whose_client_has_gone) {
  slow_node node;
  {
    test::raw_client client{node.server.port()};
    client.send(get("/services/cell/k"));
    node.store->loads.get();
    client.reset();
  }
  // The server would wait for it.
  EXPECT_TRUE(node.server.drain(std::chrono::seconds{20}));
}

} // namespace
} // namespace troupe
