#include "nodes/store/postgres_connection.hpp"

#include <algorithm>
#include <cstring>

#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include "nodes/store/postgres_message.hpp"

namespace troupe {

namespace {

using fate = postgres_outcome::fate;

std::string field(const PGresult* x, int code) {
  auto text = PQresultErrorField(x, code);
  return text ? text : "";
}

std::string message_of(const PGresult* x) {
  auto primary = field(x, PG_DIAG_MESSAGE_PRIMARY);
  return primary.empty() ? one_line(PQresultErrorMessage(x)) : primary;
}

void tell(postgres_outcome& to, fate what, std::string sqlstate,
          std::string message) {
  to.what = what;
  to.sqlstate = std::move(sqlstate);
  to.message = std::move(message);
}

/// One error is told, the first: those after it follow from it.
void tell_error(const PGresult* x, postgres_outcome& to, fate what) {
  if (to.what == fate::done)
    tell(to, what, field(x, PG_DIAG_SQLSTATE), message_of(x));
}

/// Something that ends a transaction, not the session.
bool is_error(const PGresult* x) {
  return field(x, PG_DIAG_SEVERITY_NONLOCALIZED) == "ERROR";
}

std::vector<std::vector<std::string>> texts_of(const PGresult* x) {
  std::vector<std::vector<std::string>> result;
  for (int row = 0; row < PQntuples(x); ++row) {
    auto& fields = result.emplace_back();
    for (int column = 0; column < PQnfields(x); ++column)
      fields.emplace_back(PQgetvalue(x, row, column));
  }
  return result;
}

} // namespace

void postgres_connection::closer::operator()(pg_conn* x) const noexcept {
  PQfinish(x);
}

// -- connecting --------------------------------------------------------------

postgres_connection::postgres_connection(const postgres_parameters& parameters,
                                         milliseconds answer_time)
  : answer_time_(answer_time) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (auto& [keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 1));
  if (!connection_)
    throw std::bad_alloc{};
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    throw postgres_error{"", error_text()};
  PQsetNoticeReceiver(connection_.get(), take_notice, this);
  if (PQsetnonblocking(connection_.get(), 1) != 0)
    throw postgres_error{"", error_text()};
}

postgres_connection::~postgres_connection() {
  close();
}

void postgres_connection::close() noexcept {
  is_broken_ = true;
  if (!connection_)
    return;
  // What libpq still has to send must not go out now.
  if (auto socket = PQsocket(connection_.get()); socket >= 0)
    shutdown(socket, SHUT_RDWR);
  connection_.reset();
}

bool postgres_connection::is_open() {
  while (!is_broken_) {
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    if (poll(&socket, 1, 0) <= 0)
      return true;
    if (PQconsumeInput(connection_.get()) == 0)
      close();
  }
  return false;
}

/// A server that stops waiting for its standby says so in a warning, and that
/// the commit was done, although it is on one disk only.
void postgres_connection::take_notice(void* self, const pg_result* notice) {
  auto sqlstate = field(notice, PG_DIAG_SQLSTATE);
  if (sqlstate == "01000" || sqlstate == "57P01")
    static_cast<postgres_connection*>(self)->is_doubtful_ = true;
}

std::string postgres_connection::error_text() const {
  return one_line(PQerrorMessage(connection_.get()));
}

// -- waiting -----------------------------------------------------------------

postgres_connection::time_point postgres_connection::deadline() const {
  return std::chrono::steady_clock::now() + answer_time_;
}

void postgres_connection::wait(time_point deadline) {
  auto pending = PQflush(connection_.get());
  if (pending < 0)
    throw postgres_error{"", error_text()};
  auto left = std::chrono::ceil<milliseconds>(
    deadline - std::chrono::steady_clock::now());
  pollfd socket{PQsocket(connection_.get()),
                static_cast<short>(pending > 0 ? POLLIN | POLLOUT : POLLIN), 0};
  auto ready =
    poll(&socket, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  if (ready < 0 && errno != EINTR)
    throw postgres_error{"", std::strerror(errno)};
  if (ready == 0)
    throw postgres_error{"", "no answer within "
                               + std::to_string(answer_time_.count()) + " ms"};
  if (ready > 0 && (socket.revents & ~POLLOUT) != 0
      && PQconsumeInput(connection_.get()) == 0)
    throw postgres_error{"", error_text()};
}

postgres_connection::result postgres_connection::next(time_point deadline) {
  while (PQisBusy(connection_.get()) != 0)
    wait(deadline);
  return {PQgetResult(connection_.get()), PQclear};
}

void postgres_connection::check(int is_sent) {
  if (is_sent == 0)
    throw postgres_error{"", error_text()};
}

// -- before the first pipeline -----------------------------------------------

std::vector<std::vector<std::string>>
postgres_connection::execute(const std::string& statements) {
  check(PQsendQuery(connection_.get(), statements.c_str()));
  return read_texts();
}

std::vector<std::vector<std::string>>
postgres_connection::execute(const std::string& statement,
                             const std::vector<std::string>& arguments) {
  std::vector<const char*> values;
  for (auto& x : arguments)
    values.push_back(x.c_str());
  check(PQsendQueryParams(connection_.get(), statement.c_str(),
                          static_cast<int>(values.size()), nullptr,
                          values.data(), nullptr, nullptr, 0));
  return read_texts();
}

std::vector<std::vector<std::string>> postgres_connection::read_texts() {
  std::vector<std::vector<std::string>> texts;
  std::optional<postgres_error> wrong;
  while (auto x = next(deadline())) {
    auto status = PQresultStatus(x.get());
    if (status == PGRES_TUPLES_OK)
      texts = texts_of(x.get());
    else if (status != PGRES_COMMAND_OK && !wrong)
      wrong.emplace(field(x.get(), PG_DIAG_SQLSTATE), message_of(x.get()));
  }
  if (wrong)
    throw *wrong;
  return texts;
}

void postgres_connection::prepare(
  const std::vector<const postgres_statement*>& statements) {
  check(PQenterPipelineMode(connection_.get()));
  for (auto x : statements)
    check(PQsendPrepare(connection_.get(), x->name, x->text, 0, nullptr));
  send_sync();
  postgres_outcome outcome;
  outcome.what = fate::done;
  for (size_t i = 0; i < statements.size(); ++i)
    receive_call(outcome);
  receive_sync(outcome);
  if (outcome.what != fate::done)
    throw postgres_error{outcome.sqlstate, outcome.message};
}

// -- pipelines ---------------------------------------------------------------

std::vector<postgres_outcome>
postgres_connection::run(const std::vector<postgres_transaction>& xs) {
  std::vector<postgres_outcome> results(xs.size());
  size_t answered = 0;
  try {
    for (auto& x : xs)
      send(x);
    for (; answered < xs.size(); ++answered)
      receive(xs[answered], results[answered]);
  } catch (const postgres_error& e) {
    for (; answered < xs.size(); ++answered)
      if (results[answered].sqlstate.empty()) // else it was answered
        tell(results[answered], fate::unknown, "", e.what());
    close();
  }
  return results;
}

void postgres_connection::send(const postgres_transaction& x) {
  if (x.calls.size() == 1) {
    send(x.calls.front());
    return send_sync();
  }
  check(PQsendQueryParams(connection_.get(), "BEGIN", 0, nullptr, nullptr,
                          nullptr, nullptr, 1));
  for (auto& call : x.calls) {
    send(call);
    send_sync(); // from here on the server counts how long we say nothing
  }
  check(PQsendQueryParams(connection_.get(), "COMMIT", 0, nullptr, nullptr,
                          nullptr, nullptr, 1));
  send_sync();
}

void postgres_connection::send(const postgres_call& x) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (auto& y : x.arguments) {
    values.push_back(y ? y->data() : nullptr);
    lengths.push_back(y ? static_cast<int>(y->size()) : 0);
  }
  std::vector<int> formats(values.size(), 1);
  check(PQsendQueryPrepared(connection_.get(), x.statement->name,
                            static_cast<int>(values.size()), values.data(),
                            lengths.data(), formats.data(), 1));
}

void postgres_connection::send_sync() {
  check(PQpipelineSync(connection_.get()));
}

void postgres_connection::receive(const postgres_transaction& x,
                                  postgres_outcome& to) {
  to.what = fate::done;
  is_doubtful_ = false;
  if (x.calls.size() == 1) {
    receive_call(to, &to.rows);
  } else {
    receive_call(to); // BEGIN
    for (size_t i = 0; i < x.calls.size(); ++i) {
      receive_call(to, &to.rows);
      receive_sync(to);
    }
    receive_call(to); // COMMIT, or ROLLBACK if something failed
  }
  receive_sync(to);
  if (to.what == fate::done && is_doubtful_)
    tell(to, fate::unknown, "", "the server did not wait for its standby");
  if (to.what != fate::done)
    to.rows.clear();
}

void postgres_connection::receive_call(postgres_outcome& to,
                                       std::vector<postgres_rows>* rows) {
  auto until = deadline();
  for (auto x = next(until); x; x = next(until)) {
    switch (PQresultStatus(x.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      if (rows)
        rows->emplace_back(x.release());
      break;
    case PGRES_PIPELINE_ABORTED:
      break;
    default:
      if (PQstatus(connection_.get()) != CONNECTION_OK)
        throw postgres_error{"", message_of(x.get())};
      // Who is thrown out of a COMMIT does not know how far it came.
      tell_error(x.get(), to,
                 rows || is_error(x.get()) ? fate::undone : fate::unknown);
    }
  }
}

void postgres_connection::receive_sync(postgres_outcome& to) {
  auto until = deadline();
  for (;;) {
    auto x = next(until);
    auto status = x ? PQresultStatus(x.get()) : PGRES_EMPTY_QUERY;
    if (status == PGRES_PIPELINE_SYNC)
      return;
    if (PQstatus(connection_.get()) != CONNECTION_OK)
      throw postgres_error{"", x ? message_of(x.get()) : error_text()};
    if (status == PGRES_FATAL_ERROR) // while it committed
      tell_error(x.get(), to, is_error(x.get()) ? fate::undone : fate::unknown);
  }
}

} // namespace troupe
