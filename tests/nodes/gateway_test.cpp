// The gateway at its end. What it does while it lives is seen from outside, in
// nodes/process.

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "nodes/assembly.hpp"
#include "nodes/http/gateway.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/http_fixture.hpp"
#include "tests/support/raw_client.hpp"

namespace troupe {
namespace {

using tree_callback = std::function<void(expected<std::string>)>;

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

} // namespace
} // namespace troupe
