// Results inside of JSON: as they are if they are JSON themselves, so that nothing
// is parsed and written anew; else as base64.

#pragma once

#include <string>

#include "actors/core/payload.hpp"

namespace troupe {

/// It says that it is JSON, and is.
bool is_json(const payload& x);

/// Appends `"result":...` or `"resultBase64":"..."`.
void append_result(std::string& to, const payload& x);

} // namespace troupe
