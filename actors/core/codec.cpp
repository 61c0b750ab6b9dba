#include "actors/core/codec.hpp"

#include <cstdlib>

namespace troupe {

namespace {

/// nlohmann parses any depth, then overflows the stack on copy or dump: count
/// before it starts.
bool deeper_than(std::string_view text, size_t limit) noexcept {
  size_t depth = 0;
  auto in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit)
        return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// `sent` is a number or a boolean.
bool is_same_number(const json& sent, const json& kept) {
  if (sent.is_boolean() || kept.is_boolean())
    return sent.is_boolean() == kept.is_boolean();
  if (kept.is_number_float())
    return true; // a float is the nearest one
  if (sent.is_number_float())
    return sent.get<double>() == kept.get<double>();
  auto is_negative = [](const json& x) {
    return !x.is_number_unsigned() && x.get<int64_t>() < 0;
  };
  return is_negative(sent) == is_negative(kept)
         && sent.get<uint64_t>() == kept.get<uint64_t>();
}

/// Where `kept` differs from `sent`, as a JSON pointer; nothing if it does not.
/// Kinds that differ (a time written as text, say) are the class's own affair.
std::optional<std::string> find_cut(const json& sent, const json& kept) {
  auto is_number = [](const json& x) {
    return x.is_number() || x.is_boolean();
  };
  if (is_number(sent) && is_number(kept))
    return is_same_number(sent, kept) ? std::nullopt
                                      : std::optional<std::string>{""};
  if (sent.is_array() && kept.is_array()) {
    if (sent.size() != kept.size())
      return "";
    for (size_t i = 0; i < sent.size(); ++i)
      if (auto at = find_cut(sent[i], kept[i]))
        return "/" + std::to_string(i) + *at;
  }
  if (sent.is_object() && kept.is_object())
    for (auto& [name, value] : kept.items())
      if (auto i = sent.find(name); i != sent.end())
        if (auto at = find_cut(*i, value))
          return "/" + name + *at;
  return std::nullopt;
}

/// What came, short enough for a message.
std::string describe(const json& x) {
  switch (x.type()) {
  case json::value_t::null:
    return "null";
  case json::value_t::boolean:
    return x.get<bool>() ? "true" : "false";
  case json::value_t::number_integer:
  case json::value_t::number_unsigned:
  case json::value_t::number_float:
    return "the number " + x.dump();
  case json::value_t::string:
    return "a string";
  case json::value_t::array:
    return "an array";
  case json::value_t::object:
    return "an object";
  case json::value_t::binary:
  case json::value_t::discarded:
    break;
  }
  return "something that is no JSON";
}

/// Takes whatever is JSON.
class reader_of_nothing final : public nlohmann::json_sax<json> {
public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }

  bool parse_error(std::size_t, const std::string&,
                   const json::exception& e) override {
    why = plain_text(e);
    return false;
  }

  std::string why;
};

void check_depth(std::string_view text, size_t depth_max) {
  if (deeper_than(text, depth_max))
    detail::throw_bad_argument("JSON is nested deeper than "
                               + std::to_string(depth_max) + " levels");
}

[[noreturn]] void throw_no_json(std::string_view why) {
  detail::throw_bad_argument("this is no JSON: " + std::string{why});
}

std::string count(size_t arguments) {
  return arguments == 1 ? "1 argument"
                        : std::to_string(arguments) + " arguments";
}

[[noreturn]] void throw_wrong_count(size_t wanted, const std::string& got) {
  detail::throw_bad_argument("takes " + count(wanted) + ", got " + got);
}

} // namespace

std::string_view plain_text(const std::exception& e) noexcept {
  std::string_view text = e.what();
  auto end = text.find("] ");
  return text.starts_with("[json.") && end != text.npos ? text.substr(end + 2)
                                                        : text;
}

void detail::check_nothing_was_cut(const json& sent, const json& kept) {
  if (auto at = find_cut(sent, kept))
    throw_bad_argument((at->empty() ? "the value" : "the value at " + *at)
                       + " does not fit its type");
}

json parse_json(std::string_view text, size_t depth_max) {
  check_depth(text, depth_max);
  try {
    return json::parse(text);
  } catch (const json::exception& e) {
    throw_no_json(plain_text(e));
  }
}

void check_json(std::string_view text, size_t depth_max) {
  check_depth(text, depth_max);
  reader_of_nothing reader;
  if (!json::sax_parse(text, &reader))
    throw_no_json(reader.why);
}

std::string dump_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void detail::throw_bad_argument(const std::string& why) {
  throw error_exception{error{errc::bad_request, why}};
}

void detail::throw_not(const char* what, const json& got) {
  throw_bad_argument(std::string{"expected "} + what + ", got "
                     + describe(got));
}

void detail::throw_out_of_range(const json& got, int64_t least, uint64_t most) {
  auto what =
    "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  throw_not(what.c_str(), got);
}

void detail::rethrow_bad_argument(size_t position) {
  auto refuse = [position](std::string_view why) {
    auto which =
      position > 0 ? "argument " + std::to_string(position) + ": " : "";
    throw_bad_argument(which.append(why));
  };
  try {
    throw;
  } catch (const error_exception& e) {
    if (e.reason() != errc::bad_request)
      throw;
    refuse(e.reason().message());
  } catch (const json::exception& e) {
    refuse(plain_text(e));
  } catch (const std::exception& e) {
    refuse(e.what());
  }
  std::abort(); // `refuse` throws
}

json detail::parse_arguments(std::string_view body, size_t arity) {
  if (body.empty())
    throw_wrong_count(arity, "none");
  auto result = parse_json(body);
  if (!result.is_array())
    throw_bad_argument("takes " + count(arity) + " as an array, got "
                       + describe(result));
  if (result.size() != arity)
    throw_wrong_count(arity, std::to_string(result.size()));
  return result;
}

json detail::parse_argument(std::string_view body) {
  if (body.empty())
    throw_wrong_count(1, "none");
  return parse_json(body);
}

void detail::check_no_argument(std::string_view body) {
  if (body.empty())
    return;
  if (auto value = parse_json(body); !value.is_null())
    throw_bad_argument("takes no argument, got " + describe(value));
}

} // namespace troupe
