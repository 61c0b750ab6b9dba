#include "actors/routing/call_port.hpp"

#include <algorithm>
#include <random>

#include <caf/actor_system.hpp>

#include "actors/core/submit.hpp"

namespace troupe {

namespace {

invocation_id random_start() {
  std::random_device entropy;
  auto word = [&] { return uint64_t{entropy()} << 32 | entropy(); };
  // A long run of numbers fits behind it.
  return {word(), word() >> 16 << 16};
}

} // namespace

call_port::call_port(caf::actor_system& sys, const call_environment& env)
  : sys_(sys), env_(env), routes_(env.routes), next_(random_start()) {}

call_port::call_port(const call_port& other)
  : call_port(other.sys_, other.env_) {}

expected<call_target_ptr> call_port::function(std::string_view name,
                                              std::string_view qualifier) {
  return find_function(*routes_, name, qualifier);
}

expected<call_target_ptr> call_port::service(std::string_view name) {
  return find_service(*routes_, name);
}

void call_port::prepare(invocation& call, const call_target& target,
                        std::optional<std::chrono::milliseconds> timeout) {
  prepare(call, target.timeout(), timeout);
}

void call_port::prepare(invocation& call, std::chrono::milliseconds longest,
                        std::optional<std::chrono::milliseconds> timeout) {
  call.id = next_;
  ++next_.low;
  call.submitted = sys_.clock().now();
  call.deadline = call.submitted + std::min(timeout.value_or(longest), longest);
}

} // namespace troupe
