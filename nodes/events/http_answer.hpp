// What an answer of somebody else's server means for what was sent there.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/core/expected.hpp"

namespace troupe {

/// The status if it is of 2xx, else the error of `http_poster::post`.
/// @param text what the server said, to be quoted
/// @param retry_after_s what it asked for; 0: nothing
expected<unsigned> judge_answer(const std::string& url, unsigned status,
                                std::string_view text, uint32_t retry_after_s);

} // namespace troupe
