#include "nodes/option_fields.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument{what};
}

} // namespace

std::map<std::string, std::string> split_fields(const std::string& text) {
  std::map<std::string, std::string> result;
  for (size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto field = text.substr(begin, end - begin);
    auto colon = field.find(':');
    if (colon == field.npos || colon == 0 || colon + 1 == field.size())
      refuse("'" + field + "' is no field; write NAME:VALUE");
    auto name = field.substr(0, colon);
    if (!result.emplace(name, field.substr(colon + 1)).second)
      refuse("'" + name + "' is given twice");
    begin = end + 1;
  }
  return result;
}

std::string option_fields::take(const std::string& name) {
  auto i = all_.find(name);
  if (i == all_.end())
    return {};
  auto result = std::move(i->second);
  all_.erase(i);
  return result;
}

std::string option_fields::need(const std::string& name) {
  auto result = take(name);
  if (result.empty())
    refuse("there is no " + name);
  return result;
}

void option_fields::expect_only(std::span<const std::string_view> known) const {
  std::string unknown;
  for (auto& [name, value] : all_)
    if (std::find(known.begin(), known.end(), name) == known.end())
      unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  if (unknown.empty())
    return;
  std::string names;
  for (auto name : known)
    names += (names.empty() ? "" : ", ") + std::string{name};
  refuse("there is no field " + unknown + "; there are " + names);
}

void option_fields::expect_none() const {
  if (!all_.empty())
    refuse("there is no field '" + all_.begin()->first + "'");
}

} // namespace troupe
