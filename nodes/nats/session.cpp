#include "nodes/nats/session.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace troupe::nats {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds request_limit = 5s;

/// Before a message that is given back comes again, so that nobody runs in
/// circles with it.
constexpr milliseconds give_back_pause = 1s;

constexpr int64_t to_ns(milliseconds x) {
  return std::chrono::nanoseconds{x}.count();
}

void read_headers(natsMsg& from, incoming_message& to) {
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(&from, &keys, &count) != NATS_OK)
    return; // there are none
  for (int i = 0; i < count; ++i) {
    const char* value = nullptr;
    if (natsMsgHeader_Get(&from, keys[i], &value) == NATS_OK && value)
      to.properties[keys[i]] = value;
  }
  std::free(keys);
  if (auto i = to.properties.find("Content-Type"); i != to.properties.end())
    to.body.content_type = i->second;
}

/// A line end in a header would be one of its own.
std::string header_text(const std::string& text) {
  constexpr size_t longest = 200;
  auto result = text.substr(0, longest);
  std::replace_if(
    result.begin(), result.end(),
    [](unsigned char x) { return x < ' ' || x > '~'; }, '?');
  return result;
}

} // namespace

session::session(const subscription& what) : what_(what) {
  connect();
  subscribe();
}

session::~session() = default;

void session::connect() {
  connection_ =
    nats::connect(what_.broker, what_.session_name(), request_limit);
}

void session::subscribe() {
  natsSubscription* raw = nullptr;
  auto& filter = what_.topic.filter();
  if (what_.kind == broker_kind::nats) {
    auto group = what_.group.empty() ? what_.session_name() : what_.group;
    check(natsConnection_QueueSubscribeSync(&raw, connection_.get(),
                                            filter.c_str(), group.c_str()),
          "cannot subscribe");
    subscription_.reset(raw);
    // What is published once this is said to be connected comes.
    return check(
      natsConnection_FlushTimeout(connection_.get(), request_limit.count()),
      "cannot subscribe");
  }
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = request_limit.count();
  jsCtx* context = nullptr;
  check(natsConnection_JetStream(&context, connection_.get(), &options),
        "JetStream");
  context_.reset(context);
  jsSubOptions how;
  jsSubOptions_Init(&how);
  how.Stream = what_.stream.c_str();
  how.Config.AckPolicy = js_AckExplicit;
  how.Config.DeliverPolicy = js_DeliverAll;
  how.Config.AckWait = to_ns(what_.ack_wait);
  how.Config.MaxAckPending = -1; // what is in flight is bounded here
  jsErrCode code{};
  auto status =
    js_PullSubscribe(&raw, context, filter.c_str(),
                     what_.session_name().c_str(), &options, &how, &code);
  if (code == JSStreamNotFoundErr)
    throw session_error{"there is no stream '" + what_.stream
                        + "' at the server; it is tried again"};
  check(status, "cannot subscribe to the stream '" + what_.stream + "'");
  subscription_.reset(raw);
}

// -- receiving -----------------------------------------------------------------

std::vector<received> session::receive(size_t most, milliseconds time) {
  std::vector<received> result;
  natsStatus status = NATS_OK;
  if (what_.kind == broker_kind::nats) {
    natsMsg* raw = nullptr;
    status = natsSubscription_NextMsg(&raw, subscription_.get(), time.count());
    if (status == NATS_OK)
      result.push_back(read(message_handle{raw}));
  } else {
    natsMsgList list{};
    jsErrCode code{};
    status = natsSubscription_Fetch(
      &list, subscription_.get(), static_cast<int>(most), time.count(), &code);
    for (int i = 0; i < list.Count; ++i)
      result.push_back(
        read(message_handle{std::exchange(list.Msgs[i], nullptr)}));
    natsMsgList_Destroy(&list);
  }
  if (status != NATS_OK && status != NATS_TIMEOUT && result.empty())
    check(status, "the connection is over");
  return result;
}

received session::read(message_handle raw) const {
  received result;
  auto& to = result.message;
  to.topic = natsMsg_GetSubject(raw.get());
  to.body.bytes.assign(natsMsg_GetData(raw.get()),
                       static_cast<size_t>(natsMsg_GetDataLength(raw.get())));
  read_headers(*raw, to);
  if (what_.kind == broker_kind::jetstream) {
    jsMsgMetaData* about = nullptr;
    if (natsMsg_GetMetaData(&about, raw.get()) == NATS_OK) {
      // A stream that is made anew begins to count anew: hence the time at which
      // the message was stored.
      to.position = std::string{about->Stream} + ":"
                    + std::to_string(about->Sequence.Stream) + "@"
                    + std::to_string(about->Timestamp);
      to.deliveries = about->NumDelivered;
      result.lag = about->NumPending;
      jsMsgMetaData_Destroy(about);
    }
  } else if (auto reply = natsMsg_GetReply(raw.get())) {
    result.reply = reply;
  }
  result.raw = std::move(raw);
  return result;
}

// -- answers -------------------------------------------------------------------

void session::acknowledge(natsMsg& x) noexcept {
  if (context_)
    natsMsg_Ack(&x, nullptr);
}

void session::give_back(natsMsg& x) noexcept {
  if (context_)
    natsMsg_NakWithDelay(&x, give_back_pause.count(), nullptr);
}

void session::in_progress(natsMsg& x) noexcept {
  if (context_)
    natsMsg_InProgress(&x, nullptr);
}

void session::publish(const std::string& subject, const payload& body,
                      const header_list& more) {
  natsMsg* raw = nullptr;
  check(natsMsg_Create(&raw, subject.c_str(), nullptr, body.bytes.data(),
                       static_cast<int>(body.bytes.size())),
        "answer");
  message_handle out{raw};
  if (!body.content_type.empty())
    check(natsMsgHeader_Set(raw, "Content-Type", body.content_type.c_str()),
          "answer");
  for (auto& [name, value] : more)
    check(natsMsgHeader_Set(raw, name.c_str(), value.c_str()), "answer");
  check(natsConnection_PublishMsg(connection_.get(), raw), "answer");
}

void session::publish_failure(const std::string& subject, const error& why) {
  payload body{why.to_json(), "application/json"};
  constexpr size_t header = 512;
  if (!takes(body, header)) // the server is one for small messages
    body.bytes.clear();
  publish(
    subject, body,
    {{"Nats-Service-Error",
      std::string{why.type()} + ": " + header_text(why.message())},
     {"Nats-Service-Error-Code", std::to_string(http_status(why.code()))}});
}

bool session::takes(const payload& body, size_t header) const {
  auto most = natsConnection_GetMaxPayload(connection_.get());
  return body.bytes.size() + body.content_type.size() + header
         <= static_cast<size_t>(most);
}

void session::flush() {
  check(natsConnection_FlushTimeout(connection_.get(), request_limit.count()),
        "answer");
}

std::optional<uint64_t> session::lag() {
  if (!context_)
    return std::nullopt;
  jsConsumerInfo* info = nullptr;
  jsErrCode code{};
  if (js_GetConsumerInfo(&info, context_.get(), what_.stream.c_str(),
                         what_.session_name().c_str(), nullptr, &code)
      != NATS_OK)
    return std::nullopt;
  auto result = info->NumPending;
  jsConsumerInfo_Destroy(info);
  return result;
}

uint64_t session::dropped() const {
  int64_t result = 0;
  if (natsSubscription_GetDropped(subscription_.get(), &result) != NATS_OK)
    return 0;
  return static_cast<uint64_t>(result);
}

} // namespace troupe::nats
