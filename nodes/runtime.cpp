#include "nodes/runtime.hpp"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "nodes/node.hpp"

namespace troupe {

namespace {

node_options in_process() {
  node_options result;
  result.store = "memory:";
  result.log.level = log_level::warn;
  return result;
}

/// As it was typed.
std::string name_of_program(int argc, char** argv) {
  return argc > 0 ? argv[0] : "program";
}

node_options parse_or_exit(int argc, char** argv) {
  auto program = name_of_program(argc, argv);
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  auto parsed = parse_node_options(arguments, current_environment());
  if (!parsed) {
    std::fprintf(stderr, "%s: %s\nTry '%s --help' for all options.\n",
                 program.c_str(), parsed.error().message().c_str(),
                 program.c_str());
    std::exit(parsed.error() == errc::not_implemented ? 1 : 2);
  }
  if (parsed->help) {
    std::fputs(node_options_help(program).c_str(), stdout);
    std::exit(0);
  }
  for (auto& warning : parsed->warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return std::move(parsed->options);
}

expected<void> start(node& self, const module& content, bool http) {
  if (auto done = self.open(); !done)
    return done;
  if (auto done = self.install("this program", content); !done)
    return done;
  if (auto done = self.load_plugins(); !done)
    return done;
  return http ? self.listen() : self.join();
}

} // namespace

runtime::runtime(int argc, char** argv, const module& content) {
  auto options = parse_or_exit(argc, argv);
  node::take_signals();
  node_ = std::make_unique<node>(std::move(options));
  if (auto done = start(*node_, content, true); !done) {
    std::fprintf(
      stderr, "error: %s: the node cannot start: %s (effect: none)\n",
      std::string{done.error().type()}.c_str(), done.error().message().c_str());
    node_.reset();
    std::exit(1);
  }
  node_->print_banner("");
}

runtime::runtime(const module& content)
  : runtime(in_process(), content, false) {}

runtime::runtime(node_options options, const module& content, bool http)
  : node_(std::make_unique<node>(std::move(options))) {
  start(*node_, content, http).value();
}

runtime::~runtime() = default;

// -- stored entities ---------------------------------------------------------

expected<entity_page> runtime::keys(const std::string& service,
                                    key_query query) {
  auto target = port().service(service);
  if (!target)
    return target.error();
  return read_page(node_->actors().store(), service, std::move(query),
                   (*target)->timeout());
}

dispatcher* runtime::queue() noexcept {
  return &node_->actors().work();
}

expected<work_view> runtime::queued(const invocation_id& id) {
  return find_queued(*queue(), id);
}

expected<stored_state> runtime::state(const std::string& service,
                                      const std::string& key) {
  auto target = port().service(service);
  if (!target)
    return target.error();
  return read_state(node_->actors().store(), {service, key},
                    (*target)->timeout());
}

expected<void> runtime::replace(const std::string& service,
                                const std::string& key,
                                const stored_state& state,
                                const call_options& options) {
  entity_call to{service, key};
  to.operation = entity_operation::replace;
  to.schema = state.schema;
  return change(std::move(to), state.state, options);
}

expected<void> runtime::erase(const std::string& service,
                              const std::string& key,
                              const call_options& options) {
  entity_call to{service, key};
  to.operation = entity_operation::erase;
  return change(std::move(to), {}, options);
}

expected<void> runtime::change(entity_call to, std::string body,
                               const call_options& options) {
  auto from = port();
  auto target = from.service(to.service);
  if (!target)
    return target.error();
  auto entity = make_entity_call(std::move(to), options);
  if (!entity)
    return entity.error();
  auto call = caf::make_counted<raw_invocation>(payload{std::move(body), {}});
  call->entity = std::move(*entity);
  blocking_port waiter;
  call->port = &waiter;
  from.prepare(*call, **target, std::nullopt);
  lender thread{system(), nullptr, from.environment().lend};
  (*target)->submit(call, thread);
  if (auto late = waiter.wait(*call))
    return *std::move(late);
  if (auto reason = call->failure())
    return *reason;
  return {};
}

// -- locks -------------------------------------------------------------------

expected<held_lock> runtime::lock(std::string name,
                                  const lock_options& options) {
  return acquire_lock(node_->actors().locks(), std::move(name), options);
}

// -- what is under it --------------------------------------------------------

caf::actor runtime::actor(const std::string& name) {
  auto target = port().function(name);
  if (!target || (*target)->kind() != "exposed")
    return nullptr;
  return static_cast<exposed_target&>((*target)->here()).actor();
}

caf::actor_system& runtime::system() noexcept {
  return node_->actors().system();
}

std::string runtime::url() const {
  return node_->url();
}

int runtime::wait() {
  return node_->serve();
}

call_port runtime::port() {
  return node_->actors().port();
}

} // namespace troupe
