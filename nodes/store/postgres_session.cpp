#include "nodes/store/postgres_session.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// What an address has at least at the start, when nobody waits for an answer: a
/// server that is busy lets us in late.
constexpr std::chrono::seconds first_connect_time{10};

} // namespace

postgres_session::postgres_session(postgres_server& server, postgres_role role)
  : server_(server), role_(std::move(role)), backoff_(role_.pauses) {}

void postgres_session::open() {
  try {
    auto first = role_;
    first.connect_time = std::max(first.connect_time, first_connect_time);
    link_ = server_.connect(first, {});
  } catch (const postgres_error& e) {
    throw error_exception{
      error{errc::store_unavailable, "the store " + server_.description()
                                       + " cannot be opened: " + e.what()}};
  } catch (const error_exception& e) {
    throw error_exception{error{
      e.reason().code(), "the store " + server_.description()
                           + " cannot be opened: " + e.reason().message()}};
  }
}

bool postgres_session::is_open() {
  if (!link_.connection)
    return false;
  if (!server_.is_current(link_.timeline))
    drop("it led to a server of an old timeline");
  else if (!link_.connection->is_open())
    drop("the server closed it");
  return link_.connection != nullptr;
}

bool postgres_session::is_ready() {
  if (is_open())
    return true;
  if (std::chrono::steady_clock::now() >= next_try_)
    try_to_connect();
  return link_.connection != nullptr;
}

void postgres_session::drop(const std::string& why) {
  link_.connection.reset();
  trouble_ = why;
  server_.log("lost the connection of the " + role_.name + " to "
              + server_.description() + ": " + why);
}

void postgres_session::try_to_connect() {
  try {
    link_ = server_.connect(role_, link_.backend);
    server_.log("the " + role_.name + " is connected to "
                  + server_.description() + " again",
                postgres_notice::news);
    tries_ = 0;
    trouble_.clear();
  } catch (const postgres_error& e) {
    failed(e.what());
  } catch (const error_exception& e) {
    failed(e.reason().message());
  }
}

void postgres_session::failed(const std::string& why) {
  if (trouble_ != why)
    server_.log("the " + role_.name + " cannot connect to "
                + server_.description() + ": " + why);
  trouble_ = why;
  next_try_ =
    std::chrono::steady_clock::now() + backoff_.delay(tries_++, random_);
}

std::vector<postgres_outcome>
postgres_session::run(const std::vector<postgres_transaction>& xs) {
  auto results = link_.connection->run(xs);
  if (!link_.connection->is_open())
    drop(results.empty() || results.back().message.empty()
           ? "the server closed it"
           : results.back().message);
  return results;
}

} // namespace troupe
