// What it means that somebody outside did not take an event: the same for all
// ways to send one. `is_refused` is for good, the others may be over in a while.

#pragma once

#include <cstdint>
#include <string_view>

#include "actors/core/errors.hpp"

namespace troupe {

/// No connection: nothing was sent.
error is_unreachable(std::string_view url, std::string_view detail);

/// This node could not send it: nothing has gone out.
error could_not_send(std::string_view url, std::string_view detail);

/// It may have taken it: the connection broke, or it has failed itself.
error is_broken(std::string_view url, std::string_view detail);

/// It may have taken it, and did not say so in time.
error is_late(std::string_view url);

/// It did not take it now.
/// @param retry_after_s what it asked for; 0: nothing
error is_busy(std::string_view url, std::string_view detail,
              uint32_t retry_after_s = 0);

/// It will not take it.
error is_refused(std::string_view url, std::string_view detail);

/// This node sends nothing any more.
error is_leaving();

/// This node has too much to send.
error has_too_much();

} // namespace troupe
