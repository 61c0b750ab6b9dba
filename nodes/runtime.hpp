// Troupe inside a program: link the library, hand over a module, call it.
//
//   int main(int argc, char** argv) {
//     troupe::runtime rt{argc, argv, shop()};
//     auto add = rt.function<int(int, int)>("add");
//     troupe::expected<int> sum = add(1, 2);
//     return rt.wait();
//   }
//
// A runtime with argc and argv is a node: it takes the options of `troupe node`,
// keeps state on disk and serves HTTP beside the calls from C++. One with a
// module alone opens no socket and no file.

#pragma once

#include <memory>
#include <string>

#include <caf/actor.hpp>

#include "actors/core/module.hpp"
#include "nodes/entity_handle.hpp"
#include "nodes/function_handle.hpp"
#include "nodes/held_lock.hpp"
#include "nodes/options.hpp"
#include "nodes/stored_entities.hpp"
#include "nodes/typed_map.hpp"

namespace troupe {

class node;

class runtime {
public:
  /// A node with HTTP. Prints what is wrong and ends the program if it cannot
  /// start: status 2 for the command line, 1 for anything else; `--help` prints
  /// the options and ends it with 0.
  runtime(int argc, char** argv, const module& content);

  /// In-process only: no HTTP, state in memory.
  /// @throws error_exception if the actors cannot start
  explicit runtime(const module& content);

  /// As configured; serves HTTP if `http` is true.
  /// @throws error_exception if it cannot start
  runtime(node_options options, const module& content, bool http);

  runtime(const runtime&) = delete;

  /// Stops; calls in flight are answered with `shutting_down` or
  /// `instance_lost`. Handles must not be used afterwards.
  ~runtime();

  /// A typed handle of a function or exposed actor. It need not exist yet:
  /// calls answer `not_found` until it does.
  template <class Signature>
  auto function(std::string name) {
    return function_handle<typename signature<Signature>::type>{
      port(), std::move(name), queue()};
  }

  /// A typed handle of one entity of the service whose class is `S`.
  template <class S>
  typed_entity<S> entity(std::string key) {
    return {port(), std::move(key), queue()};
  }

  // -- many calls at once ----------------------------------------------------

  /// Calls a function with each of `inputs` (a vector or array; a tuple is
  /// several arguments), so many at a time, all over the cluster, and waits:
  /// `rt.map<int>("square", numbers, {.parallel = 8, .timeout = 5s})`. There is
  /// a result or an error for each, in the order of the inputs.
  template <class R, class Inputs>
  std::vector<expected<R>> map(std::string name, const Inputs& inputs,
                               const map_options& options = {}) {
    detail::function_map<R, Inputs> work{std::move(name), inputs};
    auto from = port();
    map_and_wait(from, work, options);
    return work.take();
  }

  /// Calls a method of each of the entities `keys`, with the same arguments:
  /// `rt.map(&counter::increment, keys, 2)`.
  template <class Pointer, class Keys, class... Us>
  requires std::is_member_function_pointer_v<Pointer>
  auto map(Pointer method, const Keys& keys, Us&&... xs) {
    return map(map_options{}, method, keys, std::forward<Us>(xs)...);
  }

  /// `rt.map({.parallel = 8}, &counter::increment, keys, 2)`.
  template <class Pointer, class Keys, class... Us>
  auto map(const map_options& options, Pointer method, const Keys& keys,
           Us&&... xs) {
    using traits = detail::call_traits<Pointer>;
    detail::check_method_call<typename traits::object, Pointer, Us...>();
    detail::entity_map<Keys, Pointer, typename traits::type> work{
      keys, method, std::forward<Us>(xs)...};
    auto from = port();
    map_and_wait(from, work, options);
    return work.take();
  }

  // -- durable calls ---------------------------------------------------------

  /// What became of a call that `async` queued: `rt.queued(job->id)`.
  /// `not_found` if its result is not kept any more.
  expected<work_view> queued(const invocation_id& id);

  // -- stored entities -------------------------------------------------------

  /// One page of a service's keys: `rt.keys("counter", {.prefix = "user/"})`;
  /// the next one is `{.after = *page.next}`.
  expected<entity_page> keys(const std::string& service, key_query query = {});

  /// What is stored of an entity; `not_found` if nothing is.
  expected<stored_state> state(const std::string& service,
                               const std::string& key);

  /// Makes `state` (JSON, of its `schema`; 0: the newest) the entity's, whatever
  /// it was before. Its revision is the entity's next one.
  expected<void> replace(const std::string& service, const std::string& key,
                         const stored_state& state,
                         const call_options& options = {});

  /// Deletes an entity; `not_found` if it has no state.
  expected<void> erase(const std::string& service, const std::string& key,
                       const call_options& options = {});

  // -- locks -----------------------------------------------------------------

  /// Asks for a lock, and waits for it if the options say so:
  /// `rt.lock("door", {.ttl = 30s, .wait = 5s})`. `lock_held` if somebody else
  /// has it.
  expected<held_lock> lock(std::string name, const lock_options& options = {});

  // -- what is under it ------------------------------------------------------

  /// The CAF actor that is exposed as `name` now; null if there is none. It is
  /// another one after a restart.
  caf::actor actor(const std::string& name);

  caf::actor_system& system() noexcept;

  /// "http://127.0.0.1:8700"; empty without HTTP.
  std::string url() const;

  /// Serves until SIGTERM or SIGINT, then lets what is in flight finish; returns
  /// the exit status. @pre a runtime with HTTP
  int wait();

private:
  call_port port();

  dispatcher* queue() noexcept;

  expected<void> change(entity_call to, std::string body,
                        const call_options& options);

  std::unique_ptr<node> node_;
};

} // namespace troupe
