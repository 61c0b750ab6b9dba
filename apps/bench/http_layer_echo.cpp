// Echo on nodes/http alone: what the byte level costs without the runtime.

#include <csignal>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "apps/bench/echo_options.hpp"
#include "nodes/http/server.hpp"

namespace {

namespace http = troupe::http;

class echo : public http::handler {
public:
  void handle(http::exchange& x) override {
    http::response answer;
    answer.add("Content-Type", "application/octet-stream");
    answer.body = std::move(x.request().body());
    x.respond(std::move(answer));
  }

  void aborted(http::exchange&) noexcept override {}
};

} // namespace

int main(int argc, char** argv) {
  auto given = troupe::bench::parse_echo_options(argc, argv);
  http::options options;
  options.port = given.port;
  options.threads = given.threads;
  options.body_bytes_max = troupe::bench::echo_body_max;
  http::server server{options, [](auto&) { return std::make_unique<echo>(); }};
  server.start();
  std::cout << server.port() << std::endl;
  for (;;)
    ::pause();
}
