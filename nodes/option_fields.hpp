// An option that is one line of fields: `topic:a/b,function:f`. So a value has no
// comma.

#pragma once

#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// The fields of `text`, by name. What is wrong is thrown as
/// std::invalid_argument.
std::map<std::string, std::string> split_fields(const std::string& text);

/// The fields that were written, each until it is taken. What is wrong is thrown
/// as std::invalid_argument.
class option_fields {
public:
  explicit option_fields(const std::string& text) : all_(split_fields(text)) {}

  explicit option_fields(std::map<std::string, std::string> all)
    : all_(std::move(all)) {}

  /// Empty if it is not there.
  std::string take(const std::string& name);

  std::string need(const std::string& name);

  /// Reads one with `read`, if it is there.
  template <class T, class F>
  void take(const std::string& name, T& to, F read) {
    auto text = take(name);
    if (text.empty())
      return;
    try {
      to = static_cast<T>(read(text));
    } catch (const std::invalid_argument& e) {
      throw std::invalid_argument{name + ": " + e.what()};
    }
  }

  bool has(const std::string& name) const { return all_.contains(name); }

  /// All are among `known`, which are named otherwise. To be asked first: who
  /// mistypes a name is not to be told of the field that is missing.
  void expect_only(std::span<const std::string_view> known) const;

  /// All are taken.
  void expect_none() const;

private:
  std::map<std::string, std::string> all_;
};

} // namespace troupe
