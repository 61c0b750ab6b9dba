// Names that nobody gives twice: a run of a node, on whichever machine, is told
// from every other one by its own.

#pragma once

#include <string>

namespace troupe {

/// 128 random bits as 32 hexadecimal digits.
std::string random_name();

} // namespace troupe
