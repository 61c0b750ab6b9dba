// Events in the headers and the body of HTTP, as the HTTP binding of CloudEvents
// 1.0.2 has it: in "binary" mode the attributes are headers and the data is the
// body.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/cloud_event.hpp"

namespace troupe {

/// How events are in a message of HTTP.
enum class event_mode : uint8_t {
  /// One, in headers and body.
  binary,
  /// One, as JSON.
  structured,
  /// Any number, as an array of JSON.
  batch,
};

/// As the media type of a message says; `bad_request` if it is an event in a
/// format that is none of JSON's.
expected<event_mode> event_mode_of(std::string_view content_type);

using header_list = std::vector<std::pair<std::string, std::string>>;

/// An event in binary mode; `bad_request` if it is none.
/// @param headers those that begin with `ce-`, in letters of any case
/// @param content_type empty: there is none
expected<cloud_event> read_binary_event(const header_list& headers,
                                        std::string_view content_type,
                                        std::string body);

/// An event in binary mode: its headers, with the type of the body if there is
/// one; the body is its data. @pre x is valid
header_list to_headers(const cloud_event& x);

} // namespace troupe
