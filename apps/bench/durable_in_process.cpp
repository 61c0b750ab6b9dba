// One key that 64 callers of this process change, each answer durable; beside
// SQLite alone with the same settings, 64 changes of one row a transaction.

#include <SQLiteCpp/SQLiteCpp.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/entity_load.hpp"
#include "apps/bench/temporary.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr unsigned group = 64;

class bare_sqlite {
public:
  bare_sqlite() {
    db_.exec("PRAGMA journal_mode=WAL");
    db_.exec("PRAGMA synchronous=FULL");
    db_.exec("CREATE TABLE entity (service TEXT, key TEXT, revision INTEGER, "
             "state TEXT, PRIMARY KEY (service, key)) WITHOUT ROWID");
    db_.exec("INSERT INTO entity VALUES ('counter', 'hot', 0, '')");
  }

  double rate(std::chrono::milliseconds time) {
    SQLite::Statement update{db_, "UPDATE entity SET revision = ?1, state = ?2 "
                                  "WHERE service = 'counter' AND key = 'hot'"};
    auto began = clock::now();
    int64_t changes = 0;
    while (clock::now() < began + time) {
      SQLite::Transaction all{db_, SQLite::TransactionBehavior::IMMEDIATE};
      for (unsigned i = 0; i < group; ++i) {
        update.bind(1, ++changes);
        update.bind(2, R"({"value":)" + std::to_string(changes) + "}");
        update.exec();
        update.reset();
      }
      all.commit();
    }
    auto took = std::chrono::duration<double>(clock::now() - began);
    return static_cast<double>(changes) / took.count();
  }

private:
  temporary_folder folder_;
  SQLite::Database db_{(folder_.path() / "data.db").string(),
                       SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
};

} // namespace

void durable_in_process(const settings& how) {
  temporary_folder folder;
  local_node node{{}, std::make_unique<sqlite_store>(folder.path())};
  bare_sqlite bare;
  auto time = how.time(std::chrono::milliseconds{2000});
  auto ours = [&] {
    entity_load load;
    load.key = [](uint64_t) { return std::string{"hot"}; };
    load.callers = group;
    load.time = time;
    return run_entity_load(node, load).rate();
  };
  bare.rate(time / 4);
  ours();
  auto rounds = alternate(
    how, [&] { return bare.rate(time); }, ours);
  how.report(from_rounds("durable call in-process, one key, 64 callers",
                         "calls/s", "SQLite, 64 a commit", at_least(0.5),
                         std::move(rounds)));
}

} // namespace troupe::bench
