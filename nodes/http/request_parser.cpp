#include "nodes/http/request_parser.hpp"

#include <algorithm>
#include <limits>

namespace troupe::http {

namespace beast_http = boost::beast::http;

namespace {

constexpr std::string_view bad = "bad_request";

/// Bytes of framing that a chunked body may have beyond 16 a byte of content:
/// room for extensions, but not for an endless stream of them.
constexpr size_t chunk_overhead_max = 64 * 1024;

std::string_view std_view(boost::beast::string_view x) {
  return {x.data(), x.size()};
}

method to_method(beast_http::verb x) {
  switch (x) {
  case beast_http::verb::get:
    return method::get;
  case beast_http::verb::head:
    return method::head;
  case beast_http::verb::post:
    return method::post;
  case beast_http::verb::put:
    return method::put;
  case beast_http::verb::delete_:
    return method::delete_;
  case beast_http::verb::connect:
    return method::connect;
  case beast_http::verb::options:
    return method::options;
  case beast_http::verb::trace:
    return method::trace;
  case beast_http::verb::patch:
    return method::patch;
  default:
    return method::other;
  }
}

bool is_host_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
         || (c >= 'a' && c <= 'z')
         || std::string_view{"-._~!$&'()*+,;=:%[]"}.find(c)
              != std::string_view::npos;
}

bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

/// Whether the line of a chunk that Beast still reads has already ended, but
/// without a CR: it would wait for that CR until the client's time is up.
bool has_bare_line_feed(std::string_view unread) {
  if (unread.substr(0, 2) == "\r\n")
    unread.remove_prefix(2);
  auto end = unread.find('\n');
  return end != std::string_view::npos && (end == 0 || unread[end - 1] != '\r');
}

} // namespace

request_parser::request_parser(const options& limits, request& into)
  : limits_(limits), into_(into) {
  // Beast bounds what is left of a head, not the whole; we count ourselves.
  header_limit(std::numeric_limits<uint32_t>::max());
  body_limit(std::numeric_limits<uint64_t>::max());
  into_.method_ = method::get;
  into_.fields_.clear();
  into_.body_.clear();
}

// -- head ---------------------------------------------------------------------

parsed request_parser::head(const char* data, size_t size) {
  base_ = data;
  size_ = size;
  error_code ec;
  parsed_ += put(boost::asio::const_buffer{data + parsed_, size - parsed_}, ec);
  if (!ec)
    return finish_head(data);
  if (ec != beast_http::error::need_more)
    return translate(ec);
  if (size < limits_.head_bytes_max)
    return parsed::partly;
  if (!line_done_)
    return refuse(414, bad, "the request target is too long");
  return refuse(431, "headers_too_large", "the header is too long");
}

parsed request_parser::finish_head(const char* data) {
  head_done_ = true;
  if (parsed_ > limits_.head_bytes_max)
    return refuse(431, "headers_too_large", "the header is too long");
  into_.head_.assign(data, parsed_);
  into_.keep_alive_ = basic_parser::keep_alive();
  if (hosts_ > 1 || (hosts_ == 0 && into_.version_ == 11))
    return refuse(400, bad, "exactly one Host field is needed");
  if (!split_target())
    return refuse(400, bad, "malformed request target");
  if (has_coding_ && into_.version_ == 10)
    return refuse(400, bad, "HTTP/1.0 has no Transfer-Encoding");
  if (other_coding_)
    return refuse(501, "not_implemented",
                  "the only Transfer-Encoding known is chunked");
  if (other_expectation_ && into_.version_ == 11)
    return refuse(417, bad, "the only expectation known is 100-continue");
  if (into_.version_ == 10)
    expects_continue_ = false;
  if (content_length() > limits_.body_bytes_max)
    return refuse(413, "payload_too_large", "the body is too large");
  return parsed::wholly;
}

size_t request_parser::content_length() const {
  auto length = basic_parser::content_length();
  return length && !is_chunked() ? static_cast<size_t>(*length) : 0;
}

void request_parser::on_request_impl(beast_http::verb verb, string_view name,
                                     string_view target, int version,
                                     error_code& ec) {
  line_done_ = true;
  into_.method_ = to_method(verb);
  into_.method_name_ = slice(name);
  into_.target_ = slice(target);
  into_.version_ = static_cast<uint8_t>(version);
  if (target.size() > limits_.target_bytes_max)
    refuse(ec, 414, bad, "the request target is too long");
}

void request_parser::on_field_impl(beast_http::field id, string_view name,
                                   string_view value, error_code& ec) {
  if (is_folded(name, value))
    return refuse(ec, 400, bad, "folded header lines are obsolete");
  if (head_done_) {
    if (++trailers_ > limits_.fields_max)
      refuse(ec, 431, "headers_too_large", "too many trailers");
    return;
  }
  if (into_.fields_.size() == limits_.fields_max)
    return refuse(ec, 431, "headers_too_large", "too many header fields");
  into_.fields_.push_back({slice(name), slice(value)});
  switch (id) {
  case beast_http::field::host:
    ++hosts_;
    if (!std::all_of(value.begin(), value.end(), is_host_char))
      refuse(ec, 400, bad, "malformed Host");
    break;
  case beast_http::field::transfer_encoding:
    has_coding_ = true;
    other_coding_ |= !same_name(std_view(value), "chunked");
    break;
  case beast_http::field::expect:
    if (same_name(std_view(value), "100-continue"))
      expects_continue_ = true;
    else
      other_expectation_ = true;
    break;
  default:
    break;
  }
}

bool request_parser::is_folded(string_view name, string_view value) const {
  // Beast joins folded lines in a buffer of its own, unless all but the last
  // are empty: then a line end stands between the name and the value.
  if (value.data() < base_ || value.data() > base_ + size_)
    return true;
  return std::find(name.data() + name.size(), value.data(), '\r')
         != value.data();
}

request::slice request_parser::slice(string_view x) const {
  return {static_cast<uint32_t>(x.data() - base_),
          static_cast<uint32_t>(x.size())};
}

bool request_parser::split_target() {
  auto target = into_.target();
  size_t path = 0;
  if (into_.method_ == method::connect) {
    into_.path_ = into_.query_ = {into_.target_.at, 0};
    return true;
  }
  if (target.front() != '/') {
    if (target == "*" && into_.method_ == method::options) {
      into_.path_ = into_.target_;
      into_.query_ = {into_.target_.at, 0};
      return true;
    }
    // Absolute form: the path is what follows the authority.
    auto scheme = target.find("://");
    if (scheme == std::string_view::npos
        || (!same_name(target.substr(0, scheme), "http")
            && !same_name(target.substr(0, scheme), "https")))
      return false;
    path = target.find_first_of("/?", scheme + 3);
    if (path == scheme + 3)
      return false;
    path = std::min(path, target.size());
  }
  auto at = into_.target_.at;
  auto mark = std::min(target.find('?', path), target.size());
  into_.path_ = {static_cast<uint32_t>(at + path),
                 static_cast<uint32_t>(mark - path)};
  if (into_.path_.size == 0) // http://host means its root: any slash will do
    into_.path_ = {static_cast<uint32_t>(at + target.find('/')), 1};
  auto query = std::min(mark + 1, target.size());
  into_.query_ = {static_cast<uint32_t>(at + query),
                  static_cast<uint32_t>(target.size() - query)};
  return true;
}

// -- chunked body -------------------------------------------------------------

parsed request_parser::chunks(const char* data, size_t size, size_t& used) {
  base_ = data;
  size_ = size;
  auto body_before = into_.body_.size();
  error_code ec;
  eager(true);
  used = put(boost::asio::const_buffer{data, size}, ec);
  if (ec && ec != beast_http::error::need_more)
    return translate(ec);
  if (is_done())
    return parsed::wholly;
  if (size - used > limits_.head_bytes_max)
    return refuse(431, "headers_too_large",
                  "the chunk's header or the trailers are too long");
  if (has_bare_line_feed({data + used, size - used}))
    return refuse(400, bad, "a line must end with CR LF");
  chunk_overhead_ += used - (into_.body_.size() - body_before);
  if (chunk_overhead_ > chunk_overhead_max + 16 * into_.body_.size())
    return refuse(400, bad, "too much framing around too little content");
  return parsed::partly;
}

void request_parser::on_chunk_header_impl(std::uint64_t size, string_view,
                                          error_code& ec) {
  if (size > limits_.body_bytes_max - into_.body_.size())
    refuse(ec, 413, "payload_too_large", "the body is too large");
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t, string_view body,
                                               error_code&) {
  into_.body_.append(body.data(), body.size());
  return body.size();
}

// -- refusals -----------------------------------------------------------------

parsed request_parser::refuse(unsigned status, std::string_view type,
                              std::string_view text) {
  why_ = {status, type, text};
  return parsed::refused;
}

void request_parser::refuse(error_code& ec, unsigned status,
                            std::string_view type, std::string_view text) {
  refuse(status, type, text);
  ec = beast_http::error::bad_value;
}

parsed request_parser::translate(const error_code& ec) {
  if (why_.status != 0)
    return parsed::refused;
  switch (static_cast<beast_http::error>(ec.value())) {
  case beast_http::error::bad_version:
    if (is_other_version())
      return refuse(505, bad, "HTTP/1.1 and HTTP/1.0 are spoken here");
    return refuse(400, bad, "malformed HTTP version");
  case beast_http::error::bad_method:
    return refuse(400, bad, "malformed method");
  case beast_http::error::bad_target:
    return refuse(400, bad, "malformed request target");
  case beast_http::error::bad_field:
    return refuse(400, bad, "malformed name of a header field");
  case beast_http::error::bad_value:
    return refuse(400, bad, "malformed value of a header field");
  case beast_http::error::bad_line_ending:
    return refuse(400, bad, "a line must end with CR LF");
  case beast_http::error::bad_content_length:
    return refuse(400, bad, "malformed or conflicting Content-Length");
  case beast_http::error::bad_transfer_encoding:
    return refuse(400, bad, "malformed or conflicting Transfer-Encoding");
  case beast_http::error::bad_chunk:
    return refuse(400, bad, "malformed chunk");
  case beast_http::error::bad_chunk_extension:
    return refuse(400, bad, "malformed chunk extension");
  default:
    return refuse(400, bad, "malformed request");
  }
}

bool request_parser::is_other_version() const {
  std::string_view line{base_, size_};
  line = line.substr(0, line.find('\r'));
  auto target = line.find(' ') + 1;
  auto version = line.substr(line.find(' ', target) + 1);
  return version.size() == 8 && version.substr(0, 5) == "HTTP/"
         && is_decimal(version[5]) && version[6] == '.'
         && is_decimal(version[7]);
}

} // namespace troupe::http
