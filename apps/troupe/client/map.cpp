#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/codec.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/json_pieces.hpp"
#include "actors/core/lock_proof.hpp"
#include "apps/troupe/client/calling.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/line_reader.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/progress_bar.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr const char* usage =
  R"(Usage: troupe map NAME --input FILE|- [options]
       troupe map SERVICE METHOD --input FILE|- [options]

Calls a function with each line of FILE, or a method of the entity that each line
names: so many at a time, all over the cluster. A line is JSON: an argument, or
for a service a key ("visits") or {"key":"visits","body":2}, where also
"idempotencyKey" may be, with which a line that is sent again is not executed
again.

Prints one line for each line that it reads, in the same order: what came of it.
  {"index":0,"result":5}
  {"index":1,"error":{"errorType":...,"errorMessage":...,"effect":...}}
A result that is no JSON comes as "resultBase64". Exit status 1: some failed.

  seq 100 | troupe map sleep --input - --parallel 8
  troupe map counter increment --input keys.jsonl
)";

/// What an answer may be on its way after the deadline: it may be large.
constexpr milliseconds patience = 15s;

/// Bytes of one request: less than a node takes.
constexpr size_t batch_bytes_max = size_t{4} << 20;

/// Lines of one request.
constexpr size_t batch_lines_max = 8192;

constexpr size_t parallel_max = 1024;
constexpr size_t parallel_default = 64;

/// A batch that takes this long is large enough, and one that takes that long
/// is too large for somebody who watches.
constexpr milliseconds short_time = 2s;
constexpr milliseconds long_time = 8s;

/// Lines that are sent together.
struct batch {
  size_t first_line = 0; // counted from 1
  size_t last_line = 0;
  size_t count = 0;
  std::string body;

  void add(size_t number, const std::string& line) {
    if (count++ == 0)
      first_line = number;
    last_line = number;
    body.append(line).append("\n");
  }
};

error bad_answer(const char* why) {
  return {errc::internal_error,
          std::string{"the node's answer is not that of a map: "} + why};
}

/// The results in a node's answer, as text.
std::vector<std::string_view> results_of(const std::string& answer) {
  check_json(answer, json_depth_max + 4);
  if (first_of(answer) == '{')
    for (auto& [name, value] : members_of(answer))
      if (name == "\"results\"" && first_of(value) == '[')
        return elements_of(value);
  throw error_exception{bad_answer("it has no results")};
}

/// `{"index":7,` and what is in `result`, as one line.
void append_line(std::string& to, size_t index, std::string_view result) {
  to.append("{\"index\":").append(std::to_string(index)).append(",");
  auto begin = to.size();
  to.append(result.substr(1));
  // Only between values: inside of strings they are escaped.
  std::replace_if(
    to.begin() + static_cast<std::ptrdiff_t>(begin), to.end(),
    [](char c) { return c == '\n' || c == '\r'; }, ' ');
  to += '\n';
}

struct settings {
  std::string target;
  size_t parallel = parallel_default;
  std::optional<milliseconds> timeout;

  /// The value of Troupe-Lock.
  std::optional<std::string> locks;
};

/// Sends batches, one after the other.
class mapper {
public:
  mapper(endpoint node, settings what, line_reader& lines)
    : node_(std::move(node)), what_(std::move(what)), lines_(lines),
      batch_lines_(what_.parallel) {}

  void run() {
    while (auto line = next()) {
      if (batch_.body.size() + line->size() > batch_bytes_max)
        flush();
      batch_.add(number_, *line);
      if (batch_.count >= batch_lines_)
        flush();
    }
    flush();
    if (bad_)
      fail(
        {errc::bad_request, "line " + std::to_string(number_) + ": " + *bad_});
    if (shown_.failed == 0)
      return bar_.finish(shown_);
    bar_.clear();
    std::fprintf(stderr, "error: %zu of %zu failed\n", shown_.failed,
                 shown_.done);
    throw reported_failure{};
  }

private:
  /// The next line that says something; nothing after the last, or if it is not
  /// good.
  std::optional<std::string> next() {
    try {
      for (;;) {
        ++number_;
        auto line = lines_.next();
        if (!line)
          return std::nullopt;
        if (line->find_first_not_of(" \t\r") == line->npos)
          continue;
        check_json(*line);
        return line;
      }
    } catch (const bad_line& e) {
      bad_ = e.what();
    } catch (const error_exception& e) {
      bad_ = e.what();
    }
    return std::nullopt;
  }

  void flush() {
    auto next = std::exchange(batch_, {});
    if (next.count == 0)
      return;
    auto left = time_left();
    if (left <= 0ms)
      return say_late(next);
    auto begin = clock::now();
    auto answer = send(next, left);
    take(next, answer.body);
    adapt(clock::now() - begin);
  }

  milliseconds time_left() const {
    auto left = defaults::function::timeout_max;
    if (what_.timeout)
      left = std::min(left, std::chrono::ceil<milliseconds>(
                              begin_ + *what_.timeout - clock::now()));
    return left;
  }

  http_answer send(const batch& x, milliseconds time) {
    http_request request;
    request.method = "POST";
    request.target =
      what_.target + "?parallel=" + std::to_string(what_.parallel);
    request.content_type = "application/jsonl";
    request.fields.push_back("Troupe-Timeout-Ms: "
                             + std::to_string(time.count()));
    if (what_.locks)
      request.fields.push_back("Troupe-Lock: " + *what_.locks);
    request.timeout = time + patience;
    request.body = x.body;
    try {
      return node_.send_checked(request);
    } catch (const error_exception& e) {
      fail(retold(e.reason(), "lines " + std::to_string(x.first_line) + " to "
                                + std::to_string(x.last_line) + ": "
                                + e.reason().message()));
    }
  }

  /// It ends here, and not because of single inputs.
  [[noreturn]] void fail(const error& reason) {
    bar_.clear();
    throw error_exception{retold(
      reason, reason.message()
                + "; what came before is done: " + std::to_string(shown_.done)
                + ", of which failed: " + std::to_string(shown_.failed))};
  }

  void take(const batch& x, const std::string& answer) {
    auto results = results_of(answer);
    if (results.size() != x.count)
      throw error_exception{bad_answer("it has another number of results")};
    std::string text;
    for (auto result : results) {
      auto members = members_of(result);
      if (first_of(result) != '{' || members.empty())
        throw error_exception{bad_answer("a result is none")};
      shown_.failed += members.front().first == "\"error\"";
      append_line(text, shown_.done++, result);
    }
    print(text);
  }

  /// There is no time left to send them.
  void say_late(const batch& x) {
    error reason{errc::deadline_exceeded,
                 "the deadline passed before it was sent"};
    auto result = "{\"error\":" + reason.to_json() + "}";
    std::string text;
    for (size_t i = 0; i < x.count; ++i)
      append_line(text, shown_.done++, result);
    shown_.failed += x.count;
    print(text);
  }

  void print(const std::string& text) {
    bar_.clear();
    write_stdout(text);
    shown_.position = lines_.position();
    shown_.size = lines_.size();
    bar_.show(shown_);
  }

  /// Few lines while they are slow, for somebody watches and the deadline of one
  /// request is limited; many while they are quick.
  void adapt(clock::duration took) {
    if (took < short_time)
      batch_lines_ = std::min(2 * batch_lines_, batch_lines_max);
    else if (took > long_time)
      batch_lines_ = std::max(batch_lines_ / 2, what_.parallel);
  }

  http_client node_;
  const settings what_;
  line_reader& lines_;
  const clock::time_point begin_ = clock::now();
  size_t batch_lines_;
  size_t number_ = 0; // of the line that was read last
  batch batch_;
  std::optional<std::string> bad_;
  progress shown_;
  progress_bar bar_;
};

command_line make_line() {
  command_line line{usage, {"NAME", "[METHOD]"}};
  line.option("input", "FILE|-", "What to read; - is stdin. Has to be there.")
    .option("parallel", "N", "Calls under way at once, 1 to 1024. Default: 64.")
    .option(
      "timeout", "TIME",
      "For all lines together: 250ms, 5s, 2m; what is not begun by then is "
      "deadline_exceeded. Default: none; each call has its function's own.")
    .option("lock", "NAME=TOKEN",
            "Call methods under a lock (several with commas): where it is not "
            "held any more, nothing is changed; lock_held.");
  return line;
}

settings read_settings(const command_line& line) {
  settings result;
  auto name = line.name("NAME");
  if (auto method = line.optional_argument("METHOD")) {
    check_name(*method, "METHOD");
    result.target = "/map/services/" + name + "/" + *method;
  } else {
    result.target = "/map/" + name;
  }
  if (auto parallel = line.number("parallel")) {
    if (*parallel > parallel_max)
      throw usage_error{"--parallel must be 1 to 1024, is '"
                        + *line.value("parallel") + "'"};
    result.parallel = *parallel;
  }
  if (auto text = line.value("timeout"))
    result.timeout = parse_timeout(*text);
  result.locks = line.value("lock");
  if (result.locks
      && (!line.optional_argument("METHOD")
          || !parse_lock_proofs(*result.locks)))
    throw usage_error{"--lock must be NAME=TOKEN, several with commas, and "
                      "needs a METHOD, is '"
                      + *result.locks + "'"};
  return result;
}

} // namespace

void map(const arguments& args) {
  auto line = make_line();
  if (!line.parse(args))
    return;
  auto what = read_settings(line);
  auto path = line.value("input");
  if (!path)
    throw usage_error{"--input FILE is missing"};
  auto node = line.node();
  line_reader lines{*path};
  mapper{node, std::move(what), lines}.run();
}

} // namespace troupe::cli
