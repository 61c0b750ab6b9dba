#include "apps/bench/jetstream.hpp"

#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <nats/nats.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/free_port.hpp"
#include "apps/bench/queue_node.hpp"
#include "apps/bench/queue_peer.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto program = "/usr/sbin/nats-server";
constexpr auto stream = "JOBS";
constexpr auto subject = "jobs";

/// What the server may take for an answer.
constexpr int64_t patience_ms = 10'000;

/// When nothing was there for so long, nothing more comes.
constexpr int64_t silence_ms = 500;

void check(natsStatus status, const char* what) {
  if (status != NATS_OK)
    throw cannot_measure{std::string{"JetStream: "} + what + ": "
                         + natsStatus_GetText(status)};
}

template <class T, void (*Destroy)(T*)>
struct destroyer {
  void operator()(T* x) const { Destroy(x); }
};

template <class T, void (*Destroy)(T*)>
using owned = std::unique_ptr<T, destroyer<T, Destroy>>;

/// A connection and what belongs to it.
class session {
public:
  explicit session(uint16_t port) {
    natsConnection* connection = nullptr;
    check(natsConnection_ConnectTo(
            &connection, ("nats://127.0.0.1:" + std::to_string(port)).c_str()),
          "connect");
    connection_.reset(connection);
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = patience_ms;
    options.PublishAsync.MaxPending = queued_in_flight;
    options.PublishAsync.StallWait = patience_ms;
    jsCtx* context = nullptr;
    check(natsConnection_JetStream(&context, connection, &options), "context");
    context_.reset(context);
  }

  jsCtx* context() const { return context_.get(); }

private:
  owned<natsConnection, natsConnection_Destroy> connection_;
  owned<jsCtx, jsCtx_Destroy> context_;
};

void make_stream(const session& with) {
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = stream;
  const char* subjects[] = {subject};
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Retention = js_WorkQueuePolicy;
  config.Storage = js_FileStorage;
  check(js_AddStream(nullptr, with.context(), &config, nullptr, nullptr),
        "stream");
}

/// @returns how many were published and confirmed
uint64_t publish_until(uint16_t port, clock::time_point end) {
  session with{port};
  uint64_t count = 0;
  for (; clock::now() < end; ++count)
    check(js_PublishAsync(with.context(), subject, queued_arguments,
                          static_cast<int>(std::strlen(queued_arguments)),
                          nullptr),
          "publish");
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MaxWait = patience_ms;
  check(js_PublishAsyncComplete(with.context(), &options), "confirmations");
  return count;
}

/// A consumer that acknowledges what comes until nothing does.
class consumer {
public:
  explicit consumer(uint16_t port) : with_(port) {
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Config.AckPolicy = js_AckExplicit;
    natsSubscription* raw = nullptr;
    check(js_PullSubscribe(&raw, with_.context(), subject, "bench", nullptr,
                           &options, nullptr),
          "consumer");
    subscription_.reset(raw);
  }

  consumed_jobs run() {
    consumed_jobs done;
    for (;;) {
      natsMsgList list{nullptr, 0};
      auto status = natsSubscription_Fetch(
        &list, subscription_.get(), queued_in_flight, silence_ms, nullptr);
      for (int i = 0; i < list.Count; ++i) {
        check(natsMsg_Ack(list.Msgs[i], nullptr), "ack");
        ++done.count;
      }
      if (list.Count > 0)
        done.last = clock::now();
      natsMsgList_Destroy(&list);
      if (status == NATS_TIMEOUT)
        return done;
      check(status, "fetch");
    }
  }

private:
  session with_;
  owned<natsSubscription, natsSubscription_Destroy> subscription_;
};

} // namespace

bool jetstream_server::is_installed() {
  return ::access(program, X_OK) == 0;
}

jetstream_server::jetstream_server() : port_(free_port()) {
  process_.emplace(std::vector<std::string>{program, "-a", "127.0.0.1", "-p",
                                            std::to_string(port_), "-js", "-sd",
                                            folder_.path().string(), "-l",
                                            "/dev/null"},
                   -1);
  auto end = clock::now() + std::chrono::milliseconds{patience_ms};
  for (;;)
    try {
      make_stream(session{port_});
      return;
    } catch (const cannot_measure&) {
      if (clock::now() > end)
        throw;
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
}

double jetstream_server::jobs(std::chrono::milliseconds time) const {
  consumer worker{port_};
  return jobs_per_second(
    time, [&] { return worker.run(); },
    [&](clock::time_point end) { return publish_until(port_, end); });
}

} // namespace troupe::bench
