// Turns bytes into one request, or into the reason why they are none. Beast
// tokenizes; what it would let pass and RFC 9112 would not (folded lines, a
// coding before `chunked`, several Hosts, limits over the whole head) is
// refused here, because what one server of a chain reads differently is how
// requests are smuggled. Internal to nodes/http.

#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nodes/http/message.hpp"
#include "nodes/http/options.hpp"

namespace troupe::http {

/// Why a request is answered without having reached a handler.
struct refusal {
  unsigned status = 0;
  std::string_view error_type;
  std::string_view text;
};

enum class parsed : uint8_t { partly, wholly, refused };

/// Parses one request; one object a request.
class request_parser final : private boost::beast::http::basic_parser<true> {
public:
  request_parser(const options& limits, request& into);

  // -- head -------------------------------------------------------------------

  /// Parses on in a head. `data` starts at the request's first byte, and holds
  /// all the bytes that were there at the last call.
  parsed head(const char* data, size_t size);

  /// Whether the request line has been read.
  bool has_line() const { return line_done_; }

  /// Bytes of the head; valid once it was parsed wholly.
  size_t head_size() const { return parsed_; }

  // -- body -------------------------------------------------------------------

  bool is_chunked() const { return basic_parser::chunked(); }

  /// Bytes of the body that follows; 0 when chunked.
  size_t content_length() const;

  /// Whether the client waits for a 100 before it sends the body.
  bool expects_continue() const { return expects_continue_; }

  /// Parses on in a chunked body, appending to the request's; sets `used` to
  /// the bytes that need not be passed again.
  parsed chunks(const char* data, size_t size, size_t& used);

  /// Why the request was refused.
  const refusal& why() const { return why_; }

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field, string_view, string_view,
                     error_code&) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override;
  std::size_t on_chunk_body_impl(std::uint64_t, string_view,
                                 error_code&) override;
  void on_finish_impl(error_code&) override {}

  parsed refuse(unsigned status, std::string_view type, std::string_view text);
  void refuse(error_code& ec, unsigned status, std::string_view type,
              std::string_view text);
  parsed translate(const error_code& ec);
  parsed finish_head(const char* data);
  bool split_target();
  bool is_folded(string_view name, string_view value) const;
  bool is_other_version() const;
  request::slice slice(string_view x) const;

  const options& limits_;
  request& into_;
  refusal why_;
  const char* base_ = nullptr;
  size_t size_ = 0;
  size_t parsed_ = 0;
  size_t chunk_overhead_ = 0;
  size_t trailers_ = 0;
  unsigned hosts_ = 0;
  bool line_done_ = false;
  bool head_done_ = false;
  bool has_coding_ = false;
  bool other_coding_ = false;
  bool expects_continue_ = false;
  bool other_expectation_ = false;
};

} // namespace troupe::http
