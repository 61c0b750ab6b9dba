// A request as it was read, and a response as it will be written. Both are laid
// out for reuse: a connection keeps one request, whose head is one string and
// whose fields are offsets into it, so that a request of a dozen fields costs
// no allocation; bodies are strings that are moved, never copied.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// The methods of RFC 9110 and PATCH; `other` is any other token.
enum class method : uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  connect,
  options,
  trace,
  patch,
  other,
};

/// One header field.
struct header_field {
  std::string_view name;
  std::string_view value;
};

/// A request whose framing and head have been found good.
class request {
public:
  request() = default;

  request(const request&) = delete;

  request& operator=(const request&) = delete;

  // -- request line -----------------------------------------------------------

  http::method method() const { return method_; }

  /// The method as it was sent; methods are case-sensitive.
  std::string_view method_name() const { return view(method_name_); }

  /// The request target as it was sent.
  std::string_view target() const { return view(target_); }

  /// The path of the target, still percent-encoded. `*` for the asterisk form,
  /// empty for CONNECT.
  std::string_view path() const { return view(path_); }

  /// What follows the first `?` of the target, still percent-encoded.
  std::string_view query() const { return view(query_); }

  /// 10 or 11.
  unsigned version() const { return version_; }

  // -- fields -----------------------------------------------------------------

  size_t field_count() const { return fields_.size(); }

  header_field field_at(size_t i) const {
    return {view(fields_[i].name), view(fields_[i].value)};
  }

  /// The value of the first field of that name (letters of any case).
  std::optional<std::string_view> field(std::string_view name) const;

  /// How often a field of that name occurs.
  size_t count(std::string_view name) const;

  // -- body -------------------------------------------------------------------

  /// The whole body, decoded; may be moved out.
  std::string& body() { return body_; }

  const std::string& body() const { return body_; }

  /// Whether the client lets the connection be used again.
  bool keep_alive() const { return keep_alive_; }

private:
  friend class request_parser;

  struct slice {
    uint32_t at = 0;
    uint32_t size = 0;
  };

  struct field_slices {
    slice name;
    slice value;
  };

  std::string_view view(slice x) const { return {head_.data() + x.at, x.size}; }

  http::method method_ = http::method::get;
  bool keep_alive_ = false;
  uint8_t version_ = 11;
  slice method_name_;
  slice target_;
  slice path_;
  slice query_;
  std::string head_;
  std::vector<field_slices> fields_;
  std::string body_;
};

/// What a handler answers. Content-Length, Date and Connection are the
/// server's own; a body that HEAD, 204 or 304 forbid is not sent.
struct response {
  response() = default;

  explicit response(unsigned code) : status(code) {}

  /// Adds a field. Bytes that would end the line become spaces, so that no
  /// value can forge a field.
  response& add(std::string_view name, std::string_view value);

  unsigned status = 200;

  /// Complete lines, each with its CRLF.
  std::string fields;

  std::string body;

  /// Whether to close the connection after this answer.
  bool close = false;
};

/// Compares names of fields: ASCII letters of any case are equal.
bool same_name(std::string_view x, std::string_view y);

/// The reason phrase of RFC 9110 for a status; "Unknown" for one of no name.
std::string_view reason(unsigned status);

/// An answer in the form that all of Troupe's errors have. `text` must need no
/// JSON escapes; `effect` is what became of the call: none, ran or unknown.
response error_response(unsigned status, std::string_view error_type,
                        std::string_view text,
                        std::string_view effect = "none");

} // namespace troupe::http
