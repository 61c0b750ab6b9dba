#include "nodes/store/node_presence.hpp"

#include <chrono>

#include <unistd.h>

#include "actors/core/random_name.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_schema.hpp"

namespace troupe {

namespace {

node_record own_record() {
  using namespace std::chrono;
  auto now = system_clock::now().time_since_epoch();
  return {random_name(), getpid(), duration_cast<milliseconds>(now).count(),
          TROUPE_VERSION};
}

void replace_all(SQLite::Database& db, const node_record& x) {
  SQLite::Transaction all{db, SQLite::TransactionBehavior::IMMEDIATE};
  db.exec("DELETE FROM node");
  SQLite::Statement insert{db, "INSERT INTO node VALUES (?1, ?2, ?3, ?4)"};
  insert.bindNoCopy(1, x.incarnation);
  insert.bind(2, x.pid);
  insert.bind(3, x.started_at_ms);
  insert.bindNoCopy(4, x.version);
  insert.exec();
  all.commit();
}

} // namespace

node_presence::node_presence(const std::filesystem::path& folder)
  : file_(folder / "cluster.db") {
  try {
    auto db = open_connection(file_, {});
    migrate_schema(db, file_, cluster_schema());
    replace_all(db, own_record());
  } catch (const SQLite::Exception& e) {
    refuse_file(file_, std::string{"cannot be used: "} + e.what());
  }
}

node_presence::~node_presence() {
  try {
    open_connection(file_, {}).exec("DELETE FROM node");
  } catch (const SQLite::Exception&) {
    // It will look like a crash.
  }
}

std::vector<node_record>
node_presence::read(const std::filesystem::path& folder) {
  auto file = folder / "cluster.db";
  if (!std::filesystem::exists(file))
    return {};
  std::vector<node_record> result;
  try {
    SQLite::Database db{file.string()};
    if (check_schema(db, file, cluster_schema()) == 0)
      return {};
    SQLite::Statement all{
      db, "SELECT incarnation, pid, started_at, version FROM node"};
    for (sqlite_query row{all}; row.next();)
      result.push_back(
        {row.bytes(0), row.number(1), row.number(2), row.bytes(3)});
  } catch (const SQLite::Exception& e) {
    refuse_file(file, std::string{"cannot be read: "} + e.what());
  }
  return result;
}

} // namespace troupe
