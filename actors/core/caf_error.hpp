// Our errors as CAF's, for actors that call with `request`.

#pragma once

#include <caf/error.hpp>

#include "actors/core/errors.hpp"

namespace troupe {

/// Code, effect, type and message in a `caf::error` of category "troupe".
caf::error to_caf_error(const error& reason);

/// The way back; an error of another category becomes `internal_error`.
error to_error(const caf::error& reason);

} // namespace troupe
