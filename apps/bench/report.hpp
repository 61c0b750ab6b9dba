// Figures for people, a table, and for programs, JSON.

#pragma once

#include <string>
#include <vector>

#include "apps/bench/figure.hpp"

namespace troupe::bench {

std::string table_head();

/// One row of the table, with the note below it.
std::string table_row(const figure& x);

/// An object with `machine` and `figures`.
std::string to_json(const std::string& machine,
                    const std::vector<figure>& figures);

} // namespace troupe::bench
