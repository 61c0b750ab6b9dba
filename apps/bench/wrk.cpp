#include "apps/bench/wrk.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/child_process.hpp"

namespace troupe::bench {

namespace {

/// wrk prints rounded figures; its script sees them exact.
constexpr auto script_text = R"lua(
wrk.method = "POST"
wrk.body = string.rep("x", 128)
wrk.headers["Content-Type"] = "application/octet-stream"

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench %d %d %g %g %d\n", summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
)lua";

class script_file {
public:
  script_file() {
    auto pattern = std::filesystem::temp_directory_path() / "troupe-XXXXXX";
    path_ = pattern;
    auto fd = ::mkstemp(path_.data());
    if (fd < 0)
      throw cannot_measure{"cannot write a file in "
                           + pattern.parent_path().string()};
    ::close(fd);
    std::ofstream{path_} << script_text;
  }

  script_file(const script_file&) = delete;

  ~script_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }

private:
  std::string path_;
};

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
  script_file script;
  auto output = output_of(
      {"wrk", "-t", "1", "-c", std::to_string(load.connections), "-d",
       seconds(load.time), "-s", script.path(),
       "http://127.0.0.1:" + std::to_string(load.port) + "/invoke/echo"},
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
  result.requests_per_second =
      static_cast<double>(requests) * 1e6 / static_cast<double>(micros);
  return result;
}

} // namespace troupe::bench
