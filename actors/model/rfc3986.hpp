// Names of things as the web writes them (RFC 3986): which texts are some.

#pragma once

#include <string_view>

namespace troupe {

/// With a scheme, or relative to something; not empty.
bool is_uri_reference(std::string_view text) noexcept;

/// With a scheme.
bool is_uri(std::string_view text) noexcept;

} // namespace troupe
