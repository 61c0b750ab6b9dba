// A report as a picture: SVG, of six small plots whose horizontal axis is the
// number of nodes.

#pragma once

#include <string>

#include "apps/bench/cluster_sim/report.hpp"

namespace troupe::bench {

std::string to_svg(const sim_report& x);

} // namespace troupe::bench
