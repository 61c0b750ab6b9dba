// One connection to a PostgreSQL server, through libpq. Statements are sent in
// its pipeline mode: a group of transactions goes out in one piece, and costs
// one round trip. Every wait has an end: who hangs is cut off.
//
// After an answer that did not come a connection is of no use any more; its
// owner drops it and opens another one (postgres_session.hpp).

#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/store/postgres_values.hpp"

struct pg_conn;
struct pg_result;

namespace troupe {

/// What the server answered in place of a result, or why it did not answer.
class postgres_error : public std::exception {
public:
  /// @param sqlstate as the server gave it; empty if it did not answer
  postgres_error(std::string sqlstate, std::string message)
    : sqlstate_(std::move(sqlstate)), message_(std::move(message)) {}

  const std::string& sqlstate() const noexcept { return sqlstate_; }

  const char* what() const noexcept override { return message_.c_str(); }

private:
  std::string sqlstate_;
  std::string message_;
};

/// A statement with a name, so that it is parsed and planned once a connection.
struct postgres_statement {
  const char* name;
  const char* text;
};

/// A statement and its arguments.
struct postgres_call {
  const postgres_statement* statement = nullptr;
  std::vector<postgres_value> arguments;
};

/// Calls of which all are done or none. One alone begins and ends with the
/// server, so that no pause of ours can come between: whoever can, asks in one.
struct postgres_transaction {
  std::vector<postgres_call> calls;
};

/// What became of a transaction.
struct postgres_outcome {
  enum class fate : uint8_t {
    /// Durable.
    done,
    /// Nothing was written.
    undone,
    /// Either, now or later: nobody answered.
    unknown,
  };

  fate what = fate::undone;

  /// If it was done: what each call gave.
  std::vector<postgres_rows> rows;

  /// If it was not: the server's, empty if it did not answer.
  std::string sqlstate;
  std::string message;
};

/// What libpq is to connect with: keywords and values, in which a later one
/// overrides those before it.
using postgres_parameters = std::vector<std::pair<std::string, std::string>>;

/// Of one thread.
class postgres_connection {
public:
  using milliseconds = std::chrono::milliseconds;

  /// Connects. `parameters` say for how long it is tried.
  /// @param answer_time how long an answer may take from now on
  /// @throws postgres_error
  postgres_connection(const postgres_parameters& parameters,
                      milliseconds answer_time);

  postgres_connection(const postgres_connection&) = delete;
  postgres_connection& operator=(const postgres_connection&) = delete;

  /// Does not wait for anything.
  ~postgres_connection();

  // -- before the first pipeline ---------------------------------------------

  /// Runs statements, separated by semicolons, all in one transaction unless
  /// they say otherwise. Gives the rows of the last one, as text.
  /// @throws postgres_error
  std::vector<std::vector<std::string>> execute(const std::string& statements);

  /// The same with arguments, one statement.
  /// @throws postgres_error
  std::vector<std::vector<std::string>>
  execute(const std::string& statement,
          const std::vector<std::string>& arguments);

  /// Begins with pipelines, of these statements.
  /// @throws postgres_error
  void prepare(const std::vector<const postgres_statement*>& statements);

  // -- pipelines ---------------------------------------------------------------

  /// Sends all of `xs` and waits for what becomes of each. They are done in
  /// this order; one that fails stops none of those after it. Never throws but
  /// for memory.
  std::vector<postgres_outcome>
  run(const std::vector<postgres_transaction>& xs);

  /// Whether it can be used: nothing failed, and the server did not close it
  /// meanwhile.
  bool is_open();

  /// Lets go of the server at once; nothing can be asked any more.
  void close() noexcept;

private:
  struct closer {
    void operator()(pg_conn* x) const noexcept;
  };

  using result = std::unique_ptr<pg_result, void (*)(pg_result*)>;
  using time_point = std::chrono::steady_clock::time_point;

  static void take_notice(void* self, const pg_result* notice);

  std::vector<std::vector<std::string>> read_texts();
  void send(const postgres_transaction& x);
  void send(const postgres_call& x);
  void send_sync();
  void receive(const postgres_transaction& x, postgres_outcome& to);
  void receive_call(postgres_outcome& to,
                    std::vector<postgres_rows>* rows = nullptr);
  void receive_sync(postgres_outcome& to);
  void check(int is_sent);
  result next(time_point deadline);
  void wait(time_point deadline);
  time_point deadline() const;
  std::string error_text() const;

  std::unique_ptr<pg_conn, closer> connection_;
  milliseconds answer_time_;
  bool is_broken_ = false;

  /// The server warned of something while it committed.
  bool is_doubtful_ = false;
};

} // namespace troupe
