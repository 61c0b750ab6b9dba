#include "nodes/store/store_check.hpp"

#include <nlohmann/json.hpp>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/store_folder.hpp"

namespace troupe {

namespace {

class checker {
public:
  checker(SQLite::Database& db, store_report& report)
    : db_(db), report_(report) {}

  void check_pages() {
    SQLite::Statement statement{db_, "PRAGMA integrity_check(20)"};
    for (sqlite_query line{statement}; line.next();)
      if (line.bytes(0) != "ok")
        add(line.bytes(0));
  }

  void check_states() {
    SQLite::Statement statement{
      db_, "SELECT service, key, state FROM entity WHERE state IS NOT NULL"};
    for (sqlite_query row{statement}; row.next();)
      if (!nlohmann::json::accept(row.bytes(2)))
        add("the state of " + row.bytes(0) + "/" + row.bytes(1)
            + " is no JSON");
  }

  void count() {
    SQLite::Statement services{db_, "SELECT service, count(*) FROM entity "
                                    "WHERE state IS NOT NULL GROUP BY service"};
    for (sqlite_query row{services}; row.next();)
      report_.entities[row.bytes(0)] = static_cast<uint64_t>(row.number(1));
    report_.deleted = count_of("entity WHERE state IS NULL AND revision > 0");
    report_.uncommitted = count_of("entity WHERE revision = 0");
    report_.outcomes = count_of("outcome");
    report_.queued = count_of("work_waiting") + count_of("work_claimed");
    report_.dead = count_of("work_dead");
  }

private:
  void add(std::string problem) {
    if (report_.problems.size() < store_report::problems_max)
      report_.problems.push_back(std::move(problem));
  }

  uint64_t count_of(const std::string& what) {
    auto count = db_.execAndGet("SELECT count(*) FROM " + what).getInt64();
    return static_cast<uint64_t>(count);
  }

  SQLite::Database& db_;
  store_report& report_;
};

void check_data(const std::filesystem::path& file, store_report& report) {
  SQLite::Database db{file.string(), SQLite::OPEN_READONLY,
                      static_cast<int>(sqlite_options{}.busy_timeout.count())};
  report.data_schema = check_schema(db, file, data_schema());
  report.is_older = report.data_schema < data_schema().version();
  db.exec("BEGIN"); // one moment of a store that goes on
  checker check{db, report};
  try {
    check.check_pages();
    if (report.is_older)
      return;
    check.check_states();
    check.count();
  } catch (const SQLite::Exception& e) {
    report.problems.emplace_back(e.what());
  }
}

void check_cluster(const std::filesystem::path& folder, store_report& report) {
  report.is_in_use = is_folder_in_use(folder);
  auto file = folder / "cluster.db";
  if (!std::filesystem::exists(file))
    return;
  SQLite::Database db{file.string()};
  report.cluster_schema = check_schema(db, file, cluster_schema());
  report.nodes = node_presence::read(folder);
  if (report.cluster_schema == cluster_schema().version())
    report.members = static_cast<uint64_t>(
      db.execAndGet("SELECT count(*) FROM lease WHERE state < 4").getInt64());
}

} // namespace

expected<store_report> check_store(const std::filesystem::path& folder) {
  auto file = folder / "data.db";
  if (!std::filesystem::exists(file))
    return error{errc::not_found,
                 "'" + folder.string()
                   + "' has no store; --data-dir says where it is"};
  store_report result;
  try {
    check_data(file, result);
    check_cluster(folder, result);
  } catch (const error_exception& e) {
    return e.reason();
  } catch (const SQLite::Exception& e) {
    return error{errc::store_unavailable,
                 "'" + folder.string() + "' cannot be read: " + e.what()};
  }
  return result;
}

} // namespace troupe
