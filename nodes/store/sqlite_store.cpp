#include "nodes/store/sqlite_store.hpp"

#include <algorithm>
#include <utility>

#include "nodes/store/node_presence.hpp"
#include "nodes/store/sqlite_checkpointer.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_reader.hpp"
#include "nodes/store/sqlite_work_queue.hpp"
#include "nodes/store/sqlite_writer.hpp"

namespace troupe {

namespace {

/// Half of what SQLite can hold in a value.
constexpr size_t length_max = 500'000'000;

bool is_too_long(const commit_request& x) {
  auto too_long = [](const auto& part) {
    return part.body.size() > length_max;
  };
  return x.next.state.size() > length_max
         || std::any_of(x.outcomes.begin(), x.outcomes.end(), too_long)
         || std::any_of(x.work.begin(), x.work.end(),
                        [](const work_request& y) {
                          return y.item.arguments.bytes.size() > length_max;
                        });
}

} // namespace

class sqlite_store::shard_part final : public shard_table {
public:
  explicit shard_part(sqlite_store& store) : store_(store) {}

  void read(uint32_t count, uint64_t version,
            callback<shard_view> done) override {
    auto read_rows = [this, version](callback<shard_view> answer) {
      store_.ask<shard_view>(std::move(answer), [version](sqlite_queries& x) {
        return x.shards(version);
      });
    };
    if (version > 0)
      return read_rows(std::move(done));
    sqlite_writer::job x = sqlite_writer::counting{
      count, [read_rows, done](const expected<uint32_t>& agreed) {
        if (agreed)
          read_rows(done);
        else
          done(agreed.error());
      }};
    if (!store_.writer_->push_first(x))
      done(store_unavailable("the store is about to be closed"));
  }

  void move(std::vector<shard_move> moves,
            callback<std::vector<move_result>> done) override {
    sqlite_writer::job x = sqlite_writer::moving{std::move(moves), done};
    if (!store_.writer_->push_first(x))
      done(store_unavailable("the store is about to be closed"));
  }

private:
  sqlite_store& store_;
};

class sqlite_store::lock_part final : public lock_table {
public:
  explicit lock_part(sqlite_store& store) : store_(store) {}

  void acquire(lock_request request, callback<lock_answer> done) override {
    change(std::move(done), [request = std::move(request)](
                              sqlite_locks& x, const lock_time& now) {
      return x.acquire(request, now);
    });
  }

  void renew(lock_proof held, std::optional<std::chrono::milliseconds> ttl,
             callback<lock_answer> done) override {
    change(std::move(done), [held = std::move(held),
                             ttl](sqlite_locks& x, const lock_time& now) {
      return x.renew(held, ttl, now);
    });
  }

  void release(lock_proof held, callback<lock_answer> done) override {
    change(std::move(done),
           [held = std::move(held)](sqlite_locks& x, const lock_time& now) {
             return x.release(held, now);
           });
  }

  void find(std::string name, callback<lock_row> done) override {
    store_.ask<lock_row>(std::move(done),
                         [name = std::move(name)](sqlite_queries& x) {
                           return x.find_lock(name);
                         });
  }

private:
  template <class F>
  void change(callback<lock_answer> done, F f) {
    sqlite_writer::job x = sqlite_writer::locking{std::move(f), done};
    if (!store_.writer_->push(x))
      done(store_unavailable("too much waits for the store"));
  }

  sqlite_store& store_;
};

sqlite_store::sqlite_store(const std::filesystem::path& folder,
                           sqlite_options options)
  : folder_(folder, options.use), log_(options.vfs),
    shards_(std::make_unique<shard_part>(*this)),
    locks_(std::make_unique<lock_part>(*this)) {
  auto file = folder_.path() / "data.db";
  options.vfs = log_.vfs();
  try {
    writer_ = std::make_unique<sqlite_writer>(file, options);
    reader_ = std::make_unique<sqlite_reader>(file, options);
    checkpointer_ = std::make_unique<sqlite_checkpointer>(file, options);
    if (options.use == folder_use::alone)
      writer_->forget_uncommitted();
  } catch (const SQLite::Exception& e) {
    refuse_file(file, std::string{"cannot be used: "} + e.what());
  }
  if (options.use == folder_use::alone)
    presence_ = std::make_unique<node_presence>(folder_.path());
  work_ = std::make_unique<sqlite_work_queue>(*writer_, *reader_);
  folder_.sync();
  checkpointer_->start();
  writer_->start(*checkpointer_);
  reader_->start();
}

sqlite_store::~sqlite_store() {
  writer_.reset(); // what it answers may lead to questions
  reader_.reset();
  checkpointer_.reset();
  presence_.reset(); // its end was clean
}

// -- what is written ---------------------------------------------------------

void sqlite_store::claim(entity_id entity, fencing_token token,
                         std::optional<shard_ownership> owned,
                         callback<claimed_state> done) {
  sqlite_writer::job x = sqlite_writer::claiming{
    std::move(entity), token, std::move(owned), std::move(done)};
  if (!writer_->push(x))
    std::get<sqlite_writer::claiming>(x).done(
      store_unavailable("too many claims and commits wait for the store"));
}

void sqlite_store::commit(commit_request request, commit_callback done) {
  auto too_long = is_too_long(request);
  sqlite_writer::job x =
    sqlite_writer::committing{std::move(request), std::move(done)};
  if (too_long || !writer_->push(x))
    std::get<sqlite_writer::committing>(x).done(commit_outcome::failed);
}

void sqlite_store::release(entity_id entity, fencing_token token) {
  sqlite_writer::job x = sqlite_writer::releasing{std::move(entity), token};
  (void)writer_->push(x); // it is a hint
}

// -- what is read ------------------------------------------------------------

template <class T, class Query>
void sqlite_store::ask(callback<T> done, Query query) {
  reader_->ask(std::move(done), std::move(query));
}

void sqlite_store::find_outcome(
  entity_id entity, std::string id,
  callback<std::optional<recorded_outcome>> done) {
  ask(std::move(done),
      [entity = std::move(entity), id = std::move(id)](sqlite_queries& x) {
        return x.find_outcome(entity, id);
      });
}

void sqlite_store::load(entity_id entity, callback<stored_state> done) {
  ask(std::move(done), [entity = std::move(entity)](sqlite_queries& x) {
    return x.load(entity);
  });
}

void sqlite_store::list(list_request request,
                        callback<std::vector<listed_entity>> done) {
  ask(std::move(done), [request = std::move(request)](sqlite_queries& x) {
    return x.list(request);
  });
}

shard_table& sqlite_store::shards() noexcept {
  return *shards_;
}

lock_table* sqlite_store::locks() noexcept {
  return locks_.get();
}

work_queue* sqlite_store::work() noexcept {
  return work_.get();
}

std::string sqlite_store::describe() const {
  return "sqlite:" + folder_.path().string();
}

} // namespace troupe
