// Payloads inside of JSON: as they are if they are JSON themselves, so that nothing
// is parsed and written anew; else as base64.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/payload.hpp"

namespace troupe {

/// It says that it is JSON, and is.
bool is_json(const payload& x);

/// Appends `"name":...` or `"nameBase64":"..."`.
void append_payload(std::string& to, std::string_view name, const payload& x);

} // namespace troupe
