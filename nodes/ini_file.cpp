#include "nodes/ini_file.hpp"

#include <sstream>
#include <stdexcept>
#include <string_view>

namespace troupe {

namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos)
    return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

[[noreturn]] void refuse(size_t line, const std::string& why) {
  throw std::invalid_argument{"line " + std::to_string(line) + ": " + why};
}

/// More than anybody writes, and less than what a device would fill.
constexpr size_t file_bytes_max = size_t{1} << 20;

std::istringstream read_all(std::istream& in) {
  std::string result(file_bytes_max + 1, '\0');
  in.read(result.data(), static_cast<std::streamsize>(result.size()));
  result.resize(static_cast<size_t>(in.gcount()));
  if (result.size() > file_bytes_max)
    throw std::invalid_argument{"the file is larger than 1 MiB"};
  return std::istringstream{std::move(result)};
}

} // namespace

std::vector<ini_entry> read_ini(std::istream& from) {
  auto in = read_all(from);
  std::vector<ini_entry> result;
  std::string buffer;
  std::string section;
  for (size_t line = 1; std::getline(in, buffer); ++line) {
    auto text = trim(buffer);
    if (text.empty() || text[0] == '#' || text[0] == ';')
      continue;
    if (text[0] == '[') {
      if (text.back() != ']' || trim(text.substr(1, text.size() - 2)).empty())
        refuse(line, "a section is written [name]");
      section = std::string{trim(text.substr(1, text.size() - 2))} + ".";
      continue;
    }
    auto equals = text.find('=');
    auto key = trim(text.substr(0, equals));
    if (equals == text.npos || key.empty())
      refuse(line, "expected [section] or name = value");
    result.push_back({section + std::string{key},
                      std::string{trim(text.substr(equals + 1))}, line});
  }
  return result;
}

} // namespace troupe
