// HTTP to calls and back. One gateway for each I/O thread; it routes
// on that thread, and when the handler is short the call runs there too, so that
// a request needs no other thread. Answers that come later are posted back.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/codec.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/invocation.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/work_id.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/model/deadline_wheel.hpp"
#include "actors/routing/call_port.hpp"
#include "actors/work/starter.hpp"
#include "nodes/http/handler.hpp"
#include "nodes/http/way_back.hpp"
#include "nodes/secrets_folder.hpp"

namespace troupe {

class lock_keeper;
class event_router;
class function_name;
class page_reader;
struct entity_page;

/// What the gateway cannot know by itself. Called on I/O threads: must not
/// block.
struct gateway_host {
  /// The body of `/cluster`.
  std::function<std::string()> cluster;

  /// The body of `/cluster/shards`.
  std::function<std::string()> shards;

  /// The body of `/cluster/owner`.
  std::function<expected<std::string>(const std::string& service,
                                      const std::string& key)>
    owner;

  /// The body of `/subscriptions`.
  std::function<std::string()> subscriptions;

  /// One of them as this node sees it; null if it does not have it.
  std::function<json(const std::string& name)> subscription;

  /// Files that subscriptions of run time may name.
  secrets_folder secrets{};

  /// Has the node `id` leave.
  std::function<expected<void>(const std::string& id)> drain;

  /// The body of `/metrics`.
  std::function<std::string()> metrics;

  /// Asks for the body of `/cluster/tree`; `done` is called on any thread, at
  /// any time.
  std::function<void(std::function<void(expected<std::string>)> done)> tree;

  /// The node takes new work.
  std::function<bool()> ready;

  /// Where the states of entities are read; outlives the server.
  state_store* store = nullptr;

  /// Who holds and waits for locks; outlives the server.
  lock_keeper* locks = nullptr;

  /// Takes calls that are done later; outlives the server.
  dispatcher* work = nullptr;

  /// Which events call what; outlives the server.
  event_router* events = nullptr;
};

class gateway final : public http::handler, public reply_port {
public:
  /// `host` outlives it.
  gateway(http::io_thread& thread, call_port port, const gateway_host& host);

  ~gateway() override;

  void handle(http::exchange& x) override;

  void aborted(http::exchange& x) noexcept override;

  void answered(invocation& call, caf::execution_unit* host) noexcept override;

private:
  class http_call;
  class mapping;
  struct map_target;
  struct path_view;

  void route(http::exchange& x);

  // -- the paths -----------------------------------------------

  void invoke(http::exchange& x, const path_view& path);
  void cluster(http::exchange& x, const path_view& path);
  void owner(http::exchange& x);
  void drain(http::exchange& x);
  void tree(http::exchange& x);

  // -- /services (gateway_services.cpp) --------------------------------------

  void services(http::exchange& x, const path_view& path);

  /// Calls an entity, or changes it in another way.
  /// @param status of an answer that is good
  void call_entity(http::exchange& x, call_target& service,
                   std::unique_ptr<entity_call> to, unsigned status = 200);

  /// The call that asks for it, with the fields that a call of an entity has.
  caf::intrusive_ptr<http_call>
  make_entity_call(http::exchange& x, call_target& service,
                   std::unique_ptr<entity_call> to);

  /// Answers with what is stored of an entity.
  void read_entity(http::exchange& x, call_target& service, entity_id which);

  /// Answers with a page of a service's keys.
  void list_entities(http::exchange& x, call_target& service, std::string name);

  /// A call of no target: the gateway answers it itself, by its deadline.
  caf::intrusive_ptr<http_call> begin_read(http::exchange& x,
                                           call_target& service);

  /// Asks the store for the next part of a page.
  void read_page(http_call& call, std::shared_ptr<page_reader> page);

  void take_state(http_call& call, expected<stored_state> found,
                  const entity_id& which);

  void take_page(http_call& call, expected<std::vector<listed_entity>> found,
                 std::shared_ptr<page_reader> page);

  /// A callback for any thread: does `then` with the answer on this one, if
  /// somebody still waits for it.
  template <class T, class F>
  state_store::callback<T> come_back(http_call& call, F then);

  /// As above, and does `unwanted` with an answer that nobody waits for; on any
  /// thread.
  template <class T, class F, class G>
  state_store::callback<T> come_back(http_call& call, F then, G unwanted);

  /// Answers a call of no target.
  void conclude(http_call& call, expected<payload> result);

  // -- /locks (gateway_locks.cpp) --------------------------------------------

  void locks(http::exchange& x, const path_view& path);
  void acquire_lock(http::exchange& x, std::string name);
  void renew_lock(http::exchange& x, std::string name);
  void release_lock(http::exchange& x, std::string name);
  void show_lock(http::exchange& x, std::string name);

  /// A call of no target, which may wait for so long.
  caf::intrusive_ptr<http_call> begin_lock_call(http::exchange& x,
                                                std::chrono::milliseconds wait);

  // -- calls that are queued, and /invocations (gateway_work.cpp) ------------

  void queue_function_call(http::exchange& x, const function_name& name);
  void queue_entity_call(http::exchange& x, call_target& service,
                         const entity_call& to);
  void queue_call(http::exchange& x, work_request request);

  /// Begins what this thread accepted, at the end of the turn.
  void begin_accepted();

  void invocations(http::exchange& x, const path_view& path);

  void show_queued_call(http_call& call, work_queue& queue, invocation_id id);

  struct followed;

  followed see(work_view work) const;

  /// Asks for what followed, one after the other, then answers.
  void find_follow_ups(http_call& call, std::shared_ptr<followed> what);

  // -- /events (gateway_events.cpp) -------------------------------------------

  void events(http::exchange& x, const path_view& path);

  /// @param made_by the rules of the calls
  void queue_events(http::exchange& x, std::vector<work_request> calls,
                    std::vector<size_t> made_by);

  // -- /queue (gateway_queue.cpp) --------------------------------------------

  void queue(http::exchange& x, const path_view& path);
  void count_queue(http::exchange& x);
  void list_queue(http::exchange& x);
  void redrive_queue(http::exchange& x);
  void purge_queue(http::exchange& x);
  caf::intrusive_ptr<http_call> begin_queue_call(http::exchange& x);

  /// Says how much was changed, or that there is no such lane.
  using count_conclusion =
    std::function<void(gateway& me, http_call& call, expected<size_t> count)>;
  void purge(http_call& call, const work_selection& which);
  static count_conclusion conclude_change(const work_selection& which);
  void conclude_nothing(http_call& call, const std::string& lane,
                        const char* nothing);

  // -- /schedules (gateway_schedules.cpp) ------------------------------------

  void schedules(http::exchange& x, const path_view& path);

  void check_schedule(std::string_view body);

  /// It is there, and may be called from outside.
  void check_target(const work_target& to);

  /// How a page of entities is shown.
  using page_text = payload (*)(const entity_page& page);

  /// Answers with a page of the entities of a service of the node's own.
  void list_service(http::exchange& x, call_target& service, std::string name,
                    page_text text);
  void read_service(http_call& call, std::shared_ptr<page_reader> page,
                    page_text text);

  // -- /groups (gateway_groups.cpp) ------------------------------------------

  void groups(http::exchange& x, const path_view& path);
  void begin_group(http::exchange& x, call_target& service);
  void show_group(http::exchange& x, call_target& service, std::string id);
  void check_group(std::string_view body);

  // -- /subscriptions (gateway_subscriptions.cpp) ----------------------------

  void subscriptions(http::exchange& x, const path_view& path);
  void show_subscription(http::exchange& x, call_target& service,
                         const std::string& name);
  void put_subscription(http::exchange& x, call_target& service,
                        const std::string& name);
  void change_subscriptions(http::exchange& x, call_target& service,
                            std::string method, std::string arguments,
                            unsigned status = 200);

  // -- /map (gateway_map.cpp) ------------------------------------------------

  void map(http::exchange& x, const path_view& path);
  void map_function(http::exchange& x, const function_name& name);
  void map_service(http::exchange& x, std::string service, std::string method);
  void begin_map(http::exchange& x, map_target to, call_target& target);

  /// Does `work` on another thread, then `then` with what it gives on this one,
  /// if somebody still waits for it.
  template <class T, class Work, class Then>
  void elsewhere(http_call& call, Work work, Then then);

  // -- calls -----------------------------------------------------------------

  /// Headers that every call may bring; throws what is wrong with them.
  std::optional<std::chrono::milliseconds>
  read_call_headers(const http::request& from, http_call& to);

  void submit(http::exchange& x, caf::intrusive_ptr<http_call> call,
              call_target& target);

  /// The call is answered later, at its deadline if not before.
  void hold(http::exchange& x, http_call& call);

  /// Answers the exchange of a call that is answered.
  void respond(http_call& call);

  /// Answers the exchange of a call, whatever became of it.
  void finish(http_call& call, http::response answer);

  /// Drops a call whose client may have gone.
  void give_up(http_call& call);

  void arm_wheel();

  http::io_thread& thread_;
  call_port port_;
  const gateway_host& host_;
  turn turn_;
  std::optional<dispatcher::starter> starter_;

  /// It is put off already.
  bool begins_ = false;
  deadline_wheel wheel_;
  bool ticking_ = false;
  invocation* submitting_ = nullptr;
  work_ids work_ids_;
  size_t maps_ = 0;
  size_t mapped_bytes_ = 0;

  /// Cleared by the destructor, so that late posts find nothing.
  std::shared_ptr<gateway*> self_;

  std::shared_ptr<http::way_back> way_back_;
};

} // namespace troupe
