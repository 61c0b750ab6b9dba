#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "actors/core/codec.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/module.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/entity_pages.hpp"
#include "apps/troupe/client/line_reader.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* usage =
  R"(Usage: troupe import SERVICE [FILE|-] [options]

Reads entities from FILE or stdin, as `troupe export` writes them, and makes each
state the entity's, whatever it was before; its revision is the entity's next
one. A line needs "key" and "state"; without "schema" the state is of the newest.

It ends at the first line that is not good, and says which one that is. What came
before it is imported; since several are sent at a time, so may be a few behind
it. The same file can be imported again.

  troupe export counter > counters.jsonl
  troupe import counter counters.jsonl
)";

/// A state is one level deep in a line.
constexpr size_t line_depth_max = defaults::service::state_depth_max + 1;

[[noreturn]] void refuse(const std::string& why) {
  throw bad_line{why};
}

/// How far it is, for a person who watches.
class progress {
public:
  void show(size_t count) {
    auto now = std::chrono::steady_clock::now();
    if (!watched_ || now < next_)
      return;
    next_ = now + 200ms;
    std::fprintf(stderr, "\r%zu imported", count);
  }

  ~progress() {
    if (next_ != std::chrono::steady_clock::time_point{})
      std::fputs("\r\x1b[K", stderr);
  }

private:
  bool watched_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point next_;
};

void check_members(const json& x) {
  for (auto& [name, value] : x.items()) {
    auto is_fine = name == "key"        ? value.is_string()
                   : name == "state"    ? true
                   : name == "revision" ? value.is_number_unsigned()
                   : name == "schema"
                     ? value.is_number_unsigned() && value.get<uint64_t>() >= 1
                         && value.get<uint64_t>() <= UINT32_MAX
                     : false;
    if (!is_fine)
      refuse("\"" + name + "\" is no member of an entity, or not of its type");
  }
  for (auto name : {"key", "state"})
    if (!x.contains(name))
      refuse(std::string{"\""} + name + "\" is missing");
  if (!is_valid_key(x["key"].get_ref<const std::string&>()))
    refuse("\"key\" must be 1 to 512 bytes of UTF-8");
}

json parse(const std::string& line) {
  try {
    return parse_json(line, line_depth_max);
  } catch (const error_exception& e) {
    refuse(e.what());
  }
}

/// The request that imports one line.
http_request to_request(const std::string& service, const std::string& line) {
  auto x = parse(line);
  if (!x.is_object())
    refuse("it is no JSON object");
  check_members(x);
  http_request result;
  result.method = "PUT";
  result.target = entity_path(service, x["key"].get<std::string>());
  result.timeout = defaults::service::timeout;
  result.content_type = "application/json";
  result.body = dump_json(x["state"]);
  if (x.contains("schema"))
    result.fields.push_back("Troupe-Schema: " + dump_json(x["schema"]));
  return result;
}

/// Sends requests, several at a time: the node commits what comes together with
/// one fsync.
class sender {
public:
  explicit sender(const endpoint& node) {
    for (size_t i = 0; i < lanes; ++i)
      clients_.push_back(std::make_unique<http_client>(node));
  }

  size_t count() const { return count_; }

  /// Takes the request of the line `number`. One key's lines keep their order.
  void add(size_t number, http_request x) {
    if (batch_.size() == batch_max || !targets_.insert(x.target).second) {
      flush();
      targets_.insert(x.target);
    }
    batch_.push_back({number, std::move(x), std::nullopt});
  }

  /// Sends what it has taken. After a failure no further one is begun; the first
  /// is thrown.
  void flush() {
    next_ = 0;
    std::vector<std::future<void>> running;
    for (size_t i = 0; i < std::min(lanes, batch_.size()); ++i)
      running.push_back(
        std::async(std::launch::async, [&, i] { run(*clients_[i]); }));
    for (auto& x : running)
      x.get();
    targets_.clear();
    for (auto& x : std::exchange(batch_, {}))
      if (x.failure)
        refuse_line(x.number, *x.failure);
    shown_.show(count_);
  }

  [[noreturn]] void refuse_line(size_t number, const error& reason) {
    throw error_exception{
      retold(reason, "line " + std::to_string(number) + ": " + reason.message()
                       + "; imported: " + std::to_string(count_))};
  }

private:
  struct entry {
    size_t number;
    http_request request;
    std::optional<error> failure;
  };

  static constexpr size_t lanes = 32;
  static constexpr size_t batch_max = 256;

  /// Sends one entry after the other, each of which no other lane has begun.
  void run(http_client& node) {
    for (auto i = next_++; i < batch_.size(); i = next_++) {
      try {
        node.send_checked(batch_[i].request);
        ++count_;
      } catch (const error_exception& e) {
        batch_[i].failure = e.reason();
        next_ = batch_max;
      }
    }
  }

  std::vector<std::unique_ptr<http_client>> clients_;
  std::vector<entry> batch_;
  std::set<std::string> targets_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> count_{0};
  progress shown_;
};

/// @returns how many were imported
size_t import_lines(const endpoint& node, const std::string& service,
                    line_reader& lines) {
  sender to{node};
  for (size_t number = 1;; ++number) {
    std::optional<error> reason;
    try {
      auto line = lines.next();
      if (!line)
        break;
      if (line->find_first_not_of(" \t\r") != line->npos)
        to.add(number, to_request(service, *line));
    } catch (const bad_line& e) {
      reason = error{errc::bad_request, e.what()};
    }
    if (reason) {
      to.flush();
      to.refuse_line(number, *reason);
    }
  }
  to.flush();
  return to.count();
}

} // namespace

void import_entities(const arguments& args) {
  command_line line{usage, {"SERVICE", "[FILE]"}};
  if (!line.parse(args))
    return;
  auto service = line.name("SERVICE");
  auto node = line.node();
  line_reader lines{line.optional_argument("FILE").value_or("-")};
  auto count = import_lines(node, service, lines);
  write_stdout("imported " + std::to_string(count) + "\n");
}

} // namespace troupe::cli
