#include "nodes/store/postgres_store.hpp"

#include <algorithm>
#include <utility>

#include "nodes/store/postgres_cluster.hpp"
#include "nodes/store/postgres_locks.hpp"
#include "nodes/store/postgres_reader.hpp"
#include "nodes/store/postgres_work_queue.hpp"
#include "nodes/store/postgres_work_rows.hpp"
#include "nodes/store/postgres_writer.hpp"

namespace troupe {

namespace {

/// A quarter of what PostgreSQL can hold in a value: a message has several.
constexpr size_t length_max = 250'000'000;

/// Of leases and shards a node asks a few times a second: more than so wait only
/// if nobody answers.
constexpr size_t cluster_queue = 1'024;

bool is_too_long(const commit_request& x) {
  auto length = x.next.state.size();
  for (auto& part : x.outcomes)
    length += part.body.size();
  for (auto& part : x.work)
    length += bytes_of(part);
  return length > length_max;
}

} // namespace

struct postgres_store::cluster_part {
  explicit cluster_part(postgres_server& server)
    : asker(server, postgres_cluster_role(server.options()), cluster_queue) {}

  postgres_asker asker;
  postgres_lease_table leases{asker};
  postgres_shard_table shards{asker};
};

postgres_store::postgres_store(std::string url, postgres_options options)
  : server_(
    std::make_unique<postgres_server>(std::move(url), std::move(options))),
    reader_(std::make_unique<postgres_reader>(*server_)),
    locks_(std::make_unique<postgres_lock_table>(
      reader_->asker(), server_->options().lock_clock)),
    cluster_(std::make_unique<cluster_part>(*server_)),
    writer_(std::make_unique<postgres_writer>(*server_)),
    work_(std::make_unique<postgres_work_queue>(*server_, reader_->asker())) {}

postgres_store::~postgres_store() {
  work_.reset(); // what it answers may lead to questions
  writer_.reset();
  cluster_.reset();
  reader_.reset();
}

// -- what is written ---------------------------------------------------------

void postgres_store::claim(entity_id entity, fencing_token token,
                           std::optional<shard_ownership> owned,
                           callback<claimed_state> done) {
  postgres_writer::job x = postgres_writer::claiming{
    std::move(entity), token, std::move(owned), std::move(done)};
  if (!writer_->push(x))
    std::get<postgres_writer::claiming>(x).done(
      postgres_unavailable("too many claims and commits wait for it"));
}

void postgres_store::commit(commit_request request, commit_callback done) {
  auto too_long = is_too_long(request);
  postgres_writer::job x =
    postgres_writer::committing{std::move(request), std::move(done)};
  if (too_long || !writer_->push(x))
    std::get<postgres_writer::committing>(x).done(commit_outcome::failed);
}

void postgres_store::release(entity_id entity, fencing_token token) {
  postgres_writer::job x = postgres_writer::releasing{std::move(entity), token};
  (void)writer_->push(x); // it is a hint
}

// -- what is read ------------------------------------------------------------

void postgres_store::find_outcome(
  entity_id entity, std::string id,
  callback<std::optional<recorded_outcome>> done) {
  reader_->find_outcome(entity, id, std::move(done));
}

void postgres_store::load(entity_id entity, callback<stored_state> done) {
  reader_->load(entity, std::move(done));
}

void postgres_store::list(list_request request,
                          callback<std::vector<listed_entity>> done) {
  reader_->list(request, std::move(done));
}

lock_table* postgres_store::locks() noexcept {
  return locks_.get();
}

work_queue* postgres_store::work() noexcept {
  return work_.get();
}

std::string postgres_store::describe() const {
  return server_->description();
}

// -- the cluster -------------------------------------------------------------

lease_table& postgres_store::leases() noexcept {
  return cluster_->leases;
}

shard_table& postgres_store::shards() noexcept {
  return cluster_->shards;
}

} // namespace troupe
