// Bytes as text: RFC 4648, 4, with padding.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe {

void append_base64(std::string& to, std::string_view bytes);

/// Nothing if it is none: also with white space, without padding, and if bits
/// are set that stand for nothing.
std::optional<std::string> from_base64(std::string_view text);

} // namespace troupe
