#include "nodes/events/http_poster.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

#include <curl/curl.h>

#include "nodes/events/http_answer.hpp"
#include "nodes/events/receiver_error.hpp"
#include "nodes/password_file.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr long connect_timeout_ms = 5'000;

/// Of an answer: what is quoted of it, and what is read at all.
constexpr size_t kept_bytes_max = 1024;
constexpr size_t read_bytes_max = size_t{1} << 20;

/// The longest sleep: until somebody wakes it.
constexpr int poll_ms = 1000;

struct easy_deleter {
  void operator()(CURL* x) const noexcept { curl_easy_cleanup(x); }
};

struct multi_deleter {
  void operator()(CURLM* x) const noexcept { curl_multi_cleanup(x); }
};

struct list_deleter {
  void operator()(curl_slist* x) const noexcept { curl_slist_free_all(x); }
};

using list_handle = std::unique_ptr<curl_slist, list_deleter>;

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_ALL); });
}

/// One request on its way.
class transfer {
public:
  transfer(http_post what, http_poster::callback done)
    : what_(std::move(what)), done_(std::move(done)), easy_(curl_easy_init()) {
    if (!easy_)
      throw std::bad_alloc{};
  }

  transfer(const transfer&) = delete;

  CURL* handle() const noexcept { return easy_.get(); }

  /// Why they cannot be read.
  std::optional<error> read_secrets() {
    try {
      password_ = read_password(what_.login.password_file);
      token_ = read_password(what_.login.token_file);
      return std::nullopt;
    } catch (const std::runtime_error& e) {
      return is_unreachable(what_.url, e.what());
    }
  }

  void prepare(std::chrono::milliseconds timeout) {
    add_header("Expect:"); // no server is asked first
    auto is_type = [](auto& x) { return x.first == "Content-Type"; };
    if (std::none_of(what_.headers.begin(), what_.headers.end(), is_type))
      add_header("Content-Type:"); // and not that of a form
    for (auto& [name, value] : what_.headers)
      // curl drops a header without a value unless it ends with a semicolon.
      add_header(value.empty() ? name + ";" : name + ": " + value);
    auto x = easy_.get();
    curl_easy_setopt(x, CURLOPT_URL, what_.url.c_str());
    curl_easy_setopt(x, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(x, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(x, CURLOPT_POST, 1L);
    curl_easy_setopt(x, CURLOPT_POSTFIELDS, what_.body.data());
    curl_easy_setopt(x, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(what_.body.size()));
    curl_easy_setopt(x, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(x, CURLOPT_USERAGENT, "troupe");
    curl_easy_setopt(x, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_easy_setopt(
      x, CURLOPT_CONNECTTIMEOUT_MS,
      std::min(connect_timeout_ms, static_cast<long>(timeout.count())));
    curl_easy_setopt(x, CURLOPT_ERRORBUFFER, detail_);
    curl_easy_setopt(x, CURLOPT_WRITEFUNCTION, &transfer::take);
    curl_easy_setopt(x, CURLOPT_WRITEDATA, this);
    prepare_login();
  }

  void end(CURLcode code) { done_(outcome(code)); }

  /// It ends without an answer.
  void refuse(error why) { done_(std::move(why)); }

  void refuse_unsent(const char* why) {
    refuse(could_not_send(what_.url, why));
  }

private:
  void prepare_login() {
    auto x = easy_.get();
    auto& login = what_.login;
    auto set = [x](CURLoption what, const std::string& value) {
      if (!value.empty())
        curl_easy_setopt(x, what, value.c_str());
    };
    if (!token_.empty())
      curl_easy_setopt(x, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    set(CURLOPT_XOAUTH2_BEARER, token_);
    set(CURLOPT_USERNAME, login.user);
    set(CURLOPT_PASSWORD, password_);
    set(CURLOPT_CAINFO, login.ca);
    set(CURLOPT_SSLCERT, login.certificate);
    set(CURLOPT_SSLKEY, login.key);
  }

  void add_header(const std::string& line) {
    auto longer = curl_slist_append(headers_.get(), line.c_str());
    if (!longer)
      throw std::bad_alloc{};
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }

  static size_t take(char* bytes, size_t, size_t size, void* self) noexcept {
    auto& me = *static_cast<transfer*>(self);
    me.read_ += size;
    if (me.text_.size() < kept_bytes_max)
      me.text_.append(bytes, std::min(size, kept_bytes_max - me.text_.size()));
    return me.read_ <= read_bytes_max ? size : 0;
  }

  expected<unsigned> outcome(CURLcode code) const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    // Whoever says more than is read has said what it was about.
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
      return judge_answer(what_.url, static_cast<unsigned>(status), text_,
                          retry_after_s());
    if (is_unsent())
      return is_unreachable(what_.url, reason(code));
    if (code == CURLE_OPERATION_TIMEDOUT)
      return is_late(what_.url);
    return is_broken(what_.url, reason(code));
  }

  uint32_t retry_after_s() const {
    curl_off_t result = 0;
    if (curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &result)
        != CURLE_OK)
      return 0;
    return static_cast<uint32_t>(std::clamp<curl_off_t>(result, 0, INT32_MAX));
  }

  /// Nothing of the request has gone out yet.
  bool is_unsent() const {
    long sent = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0;
  }

  std::string reason(CURLcode code) const {
    return *detail_ ? detail_ : curl_easy_strerror(code);
  }

  const http_post what_;
  const http_poster::callback done_;
  std::string password_;
  std::string token_;
  std::unique_ptr<CURL, easy_deleter> easy_;
  list_handle headers_;
  std::string text_;
  size_t read_ = 0;
  char detail_[CURL_ERROR_SIZE] = {};
};

using transfer_ptr = std::unique_ptr<transfer>;

} // namespace

class http_poster::engine {
public:
  explicit engine(http_poster_options options) : options_(options) {
    init_curl();
    multi_.reset(curl_multi_init());
    if (!multi_)
      throw std::bad_alloc{};
    thread_ = std::thread{[this] { run(); }};
  }

  ~engine() { stop(0ms); }

  void post(http_post what, callback done) {
    auto next = std::make_unique<transfer>(std::move(what), std::move(done));
    if (auto why = next->read_secrets())
      return next->refuse(std::move(*why));
    std::optional<error> refusal;
    {
      std::lock_guard guard{mutex_};
      refusal = refuse();
      if (!refusal) {
        ++count_;
        inbox_.push_back(std::move(next));
      }
    }
    if (refusal)
      return next->refuse(*refusal);
    curl_multi_wakeup(multi_.get());
  }

  void stop(std::chrono::milliseconds patience) {
    {
      std::lock_guard guard{mutex_};
      ends_ = true;
      until_ = std::min(until_, clock::now() + patience);
    }
    curl_multi_wakeup(multi_.get());
    std::lock_guard guard{joining_};
    if (thread_.joinable())
      thread_.join();
  }

private:
  /// Why there is no place for one more. @pre the mutex is held
  std::optional<error> refuse() const {
    if (ends_)
      return is_leaving();
    if (count_ >= options_.in_flight_max)
      return has_too_much();
    return std::nullopt;
  }

  void run() {
    while (begin_new()) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      end_done();
      curl_multi_poll(multi_.get(), nullptr, 0, wait_ms(), nullptr);
    }
    for (auto& [handle, x] : transfers_) {
      curl_multi_remove_handle(multi_.get(), handle);
      contain([&] { x->refuse(is_leaving()); });
    }
    transfers_.clear();
  }

  /// False if it is to end.
  bool begin_new() {
    std::vector<transfer_ptr> next;
    bool is_over = false;
    {
      std::lock_guard guard{mutex_};
      next.swap(inbox_);
      is_over = ends_ && (count_ == 0 || clock::now() >= until_);
    }
    for (auto& x : next)
      contain([&] { begin(std::move(x)); });
    return !is_over;
  }

  void begin(transfer_ptr x) {
    try {
      x->prepare(options_.timeout);
    } catch (const std::exception& e) {
      tell(e.what());
      x->refuse_unsent(e.what());
      return leave();
    }
    auto handle = x->handle();
    curl_multi_add_handle(multi_.get(), handle);
    transfers_.emplace(handle, std::move(x));
  }

  /// An exception, of an answer or of memory, ends no node.
  template <class F>
  void contain(F what) {
    try {
      what();
    } catch (const std::exception& e) {
      tell(e.what());
    }
  }

  void tell(const std::string& why) {
    if (options_.on_fault)
      options_.on_fault("HTTP: " + why);
  }

  /// One less is under way.
  void leave() {
    std::lock_guard guard{mutex_};
    --count_;
  }

  void end_done() {
    int left = 0;
    while (auto message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE)
        continue;
      auto code = message->data.result;
      auto i = transfers_.find(message->easy_handle);
      auto x = std::move(i->second);
      transfers_.erase(i);
      curl_multi_remove_handle(multi_.get(), x->handle());
      contain([&] { x->end(code); });
      leave();
    }
  }

  int wait_ms() {
    std::lock_guard guard{mutex_};
    if (!ends_)
      return poll_ms;
    if (count_ == 0)
      return 0;
    auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until_ - clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, poll_ms));
  }

  const http_poster_options options_;
  std::unique_ptr<CURLM, multi_deleter> multi_;
  std::map<CURL*, transfer_ptr> transfers_; // of the thread
  std::mutex mutex_;                        // guards what follows
  std::vector<transfer_ptr> inbox_;
  size_t count_ = 0;
  bool ends_ = false;
  clock::time_point until_ = clock::time_point::max();
  std::mutex joining_;
  std::thread thread_;
};

http_poster::http_poster(http_poster_options options)
  : engine_(std::make_unique<engine>(options)) {}

http_poster::~http_poster() = default;

void http_poster::post(http_post what, callback done) {
  engine_->post(std::move(what), std::move(done));
}

void http_poster::stop(std::chrono::milliseconds patience) {
  engine_->stop(patience);
}

} // namespace troupe
