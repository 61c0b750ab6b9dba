// Baseline: an echo server of Boost.Beast alone.

#include <iostream>
#include <thread>
#include <vector>

#include "apps/bench/beast_server.hpp"

namespace {

using namespace troupe::bench;

struct echo {
  template <class Session>
  void operator()(const std::shared_ptr<Session>& from) const {
    from->answer(from->take_body(), "application/octet-stream");
  }
};

struct thread_of_io {
  explicit thread_of_io(uint16_t port) : io(1), in(io, port, {}) {}
  asio::io_context io;
  beast_listener<echo> in;
};

} // namespace

int main(int argc, char** argv) {
  auto given = parse_echo_options(argc, argv);
  std::vector<std::unique_ptr<thread_of_io>> all;
  all.push_back(std::make_unique<thread_of_io>(given.port));
  auto port = all.front()->in.port();
  while (all.size() < given.threads)
    all.push_back(std::make_unique<thread_of_io>(port));
  std::cout << port << std::endl;
  std::vector<std::thread> threads;
  for (size_t i = 1; i < all.size(); ++i)
    threads.emplace_back([&io = all[i]->io] { io.run(); });
  all.front()->io.run();
}
