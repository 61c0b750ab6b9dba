// Who is told of events and is no part of Troupe: a URL of HTTP, a subject of
// NATS, a topic of MQTT. Work for them has a target like other work; its name is
// scheme and host (no function has such a name), its key what follows the slash
// after it. So each host has a lane of its own: one that is slow or gone holds up
// no other.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/expected.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// How somebody outside is spoken to.
enum class outside_kind : uint8_t { http, nats, mqtt };

/// Whether `text` is meant as a URL; see `parse_outside` for whether it is one.
inline bool looks_outside(std::string_view text) noexcept {
  return text.find("://") != text.npos;
}

/// Reads `http://HOST[:PORT]/PATH` (or https), `nats://HOST[:PORT]/SUBJECT` (or
/// tls), `mqtt://HOST[:PORT]/TOPIC` (or mqtts). What follows the host may have
/// `{key}` and `{id}`. `bad_request` if it is something else, or more than
/// `defaults::work::url_length_max` bytes.
expected<work_target> parse_outside(std::string_view url);

/// `example.org`, `[::1]`: letters, digits, `.`, `-` and `_`, or an address of
/// IPv6 in brackets.
bool is_host_name(std::string_view text);

/// @pre to.is_outside()
outside_kind outside_kind_of(const work_target& to);

/// Scheme and host as `parse_outside` reads them: a lane of its own.
bool is_outside_lane(std::string_view text);

/// A lane of work: a function, a service and a slash, or somebody outside.
bool is_valid_lane(std::string_view text);

/// `value` in place of a name in braces, in what `to` has after the host: what
/// would have a meaning there is percent-encoded, so that a key stays one part
/// of a path, one token of a subject, one level of a topic.
std::string outside_part(outside_kind to, std::string_view value);

} // namespace troupe
