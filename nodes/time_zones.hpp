// Time zones of the machine: the IANA database as Debian's tzdata has it below
// /usr/share/zoneinfo (or $TZDIR), read with Google's cctz. The model computes
// with what it is given here.
//
// cctz keeps each zone that it has read until the process ends: an update of
// tzdata is seen after a restart.

#pragma once

#include <string_view>

#include "actors/model/parsed.hpp"
#include "actors/model/time_zone.hpp"

namespace troupe {

/// The zone of that name. "UTC" needs no database. Errors: the name is none
/// (names have letters, digits, `_`, `+`, `-` and `/`; no paths, and not the
/// machine's own zone), the database has no such zone, or there is no database.
parsed<time_zone_ptr> load_time_zone(std::string_view name);

} // namespace troupe
