#include "actors/core/cloud_event_json.hpp"

#include <limits>
#include <set>
#include <utility>

#include "actors/core/base64.hpp"
#include "actors/core/codec.hpp"
#include "actors/core/json_pieces.hpp"
#include "actors/core/payload_json.hpp"
#include "actors/model/utf8.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse(std::string what) {
  throw error_exception{error{errc::bad_request, std::move(what)}};
}

std::string read_text(const std::string& name, const json& from) {
  if (!from.is_string())
    refuse("the attribute '" + name + "' of an event is a text");
  return from.get<std::string>();
}

cloud_event::value read_value(const std::string& name, std::string_view text) {
  auto x = json::parse(text);
  if (x.is_string())
    return x.get<std::string>();
  if (x.is_boolean())
    return x.get<bool>();
  if (x.is_number_integer() && std::in_range<int32_t>(x.get<int64_t>())
      && (!x.is_number_unsigned() || std::in_range<int32_t>(x.get<uint64_t>())))
    return x.get<int32_t>();
  refuse("the attribute '" + name
         + "' of an event is a text, true, false or a whole number of 32 bits");
}

/// Takes the members of an object one by one.
class event_reader {
public:
  void take(const std::string& name, std::string_view value) {
    if (!seen_.insert(name).second)
      refuse("an event has '" + name + "' twice");
    if (name == "data")
      data_ = value;
    else if (value == "null") // as if it were not there
      return;
    else if (name == "data_base64")
      base64_ = read_text(name, json::parse(value));
    else if (name == "specversion")
      version_ = read_text(name, json::parse(value));
    else if (auto own = own_attribute(name))
      read_own(name, value, result_.*own);
    else
      result_.extensions.emplace(name, read_value(name, value));
  }

  cloud_event finish() {
    if (version_ != "1.0")
      refuse("the specversion of an event is \"1.0\"");
    if (data_ && base64_)
      refuse("an event has data or data_base64, not both");
    if (base64_) {
      result_.data = from_base64(*base64_);
      if (!result_.data)
        refuse("data_base64 of an event is Base64, with padding");
    } else if (data_) {
      result_.data = result_.has_json()
                       ? std::string{*data_}
                       : read_text("data", json::parse(*data_));
    }
    if (auto good = result_.validate(); !good)
      throw error_exception{good.error()};
    return std::move(result_);
  }

private:
  void read_own(const std::string& name, std::string_view value,
                std::string& to) {
    to = read_text(name, json::parse(value));
    if (to.empty())
      refuse("the attribute '" + name + "' of an event is not empty");
  }

  cloud_event result_;
  std::string version_;
  std::set<std::string> seen_;
  std::optional<std::string_view> data_;
  std::optional<std::string> base64_;
};

/// @pre text is JSON
cloud_event read_object(std::string_view text) {
  if (first_of(text) != '{')
    refuse("an event is an object");
  event_reader reader;
  for (auto& [name, value] : members_of(text))
    reader.take(json::parse(name).get<std::string>(), value);
  return reader.finish();
}

/// Runs `read` on what was found to be JSON.
template <class T, class F>
expected<T> read_checked(std::string_view text, F read) {
  try {
    check_json(text);
    return read(text);
  } catch (const error_exception& e) {
    return e.reason();
  }
}

bool is_utf8(std::string_view x) noexcept {
  while (!x.empty()) {
    auto length = utf8_length(x);
    if (length == 0)
      return false;
    x.remove_prefix(length);
  }
  return true;
}

/// What others read as text, so that it is not hidden in Base64.
bool says_text(std::string_view media_type) noexcept {
  auto media = media_type.substr(0, media_type.find(';'));
  return media.starts_with("text/") || media.ends_with("/xml")
         || media.ends_with("+xml");
}

void append_data(std::string& to, const cloud_event& x) {
  auto body = x.body();
  if (is_json(body)) {
    to.append(",\"data\":").append(body.bytes);
  } else if (says_text(body.content_type) && is_utf8(body.bytes)) {
    to.append(",\"data\":").append(dump_json(json(body.bytes)));
  } else {
    to.append(",\"data_base64\":\"");
    append_base64(to, body.bytes);
    to.push_back('"');
  }
}

} // namespace

expected<cloud_event> read_event(std::string_view text) {
  return read_checked<cloud_event>(text, read_object);
}

expected<std::vector<cloud_event>> read_event_batch(std::string_view text,
                                                    size_t most) {
  using events = std::vector<cloud_event>;
  return read_checked<events>(text, [&](std::string_view checked) {
    if (first_of(checked) != '[')
      refuse("a batch is an array of events");
    auto pieces = elements_of(checked);
    if (pieces.size() > most)
      throw error_exception{
        error{errc::payload_too_large,
              "a batch has " + std::to_string(most) + " events at most"}};
    events result;
    for (auto x : pieces)
      try {
        result.push_back(read_object(x));
      } catch (const error_exception& e) {
        refuse("event " + std::to_string(result.size() + 1)
               + " of the batch: " + e.reason().message());
      }
    return result;
  });
}

std::string to_json(const cloud_event& x) {
  std::string result = "{\"specversion\":\"1.0\"";
  auto add = [&](std::string_view name, const json& value) {
    result.append(",\"").append(name).append("\":").append(dump_json(value));
  };
  for (auto name : {"id", "source", "type", "subject", "time", "dataschema",
                    "datacontenttype"})
    if (auto text = x.attribute(name))
      add(name, json(*text));
  for (auto& [name, value] : x.extensions)
    std::visit([&](auto& y) { add(name, json(y)); }, value);
  if (x.data)
    append_data(result, x);
  return result + "}";
}

std::string to_json(const std::vector<cloud_event>& xs) {
  std::string result = "[";
  for (auto& x : xs) {
    if (result.size() > 1)
      result += ',';
    result += to_json(x);
  }
  return result + "]";
}

} // namespace troupe
