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

/// wrk prints rounded figures; its script sees them exact. The requests are made
/// before the run; keys come in a stride that visits each of them. Where all are
/// the same, wrk makes the one itself, and asks no script for each.
constexpr auto script_text = R"lua(
wrk.method = "POST"
wrk.headers["Content-Type"] = content_type
if prefer ~= "" then
  wrk.headers["Prefer"] = prefer
end
wrk.body = body

wrk.path = string.gsub(target, "*", 0)

if keys > 1 then
  local requests = {}
  local last = 0

  function init(args)
    for i = 0, keys - 1 do
      local path = string.gsub(target, "*", i * 7919 % keys)
      requests[i] = wrk.format("POST", path)
    end
  end

  function request()
    last = (last + 1) % keys
    return requests[last]
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench %d %d %g %g %d\n", summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
)lua";

std::string script_for(const wrk_load& load) {
  return "target = \"" + load.target + "\"\nbody = [==[" + load.body
         + "]==]\ncontent_type = \"" + load.content_type + "\"\nprefer = \""
         + load.prefer + "\"\nkeys = " + std::to_string(load.keys) + "\n"
         + script_text;
}

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
  std::ofstream{script} << script_for(load);
  auto output =
    output_of({"wrk", "-t", "1", "-c", std::to_string(load.connections), "-d",
               seconds(load.time), "-s", script,
               "http://127.0.0.1:" + std::to_string(load.port) + "/"},
              load.core);
  auto line = output.find("bench ");
  unsigned long requests = 0;
  unsigned long micros = 0;
  unsigned long errors = 0;
  wrk_result result;
  if (line == output.npos
      || std::sscanf(&output[line], "bench %lu %lu %lf %lf %lu", &requests,
                     &micros, &result.p50_us, &result.p99_us, &errors)
           != 5
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
