// Payloads inside of JSON: as they are if they are JSON themselves, so that nothing
// is parsed and written anew; else as base64.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/payload.hpp"

namespace troupe {

/// Whether a media type is one of JSON: `*/json`, `*/*+json`, or none at all.
bool says_json(std::string_view media_type) noexcept;

/// It says that it is JSON, and is.
bool is_json(const payload& x);

/// Appends `"name":...` or `"nameBase64":"..."`.
void append_payload(std::string& to, std::string_view name, const payload& x);

} // namespace troupe
