#include "tests/support/nats_client.hpp"

#include <stdexcept>
#include <thread>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;
constexpr int64_t patience_ms = 20'000;

void check(natsStatus status, const char* what) {
  if (status == NATS_OK)
    return;
  auto detail = nats_GetLastError(nullptr);
  throw std::runtime_error(std::string{what} + ": " + natsStatus_GetText(status)
                           + (detail ? std::string{" "} + detail : ""));
}

} // namespace

nats_client::nats_client(const std::string& url) {
  natsOptions* options = nullptr;
  check(natsOptions_Create(&options), "options");
  natsOptions_SetURL(options, url.c_str());
  natsOptions_SetMaxReconnect(options, 10'000);
  natsOptions_SetReconnectWait(options, 20);
  natsOptions_SetReconnectJitter(options, 5, 5);
  auto status = natsConnection_Connect(&connection_, options);
  natsOptions_Destroy(options);
  check(status, "connect");
  check(natsConnection_JetStream(&context_, connection_, nullptr), "JetStream");
}

nats_client::~nats_client() {
  natsSubscription_Destroy(subscription_);
  jsCtx_Destroy(context_);
  natsConnection_Destroy(connection_);
}

void nats_client::add_stream(const std::string& name,
                             const std::string& subjects) {
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = name.c_str();
  const char* all[] = {subjects.c_str()};
  config.Subjects = all;
  config.SubjectsLen = 1;
  jsErrCode code{};
  check(js_AddStream(nullptr, context_, &config, nullptr, &code), "stream");
}

void nats_client::publish_to_stream(const std::string& subject,
                                    const std::string& body,
                                    const std::string& id) {
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MsgId = id.c_str();
  options.MaxWait = 500;
  auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    jsErrCode code{};
    auto status = js_Publish(nullptr, context_, subject.c_str(), body.data(),
                             static_cast<int>(body.size()), &options, &code);
    if (status == NATS_OK)
      return;
    if (std::chrono::steady_clock::now() > until)
      check(status, "publish");
    std::this_thread::sleep_for(5ms);
  }
}

void nats_client::publish(const std::string& subject, const std::string& body,
                          const headers& more) {
  natsMsg* message = nullptr;
  check(natsMsg_Create(&message, subject.c_str(), nullptr, body.data(),
                       static_cast<int>(body.size())),
        "message");
  for (auto& [name, value] : more)
    natsMsgHeader_Set(message, name.c_str(), value.c_str());
  auto status = natsConnection_PublishMsg(connection_, message);
  natsMsg_Destroy(message);
  check(status, "publish");
  check(natsConnection_FlushTimeout(connection_, patience_ms), "flush");
}

std::optional<std::string> nats_client::request(const std::string& subject,
                                                const std::string& body) {
  natsMsg* answer = nullptr;
  if (natsConnection_Request(&answer, connection_, subject.c_str(), body.data(),
                             static_cast<int>(body.size()), patience_ms)
      != NATS_OK)
    return std::nullopt;
  std::string result(natsMsg_GetData(answer),
                     static_cast<size_t>(natsMsg_GetDataLength(answer)));
  natsMsg_Destroy(answer);
  return result;
}

void nats_client::ask(const std::string& subject, const std::string& body,
                      const std::string& reply) {
  check(natsConnection_PublishRequest(connection_, subject.c_str(),
                                      reply.c_str(), body.data(),
                                      static_cast<int>(body.size())),
        "ask");
  check(natsConnection_FlushTimeout(connection_, patience_ms), "flush");
}

void nats_client::subscribe(const std::string& subject) {
  check(
    natsConnection_SubscribeSync(&subscription_, connection_, subject.c_str()),
    "subscribe");
  check(natsConnection_FlushTimeout(connection_, patience_ms), "flush");
}

std::optional<std::string> nats_client::receive() {
  auto found = receive_message();
  return found ? std::optional{std::move(found->body)} : std::nullopt;
}

std::optional<nats_client::message> nats_client::receive_message() {
  natsMsg* raw = nullptr;
  if (natsSubscription_NextMsg(&raw, subscription_, patience_ms) != NATS_OK)
    return std::nullopt;
  message result{
    natsMsg_GetSubject(raw),
    {natsMsg_GetData(raw), static_cast<size_t>(natsMsg_GetDataLength(raw))},
    {}};
  const char** names = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(raw, &names, &count) == NATS_OK) {
    for (int i = 0; i < count; ++i) {
      const char* value = nullptr;
      if (natsMsgHeader_Get(raw, names[i], &value) == NATS_OK && value)
        result.more[names[i]] = value;
    }
    std::free(names);
  }
  natsMsg_Destroy(raw);
  return result;
}

uint64_t nats_client::messages_of(const std::string& stream) {
  jsStreamInfo* info = nullptr;
  jsErrCode code{};
  if (js_GetStreamInfo(&info, context_, stream.c_str(), nullptr, &code)
      != NATS_OK)
    return 0;
  auto result = info->State.Msgs;
  jsStreamInfo_Destroy(info);
  return result;
}

nats_client::pending nats_client::look_at(const std::string& stream,
                                          const std::string& consumer) {
  jsConsumerInfo* info = nullptr;
  jsErrCode code{};
  check(js_GetConsumerInfo(&info, context_, stream.c_str(), consumer.c_str(),
                           nullptr, &code),
        "consumer");
  pending result{info->NumPending, static_cast<uint64_t>(info->NumAckPending),
                 info->Delivered.Consumer};
  jsConsumerInfo_Destroy(info);
  return result;
}

} // namespace troupe::test
