#include "nodes/http/message.hpp"

#include <algorithm>

namespace troupe::http {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool ends_line(char c) {
  return c == '\r' || c == '\n' || c == '\0';
}

} // namespace

bool same_name(std::string_view x, std::string_view y) {
  return x.size() == y.size()
         && std::equal(x.begin(), x.end(), y.begin(),
                       [](char a, char b) { return lower(a) == lower(b); });
}

std::optional<std::string_view> request::field(std::string_view name) const {
  for (const auto& x : fields_)
    if (x.name.size == name.size() && same_name(view(x.name), name))
      return view(x.value);
  return std::nullopt;
}

size_t request::count(std::string_view name) const {
  return static_cast<size_t>(
    std::count_if(fields_.begin(), fields_.end(), [&](const auto& x) {
      return same_name(view(x.name), name);
    }));
}

response& response::add(std::string_view name, std::string_view value) {
  auto first = fields.size();
  fields.append(name).append(": ").append(value);
  std::replace_if(fields.begin() + static_cast<ptrdiff_t>(first), fields.end(),
                  ends_line, ' ');
  fields.append("\r\n");
  return *this;
}

response error_response(unsigned status, std::string_view error_type,
                        std::string_view text, std::string_view effect) {
  response result{status};
  result.add("Content-Type", "application/json");
  result.body.append("{\"errorType\":\"")
    .append(error_type)
    .append("\",\"errorMessage\":\"")
    .append(text)
    .append("\",\"effect\":\"")
    .append(effect)
    .append("\"}");
  return result;
}

std::string_view reason(unsigned status) {
  switch (status) {
  case 100:
    return "Continue";
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 204:
    return "No Content";
  case 206:
    return "Partial Content";
  case 301:
    return "Moved Permanently";
  case 302:
    return "Found";
  case 303:
    return "See Other";
  case 304:
    return "Not Modified";
  case 307:
    return "Temporary Redirect";
  case 308:
    return "Permanent Redirect";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 406:
    return "Not Acceptable";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 411:
    return "Length Required";
  case 412:
    return "Precondition Failed";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 415:
    return "Unsupported Media Type";
  case 417:
    return "Expectation Failed";
  case 422:
    return "Unprocessable Content";
  case 426:
    return "Upgrade Required";
  case 428:
    return "Precondition Required";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 502:
    return "Bad Gateway";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  case 505:
    return "HTTP Version Not Supported";
  case 508:
    return "Loop Detected";
  default:
    return "Unknown";
  }
}

} // namespace troupe::http
