#include "apps/troupe/client/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <boost/program_options/parsers.hpp>

#include "actors/core/defaults.hpp"
#include "actors/core/module.hpp"
#include "apps/troupe/client/output.hpp"

namespace po = boost::program_options;

namespace troupe::cli {

namespace {

constexpr const char* default_endpoint = "http://127.0.0.1:8700";

} // namespace

command_line::command_line(std::string usage,
                           std::vector<std::string> positional)
  : usage_(std::move(usage)), positional_(std::move(positional)),
    described_("Options", 80) {}

command_line& command_line::flag(const char* name, const char* text) {
  described_.add_options()(name, text);
  return *this;
}

command_line& command_line::option(const char* name, const char* argument,
                                   const char* text) {
  described_.add_options()(name, po::value<std::string>()->value_name(argument),
                           text);
  return *this;
}

bool command_line::parse(const arguments& args) {
  option("endpoint", "URL",
         "The node to talk to. Default: $TROUPE_ENDPOINT, else "
         "http://127.0.0.1:8700.");
  flag("help,h", "Print this text.");
  store(args);
  if (has("help")) {
    std::ostringstream out;
    out << usage_ << '\n' << described_;
    write_stdout(out.str());
    return false;
  }
  check_positional();
  return true;
}

void command_line::store(const arguments& args) {
  using style = po::command_line_style::style_t;
  try {
    auto parsed = po::command_line_parser(args)
                    .options(described_)
                    .style(style::unix_style & ~style::allow_guessing)
                    .run();
    po::store(parsed, values_);
    // What belongs to no option has no name.
    for (const auto& x : parsed.options)
      if (x.string_key.empty())
        given_.insert(given_.end(), x.value.begin(), x.value.end());
  } catch (const po::error& e) {
    throw usage_error{e.what()};
  }
}

void command_line::check_positional() const {
  if (given_.size() < positional_.size()
      && !positional_[given_.size()].starts_with('['))
    throw usage_error{positional_[given_.size()] + " is missing"};
  if (given_.size() > positional_.size())
    throw usage_error{"the argument '" + given_[positional_.size()]
                      + "' is one too many"
                      + (described_.find_nothrow("data", false)
                           ? "; what is sent comes after -d"
                           : "")};
}

bool command_line::has(const char* name) const {
  return values_.count(name) > 0;
}

std::optional<std::string> command_line::value(const char* name) const {
  if (!has(name))
    return std::nullopt;
  return values_[name].as<std::string>();
}

const std::string& command_line::argument(const char* name) const {
  auto i = std::find(positional_.begin(), positional_.end(), name);
  return given_.at(static_cast<size_t>(i - positional_.begin()));
}

std::optional<std::string>
command_line::optional_argument(const char* name) const {
  auto i = std::find(positional_.begin(), positional_.end(),
                     "[" + std::string{name} + "]");
  auto index = static_cast<size_t>(i - positional_.begin());
  if (index >= given_.size())
    return std::nullopt;
  return given_[index];
}

std::optional<uint64_t> command_line::number(const char* name) const {
  auto text = value(name);
  if (!text)
    return std::nullopt;
  uint64_t result = 0;
  auto end = text->data() + text->size();
  auto [rest, failed] = std::from_chars(text->data(), end, result);
  if (failed != std::errc{} || rest != end || result == 0)
    throw usage_error{std::string{"--"} + name
                      + " must be a whole number from 1, is '" + *text + "'"};
  return result;
}

const std::string& command_line::name(const char* name) const {
  const auto& result = argument(name);
  check_name(result, name);
  return result;
}

endpoint command_line::node() const {
  if (auto url = value("endpoint"))
    return endpoint{*url};
  auto variable = std::getenv("TROUPE_ENDPOINT");
  return endpoint{variable && *variable ? variable : default_endpoint};
}

void check_name(const std::string& text, const std::string& what) {
  if (!is_valid_name(text))
    throw usage_error{what + " must be 1 to "
                      + std::to_string(defaults::name_length_max)
                      + " letters, digits, '-' or '_', is '" + text + "'"};
}

void check_key(const std::string& text) {
  if (!is_valid_key(text))
    throw usage_error{"a key must be 1 to "
                      + std::to_string(defaults::key_length_max)
                      + " bytes of UTF-8, is '" + text + "'"};
}

std::string to_entity_tags(const std::string& text, const std::string& option) {
  if (text == "*")
    return text;
  std::string result;
  for (size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto number = text.substr(begin, end - begin);
    if (number.empty() || number.size() > 20
        || number.find_first_not_of("0123456789") != number.npos)
      throw usage_error{option
                        + " must be a revision (a number), several "
                          "with commas, or *, is '"
                        + text + "'"};
    result.append(result.empty() ? "\"" : ", \"").append(number).append("\"");
    begin = end + 1;
  }
  return result;
}

void run_subcommand(std::string_view command, std::span<const subcommand> all,
                    const arguments& args) {
  for (auto& x : all)
    if (x.name == args.front())
      try {
        return x.run({args.begin() + 1, args.end()});
      } catch (const usage_error& e) {
        throw usage_error{e.what(), args.front()};
      }
  throw usage_error{"there is no command '" + std::string{command} + " "
                    + args.front() + "'"};
}

} // namespace troupe::cli
