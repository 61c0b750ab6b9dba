// Which of some names somebody meant who wrote another one.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// How many letters have to be put in, left out or changed to make `b` of `a`
/// (Levenshtein, 1966).
size_t edits_between(std::string_view a, std::string_view b);

/// The one of `names` that is closest to `written`, the first of several; empty if
/// none is close: with more than one edit for each three letters it is another
/// name.
std::string close_name(std::string_view written,
                       const std::vector<std::string>& names);

} // namespace troupe
