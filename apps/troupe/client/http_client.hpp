// What the client's subcommands need of HTTP, and no more: one request, one
// answer, and for a failure the word whether the node may have begun.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace troupe::cli {

struct http_request {
  /// "GET", "POST", "PUT" or "DELETE".
  std::string method = "GET";

  /// Path and query, percent-encoded.
  std::string target;

  /// "Name: value".
  std::vector<std::string> fields;

  std::string body;

  /// Empty to send none.
  std::string content_type;

  /// From the start to the last byte of the answer.
  std::chrono::milliseconds timeout{10'000};
};

struct http_answer {
  long status = 0;

  /// Empty if the node sent none.
  std::string content_type;

  std::string body;
};

/// A node's address, checked.
class endpoint {
public:
  /// "http://HOST[:PORT]" or "HOST:PORT".
  /// @throws usage_error if it is none
  explicit endpoint(const std::string& url);

  const std::string& url() const { return url_; }

private:
  std::string url_;
};

/// Talks to one node, over one connection as long as that stays open. Straight
/// to the node: proxies of the environment are not asked.
class http_client {
public:
  explicit http_client(endpoint node);

  ~http_client();

  const endpoint& node() const { return node_; }

  /// Sends `request`.
  /// @throws error_exception without an answer. Its effect is `none` if no
  ///         connection came about, else `unknown`.
  http_answer send(const http_request& request);

  /// As `send`, but an answer with a status other than 2xx is thrown as the
  /// error that it carries.
  http_answer send_checked(const http_request& request);

private:
  struct session;

  endpoint node_;
  std::unique_ptr<session> session_;
};

/// One request alone, as `http_client::send_checked`.
http_answer send_checked(const endpoint& node, const http_request& request);

/// `text` as one segment of a path: all but letters, digits and "-_.~" as %XX.
/// A segment of dots alone is encoded too, for it would name another path.
std::string percent_encode(const std::string& text);

} // namespace troupe::cli
