// Text as UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above
// U+10FFFF.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe {

/// The length of the sequence at the start of `text`; 0 if it is none.
/// @pre text is not empty
size_t utf8_length(std::string_view text) noexcept;

/// The character that begins `text`.
/// @param length what `utf8_length` says, not 0
uint32_t utf8_character(std::string_view text, size_t length) noexcept;

} // namespace troupe
