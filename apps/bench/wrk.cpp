#include "apps/bench/wrk.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/child_process.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

namespace {

/// wrk prints rounded figures; its script sees them exact.
constexpr auto script_text = R"lua(
wrk.method = "POST"
wrk.body = string.rep("x", 128)
wrk.headers["Content-Type"] = "application/octet-stream"

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench %d %d %g %d\n", summary.requests,
    summary.duration, latency:percentile(50),
    e.connect + e.read + e.write + e.status + e.timeout))
end
)lua";

/// wrk takes whole seconds only, so a shorter run is one of a second.
std::string seconds(std::chrono::milliseconds time) {
  auto whole = std::chrono::round<std::chrono::seconds>(time).count();
  return std::to_string(std::max<int64_t>(whole, 1)) + "s";
}

std::string output_of(const std::vector<std::string>& command, int core) {
  try {
    child_process wrk{command, core};
    std::string result;
    if (wrk.finish(result) != 0)
      throw cannot_measure{"wrk failed"};
    return result;
  } catch (const cannot_measure&) {
    throw cannot_measure{"wrk does not run; install it with: apt-get install "
                         "wrk"};
  }
}

} // namespace

wrk_result run_wrk(const wrk_load& load) {
  temporary_folder folder;
  auto script = folder.path() / "load.lua";
  std::ofstream{script} << script_text;
  auto output = output_of(
    {"wrk", "-t", "1", "-c", std::to_string(load.connections), "-d",
     seconds(load.time), "-s", script,
     "http://127.0.0.1:" + std::to_string(load.port) + "/invoke/echo"},
    load.core);
  auto line = output.find("bench ");
  unsigned long requests = 0;
  unsigned long micros = 0;
  unsigned long errors = 0;
  wrk_result result;
  if (line == output.npos
      || std::sscanf(&output[line], "bench %lu %lu %lf %lu", &requests, &micros,
                     &result.p50_us, &errors)
           != 4
      || micros == 0)
    throw cannot_measure{"wrk says something else than expected"};
  if (errors > 0)
    throw cannot_measure{std::to_string(errors) + " of "
                         + std::to_string(requests) + " calls failed"};
  result.requests = static_cast<double>(requests);
  result.requests_per_second =
    result.requests * 1e6 / static_cast<double>(micros);
  return result;
}

} // namespace troupe::bench
