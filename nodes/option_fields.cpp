#include "nodes/option_fields.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument{what};
}

} // namespace

option_fields::option_fields(const std::string& text) {
  for (size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    add(text.substr(begin, end - begin));
    begin = end + 1;
  }
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

void option_fields::expect_none() const {
  if (!all_.empty())
    refuse("there is no field '" + all_.begin()->first + "'");
}

void option_fields::add(const std::string& field) {
  auto colon = field.find(':');
  if (colon == field.npos || colon == 0 || colon + 1 == field.size())
    refuse("'" + field + "' is no field; write NAME:VALUE");
  if (!all_.emplace(field.substr(0, colon), field.substr(colon + 1)).second)
    refuse("'" + field.substr(0, colon) + "' is given twice");
}

} // namespace troupe
