#include "apps/troupe/client/http_client.hpp"

#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "actors/core/codec.hpp"
#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;

/// A node that does not take a connection in that time is none.
constexpr std::chrono::milliseconds connect_timeout = 5s;

/// No answer of a node is larger; bounds the memory that a stranger at the
/// endpoint can make us use.
constexpr size_t answer_bytes_max = size_t{256} << 20;

template <class T, void (*Free)(T*)>
struct freed_by {
  void operator()(T* x) const noexcept { Free(x); }
};

using easy_handle = std::unique_ptr<CURL, freed_by<CURL, curl_easy_cleanup>>;
using url_handle = std::unique_ptr<CURLU, freed_by<CURLU, curl_url_cleanup>>;
using field_list =
  std::unique_ptr<curl_slist, freed_by<curl_slist, curl_slist_free_all>>;

/// libcurl's state of the process; only threads would need more care.
class curl_session {
public:
  curl_session() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw std::bad_alloc{};
  }

  curl_session(const curl_session&) = delete;

  curl_session& operator=(const curl_session&) = delete;

  ~curl_session() { curl_global_cleanup(); }
};

size_t append_body(char* data, size_t, size_t size, void* target) {
  auto& body = *static_cast<std::string*>(target);
  if (size > answer_bytes_max - body.size())
    return 0;
  body.append(data, size);
  return size;
}

template <class T>
void set(const easy_handle& handle, CURLoption option, T value) {
  if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK)
    throw error_exception{
      error{errc::internal_error, effect::none,
            "libcurl refuses option " + std::to_string(option)}};
}

field_list make_fields(const http_request& request) {
  field_list result;
  auto add = [&](const char* field) {
    auto longer = curl_slist_append(result.get(), field);
    if (!longer)
      throw std::bad_alloc{};
    [[maybe_unused]] auto shorter = result.release(); // is a part of it
    result.reset(longer);
  };
  // No waiting for "100 Continue", no type that we did not choose.
  add("Expect:");
  if (request.content_type.empty())
    add("Content-Type:");
  else
    add(("Content-Type: " + request.content_type).c_str());
  for (const auto& x : request.fields)
    add(x.c_str());
  return result;
}

void set_connection(const easy_handle& handle,
                    std::chrono::milliseconds timeout) {
  set(handle, CURLOPT_PROTOCOLS_STR, "http");
  set(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(handle, CURLOPT_PROXY, "");
  set(handle, CURLOPT_NOPROXY, "*");
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, long{connect_timeout.count()});
  set(handle, CURLOPT_TIMEOUT_MS, long{timeout.count()});
}

void set_request(const easy_handle& handle, const http_request& request) {
  if (request.method == "GET")
    return set(handle, CURLOPT_HTTPGET, 1L);
  set(handle, CURLOPT_POST, 1L);
  set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  set(handle, CURLOPT_POSTFIELDS, request.body.data());
  set(handle, CURLOPT_POSTFIELDSIZE_LARGE,
      static_cast<curl_off_t>(request.body.size()));
}

/// Whether bytes of the request may have reached the node. A connection that is
/// used again takes no time to come about.
bool was_connected(const easy_handle& handle, CURLcode code, bool used_before) {
  curl_off_t connected_us = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_CONNECT_TIME_T, &connected_us);
  return connected_us > 0 || (used_before && code != CURLE_COULDNT_CONNECT);
}

error no_answer(const endpoint& node, CURLcode code, bool connected,
                const char* detail) {
  std::string why = *detail ? detail : curl_easy_strerror(code);
  if (!connected)
    return error::from_handler("no_node",
                               "no node answers at " + node.url() + ": " + why)
      .with_effect(effect::none);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return {errc::deadline_exceeded, effect::unknown, node.url() + ": " + why};
  return {errc::outcome_unknown,
          node.url() + " gave no answer of a node: " + why};
}

http_answer read_answer(const easy_handle& handle, std::string body) {
  http_answer result;
  result.body = std::move(body);
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &result.status);
  const char* type = nullptr;
  curl_easy_getinfo(handle.get(), CURLINFO_CONTENT_TYPE, &type);
  if (type)
    result.content_type = type;
  return result;
}

error to_error(const endpoint& node, const http_answer& answer) {
  try {
    auto body = parse_json(answer.body);
    if (body.is_object() && body.contains("errorType")
        && body["errorType"].is_string())
      return error::from_json(body);
  } catch (const error_exception&) {
    // No JSON: not from a node, or from something in between.
  }
  return {errc::internal_error, node.url() + " answers with status "
                                  + std::to_string(answer.status)
                                  + ", and not with an error of a node"};
}

bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
         || c == '~';
}

/// Whether `url` is scheme, host and port, and nothing more.
bool is_plain_url(const std::string& url) {
  url_handle parsed{curl_url()};
  if (!parsed
      || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(),
                      CURLU_NON_SUPPORT_SCHEME)
           != CURLUE_OK)
    return false;
  auto part = [&](CURLUPart which) -> std::string {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, 0) != CURLUE_OK)
      return "";
    std::string result{text};
    curl_free(text);
    return result;
  };
  return part(CURLUPART_SCHEME) == "http" && part(CURLUPART_PATH) == "/"
         && part(CURLUPART_USER).empty() && part(CURLUPART_PASSWORD).empty()
         && part(CURLUPART_QUERY).empty() && part(CURLUPART_FRAGMENT).empty();
}

} // namespace

endpoint::endpoint(const std::string& url) : url_(url) {
  if (url_.find("://") == url_.npos)
    url_ = "http://" + url_;
  while (url_.ends_with('/'))
    url_.pop_back();
  if (!is_plain_url(url_))
    throw usage_error{"'" + url
                      + "' is no address of a node; write http://HOST:PORT"};
}

struct http_client::session {
  curl_session process;
  easy_handle handle{curl_easy_init()};
  bool used = false;
};

http_client::http_client(endpoint node)
  : node_(std::move(node)), session_(std::make_unique<session>()) {
  if (!session_->handle)
    throw std::bad_alloc{};
}

http_client::~http_client() = default;

http_answer http_client::send(const http_request& request) {
  auto& handle = session_->handle;
  curl_easy_reset(handle.get()); // its connection stays
  auto fields = make_fields(request);
  auto url = node_.url() + request.target;
  std::string body;
  char detail[CURL_ERROR_SIZE] = "";
  set_connection(handle, request.timeout);
  set_request(handle, request);
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_HTTPHEADER, fields.get());
  set(handle, CURLOPT_ERRORBUFFER, detail);
  set(handle, CURLOPT_WRITEFUNCTION, append_body);
  set(handle, CURLOPT_WRITEDATA, &body);
  auto code = curl_easy_perform(handle.get());
  auto used_before = std::exchange(session_->used, true);
  if (code != CURLE_OK)
    throw error_exception{
      no_answer(node_, code, was_connected(handle, code, used_before), detail)};
  return read_answer(handle, std::move(body));
}

http_answer http_client::send_checked(const http_request& request) {
  auto result = send(request);
  if (result.status < 200 || result.status > 299)
    throw error_exception{to_error(node_, result)};
  return result;
}

http_answer send_checked(const endpoint& node, const http_request& request) {
  return http_client{node}.send_checked(request);
}

std::string percent_encode(const std::string& text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  auto only_dots = text.find_first_not_of('.') == text.npos;
  std::string result;
  for (unsigned char c : text) {
    if (is_unreserved(c) && !only_dots) {
      result += static_cast<char>(c);
      continue;
    }
    result += '%';
    result += digits[c >> 4];
    result += digits[c & 15];
  }
  return result;
}

} // namespace troupe::cli
