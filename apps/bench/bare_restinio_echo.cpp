// Baseline: an echo server as RESTinio 0.6's own examples write it. One thread
// runs it without locks; several share one io_context, as its pool does. No
// Date field: it would format one for each answer.

#include <utility> // Asio 1.74 forgets it

#include <restinio/all.hpp>

#include <iostream>

#include "apps/bench/echo_options.hpp"

namespace {

using acceptor = restinio::asio_ns::ip::tcp::acceptor;
using no_delay = restinio::asio_ns::ip::tcp::no_delay;

template <class Settings>
void serve(Settings settings, uint16_t port) {
  restinio::run(std::move(settings)
                  .address("127.0.0.1")
                  .port(port)
                  .acceptor_post_bind_hook([](acceptor& x) {
                    std::cout << x.local_endpoint().port() << std::endl;
                  })
                  .socket_options_setter(
                    [](auto& options) { options.set_option(no_delay(true)); })
                  .incoming_http_msg_limits(
                    restinio::incoming_http_msg_limits_t{}.max_body_size(
                      troupe::bench::echo_body_max))
                  .request_handler([](const auto& request) {
                    return request->create_response()
                      .append_header("Content-Type", "application/octet-stream")
                      .set_body(request->body())
                      .done();
                  }));
}

} // namespace

int main(int argc, char** argv) {
  auto given = troupe::bench::parse_echo_options(argc, argv);
  if (given.threads == 1)
    serve(restinio::on_this_thread<>(), given.port);
  else
    serve(restinio::on_thread_pool<>(given.threads), given.port);
}
