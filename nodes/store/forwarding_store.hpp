// A store that hands everything on to another one: what a store that behaves
// otherwise in some point, for a test, is made from.

#pragma once

#include <memory>
#include <utility>

#include "actors/core/backends.hpp"

namespace troupe {

class forwarding_store : public state_store {
public:
  explicit forwarding_store(std::unique_ptr<state_store> inner)
    : inner_(std::move(inner)) {}

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override {
    inner_->claim(std::move(entity), token, std::move(owned), std::move(done));
  }

  void commit(commit_request request, commit_callback done) override {
    inner_->commit(std::move(request), std::move(done));
  }

  void release(entity_id entity, fencing_token token) override {
    inner_->release(std::move(entity), token);
  }

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override {
    inner_->find_outcome(std::move(entity), std::move(id), std::move(done));
  }

  void load(entity_id entity, callback<stored_state> done) override {
    inner_->load(std::move(entity), std::move(done));
  }

  void list(list_request request,
            callback<std::vector<listed_entity>> done) override {
    inner_->list(std::move(request), std::move(done));
  }

  lock_table* locks() noexcept override { return inner_->locks(); }

  work_queue* work() noexcept override { return inner_->work(); }

  std::string describe() const override { return inner_->describe(); }

protected:
  state_store& inner() noexcept { return *inner_; }

private:
  std::unique_ptr<state_store> inner_;
};

} // namespace troupe
