#include "nodes/nats/publisher.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "nodes/events/receiver_error.hpp"
#include "nodes/nats/connect.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe::nats {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using json = nlohmann::json;

/// Of one step; a message may have less.
constexpr milliseconds step_limit = 5s;

/// How long it is known which stream takes a subject.
constexpr auto known_for = 30s;

/// Subjects of which that is known: with keys in them there may be many.
constexpr size_t known_max = 4096;

struct waiting_message {
  outgoing_message what;
  publisher::callback done;
  clock::time_point deadline;
};

message_handle to_message(const outgoing_message& x) {
  natsMsg* raw = nullptr;
  check(natsMsg_Create(&raw, x.subject.c_str(), nullptr, x.body.data(),
                       static_cast<int>(x.body.size())),
        "message");
  message_handle result{raw};
  for (auto& [name, value] : x.headers)
    check(natsMsgHeader_Set(raw, name.c_str(), value.c_str()), name);
  return result;
}

/// With its headers, which count as well. Those of JetStream are an id, and the
/// name of a stream, which has 255 bytes at most.
size_t size_of(const outgoing_message& x) {
  constexpr size_t around = 512;
  auto result = x.body.size() + x.id.size() + around;
  for (auto& [name, value] : x.headers)
    result += name.size() + value.size() + 4; // ": " and the end of the line
  return result;
}

payload of_stream(const jsPubAck& x) {
  return {json{{"stream", x.Stream}, {"sequence", x.Sequence}}.dump(),
          "application/json"};
}

/// One connection, as long as it lasts.
class link {
public:
  link(const broker_address& to, milliseconds limit)
    : connection_(connect(to, "troupe", limit)) {
    jsCtx* raw = nullptr;
    check(natsConnection_JetStream(&raw, connection_.get(), nullptr),
          "JetStream");
    context_.reset(raw);
  }

  bool is_open() const {
    return natsConnection_Status(connection_.get())
           == NATS_CONN_STATUS_CONNECTED;
  }

  /// The stream that takes the subject; empty: none does. @throws session_error
  std::string stream_of(const std::string& subject, milliseconds limit) {
    auto now = clock::now();
    if (auto i = streams_.find(subject); i != streams_.end()) {
      if (now < i->second.until)
        return i->second.name;
      streams_.erase(i);
    }
    if (streams_.size() >= known_max)
      streams_.clear();
    auto name = ask_for_stream(subject, limit);
    streams_[subject] = {name, now + known_for};
    return name;
  }

  void forget(const std::string& subject) { streams_.erase(subject); }

  natsStatus publish(natsMsg& x) {
    return natsConnection_PublishMsg(connection_.get(), &x);
  }

  natsStatus publish_to_stream(natsMsg& x, const std::string& stream,
                               const std::string& id, milliseconds limit,
                               payload& answer) {
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = limit.count();
    options.MsgId = id.c_str();
    options.ExpectStream = stream.c_str();
    jsPubAck* ack = nullptr;
    jsErrCode code{};
    auto status = js_PublishMsg(&ack, context_.get(), &x, &options, &code);
    if (status == NATS_OK)
      answer = of_stream(*ack);
    jsPubAck_Destroy(ack);
    return status;
  }

  natsStatus flush(milliseconds limit) {
    return natsConnection_FlushTimeout(connection_.get(), limit.count());
  }

  size_t size_max() const {
    return static_cast<size_t>(natsConnection_GetMaxPayload(connection_.get()));
  }

private:
  struct known_stream {
    std::string name;
    clock::time_point until;
  };

  std::string ask_for_stream(const std::string& subject, milliseconds limit) {
    auto question = json{{"subject", subject}}.dump();
    natsMsg* raw = nullptr;
    auto status = natsConnection_RequestString(&raw, connection_.get(),
                                               "$JS.API.STREAM.NAMES",
                                               question.c_str(), limit.count());
    message_handle answer{raw};
    if (status == NATS_NO_RESPONDERS)
      return {}; // a server without JetStream
    check(status, "which stream takes '" + subject + "' is not known");
    auto text = json::parse(
      std::string_view{natsMsg_GetData(raw),
                       static_cast<size_t>(natsMsg_GetDataLength(raw))},
      nullptr, false);
    auto streams = text.is_object() ? text.value("streams", json{}) : json{};
    return streams.is_array() && !streams.empty() && streams[0].is_string()
             ? streams[0].get<std::string>()
             : std::string{};
  }

  connection_handle connection_;
  context_handle context_;
  std::map<std::string, known_stream> streams_; // by subject
};

} // namespace

class publisher::engine {
public:
  engine(broker_address to, publisher_options options)
    : to_(std::move(to)), options_(options),
      url_(to_string(to_, broker_kind::nats)), thread_([this] { run(); }) {}

  ~engine() { stop(0ms); }

  void publish(outgoing_message what, callback done) {
    std::optional<error> refusal;
    {
      std::lock_guard guard{mutex_};
      if (ends_)
        refusal = is_leaving();
      else if (count_ >= options_.waiting_max)
        refusal = has_too_much();
      else
        inbox_.push_back(
          {std::move(what), std::move(done), clock::now() + options_.timeout});
      count_ += refusal ? 0 : 1;
    }
    if (refusal)
      return done(std::move(*refusal));
    changed_.notify_all();
  }

  void stop(milliseconds patience) {
    {
      std::unique_lock guard{mutex_};
      ends_ = true;
      changed_.notify_all();
      // What is being sent is waited for in any case: a step has its limit.
      changed_.wait_for(guard, patience, [this] { return count_ == 0; });
      hurries_ = true;
    }
    changed_.notify_all();
    std::lock_guard guard{joining_};
    if (thread_.joinable())
      thread_.join();
  }

private:
  void run() {
    for (;;) {
      std::vector<waiting_message> next;
      {
        std::unique_lock guard{mutex_};
        changed_.wait(guard, [this] { return ends_ || !inbox_.empty(); });
        if (inbox_.empty())
          return;
        next.swap(inbox_);
      }
      try {
        send(next);
      } catch (const std::exception& e) {
        tell(e.what());
        lose(e.what()); // while what it points to is there
      }
      std::lock_guard guard{mutex_};
      count_ -= next.size();
      changed_.notify_all();
    }
  }

  milliseconds left(const waiting_message& x) const {
    return std::min(
      step_limit, std::chrono::floor<milliseconds>(x.deadline - clock::now()));
  }

  bool hurries() {
    std::lock_guard guard{mutex_};
    return hurries_;
  }

  /// An exception, of a message or of memory, ends no node.
  void answer(waiting_message& x, expected<payload> what) {
    try {
      x.done(std::move(what));
    } catch (const std::exception& e) {
      tell(e.what()); // the others are answered nevertheless
    }
  }

  void tell(const std::string& why) {
    if (options_.on_fault)
      options_.on_fault(url_ + ": " + why);
  }

  /// Each is answered.
  void send(std::vector<waiting_message>& all) {
    for (auto& x : all) {
      if (hurries())
        answer(x, is_leaving());
      else if (left(x) <= 0ms)
        answer(x, is_late(url_));
      else if (auto reason = reach(left(x)))
        answer(x, *reason);
      else
        send(x);
    }
    flush();
  }

  /// Why there is no connection.
  std::optional<error> reach(milliseconds limit) {
    if (link_ && link_->is_open())
      return std::nullopt;
    lose("the connection broke");
    if (clock::now() < next_try_)
      return is_unreachable(url_, why_);
    try {
      link_.emplace(to_, limit);
      return std::nullopt;
    } catch (const std::exception& e) {
      // Those who wait with it need not wait for the same.
      why_ = e.what();
      next_try_ = clock::now() + 100ms;
      return is_unreachable(url_, why_);
    }
  }

  void send(waiting_message& x) {
    if (size_of(x.what) > link_->size_max())
      return answer(x,
                    is_refused(url_, "it takes no message as large as this"));
    try {
      auto message = to_message(x.what);
      auto stream = link_->stream_of(x.what.subject, left(x));
      if (!stream.empty())
        return send_to_stream(x, *message, stream);
      check(link_->publish(*message), "cannot publish");
      sent_.push_back(&x);
    } catch (const session_error& e) {
      lose(e.what());
      answer(x, is_broken(url_, e.what()));
    } catch (const std::exception& e) {
      tell(e.what());
      lose(e.what());
      answer(x, is_broken(url_, e.what()));
    }
  }

  void send_to_stream(waiting_message& x, natsMsg& message,
                      const std::string& stream) {
    payload stored;
    auto status = link_->publish_to_stream(message, stream, x.what.id,
                                           std::max(left(x), 1ms), stored);
    if (status == NATS_OK)
      return answer(x, std::move(stored));
    link_->forget(x.what.subject); // it may have another stream now
    answer(x, is_broken(url_, describe("the stream '" + stream + "'", status)));
  }

  /// The server has what was sent, or it is not known.
  void flush() {
    if (sent_.empty())
      return;
    auto status = link_->flush(std::max(left(*sent_.front()), 1ms));
    if (status != NATS_OK)
      return lose(describe("no answer", status));
    for (auto x : std::exchange(sent_, {}))
      answer(*x, payload{"{}", "application/json"});
  }

  /// The connection is over, and with it what was not flushed.
  void lose(const std::string& why) {
    link_.reset();
    for (auto x : std::exchange(sent_, {}))
      answer(*x, is_broken(url_, why));
  }

  const broker_address to_;
  const publisher_options options_;
  const std::string url_;
  std::optional<link> link_;           // of the thread, and what follows
  std::vector<waiting_message*> sent_; // and not flushed
  clock::time_point next_try_;
  std::string why_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<waiting_message> inbox_;
  size_t count_ = 0;
  bool ends_ = false;
  bool hurries_ = false;
  std::mutex joining_;
  std::thread thread_;
};

publisher::publisher(broker_address to, publisher_options options)
  : engine_(std::make_unique<engine>(std::move(to), options)) {}

publisher::~publisher() = default;

void publisher::publish(outgoing_message what, callback done) {
  engine_->publish(std::move(what), std::move(done));
}

void publisher::stop(milliseconds patience) {
  engine_->stop(patience);
}

} // namespace troupe::nats
