// What libpq says in several lines, as libpq 15 writes it.

#include <gtest/gtest.h>

#include "nodes/store/postgres_message.hpp"

namespace troupe {
namespace {

TEST(postgres_message, of_one_line_stays_as_it_is) {
  EXPECT_EQ(one_line(""), "");
  EXPECT_EQ(one_line("\n \n"), "");
  EXPECT_EQ(one_line("FATAL:  database \"x\" does not exist\n"),
            "FATAL: database \"x\" does not exist");
}

TEST(postgres_message, goes_on_with_what_explains_it) {
  EXPECT_EQ(
    one_line(
      "connection to server at \"127.0.0.1\", port 1 failed: Connection "
      "refused\n\tIs the server running on that host and accepting TCP/IP "
      "connections?\n"),
    "connection to server at \"127.0.0.1\", port 1 failed: Connection refused: "
    "Is the server running on that host and accepting TCP/IP connections?");
  EXPECT_EQ(one_line("server closed the connection unexpectedly\n"
                     "\tThis probably means the server terminated abnormally\n"
                     "\tbefore or while processing the request.\n"),
            "server closed the connection unexpectedly: This probably means "
            "the server terminated abnormally before or while processing the "
            "request.");
}

TEST(postgres_message, tells_several_apart) {
  EXPECT_EQ(one_line("connection to server at \"a\" failed: timeout expired\n"
                     "connection to server at \"b\" failed: FATAL:  no\n"
                     "DETAIL:  not today.\nHINT:  tomorrow\n"),
            "connection to server at \"a\" failed: timeout expired; "
            "connection to server at \"b\" failed: FATAL: no; "
            "DETAIL: not today. HINT: tomorrow");
}

} // namespace
} // namespace troupe
