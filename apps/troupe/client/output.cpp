#include "apps/troupe/client/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <langinfo.h>
#include <numeric>
#include <sstream>
#include <unistd.h>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/terminal.hpp"

namespace troupe::cli {

namespace {

/// Characters, not bytes, of UTF-8.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(
    text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_json(const std::string& content_type) {
  return content_type.starts_with("application/json");
}

} // namespace

void write_stdout(std::string_view text) {
  auto written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written == text.size() && std::fflush(stdout) == 0)
    return;
  if (errno == EPIPE)
    throw closed_pipe{};
  throw error_exception{
    error{errc::internal_error, effect::ran,
          std::string{"cannot write to stdout: "} + std::strerror(errno)}};
}

void write_answer(const http_answer& answer) {
  const auto& body = answer.body;
  write_stdout(body);
  auto is_open_line = !body.empty() && body.back() != '\n';
  if (is_open_line && (is_json(answer.content_type) || isatty(STDOUT_FILENO)))
    write_stdout("\n");
}

bool can_draw_lines() {
  return isatty(STDOUT_FILENO)
         && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

std::string printable(const std::string& text) {
  auto result = text;
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      c = ' ';
  return result;
}

std::string shortened(const std::string& text, size_t most) {
  constexpr std::string_view dots = "...";
  if (width_of(text) <= most)
    return text;
  size_t end = 0;
  for (size_t left = most - dots.size() + 1; end < text.size(); ++end)
    if ((text[end] & 0xC0) != 0x80 && --left == 0)
      break;
  return text.substr(0, end).append(dots);
}

table::table(std::vector<std::string> header) {
  add(std::move(header));
}

void table::add(std::vector<std::string> row) {
  for (auto& cell : row)
    cell = printable(cell);
  rows_.push_back(std::move(row));
}

std::vector<size_t> table::widths() const {
  std::vector<size_t> result;
  for (const auto& row : rows_) {
    result.resize(std::max(result.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      result[i] = std::max(result[i], width_of(row[i]));
  }
  return result;
}

void table::remove(const std::string& column) {
  auto& header = rows_.front();
  auto i = std::find(header.begin(), header.end(), column) - header.begin();
  for (auto& row : rows_)
    if (i < static_cast<ptrdiff_t>(row.size()))
      row.erase(row.begin() + i);
}

std::string table::to_string(size_t width,
                             const std::vector<std::string>& expendable) const {
  constexpr size_t last_least = 30;
  auto kept = *this;
  auto fits = [&] {
    auto widths = kept.widths();
    widths.back() = std::min(widths.back(), last_least);
    auto between = 2 * (widths.size() - 1);
    return std::accumulate(widths.begin(), widths.end(), between) <= width;
  };
  for (auto i = expendable.begin(); i != expendable.end() && !fits(); ++i)
    kept.remove(*i);
  std::istringstream lines{kept.to_string()};
  std::string result;
  for (std::string line; std::getline(lines, line);)
    result += shortened(line, width) + "\n";
  return result;
}

std::string table::to_string() const {
  auto widths = this->widths();
  std::string result;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      result += row[i];
      result.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    result.erase(result.find_last_not_of(' ') + 1);
    result += '\n';
  }
  return result;
}

void write_fitting(const table& what,
                   const std::vector<std::string>& expendable) {
  auto width = terminal_width();
  write_stdout(width ? what.to_string(*width, expendable) : what.to_string());
}

} // namespace troupe::cli
