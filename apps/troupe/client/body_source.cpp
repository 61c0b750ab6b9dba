#include "apps/troupe/client/body_source.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"

namespace troupe::cli {

namespace {

/// More than any node takes, and less than what an endless stdin would fill.
constexpr size_t body_bytes_max = size_t{1} << 30;

struct file_closer {
  void operator()(FILE* x) const noexcept { std::fclose(x); }
};

/// All of `in`; nothing if it cannot be read.
std::optional<std::string> read_all(FILE* in) {
  std::string result;
  size_t used = 0;
  for (;;) {
    constexpr size_t step = 64 * 1024;
    if (used > body_bytes_max)
      throw error_exception{
        error{errc::payload_too_large, "the body is larger than 1 GiB"}};
    if (result.size() - used < step)
      result.resize(result.size() + std::max(step, result.size()));
    auto count = std::fread(result.data() + used, 1, step, in);
    used += count;
    if (count == 0)
      break;
  }
  if (std::ferror(in))
    return std::nullopt;
  result.resize(used);
  return result;
}

std::string read_file(const std::string& path) {
  std::unique_ptr<FILE, file_closer> in{std::fopen(path.c_str(), "rb")};
  if (in)
    if (auto bytes = read_all(in.get()))
      return *std::move(bytes);
  throw usage_error{"cannot read the file '" + path
                    + "': " + std::strerror(errno)};
}

std::string read_stdin() {
  if (auto bytes = read_all(stdin))
    return *std::move(bytes);
  throw error_exception{
    error{errc::bad_request,
          std::string{"cannot read stdin: "} + std::strerror(errno)}};
}

} // namespace

body_source body_source::read(const std::optional<std::string>& data) {
  if (!data)
    return {};
  if (*data == "-")
    return {read_stdin(), false};
  if (data->starts_with('@'))
    return {read_file(data->substr(1)), false};
  return {*data, true};
}

std::string body_source::content_type() const {
  if (bytes.empty())
    return "";
  return is_typed && nlohmann::json::accept(bytes) ? "application/json"
                                                   : "application/octet-stream";
}

} // namespace troupe::cli
