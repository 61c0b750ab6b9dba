#include "nodes/broker_log.hpp"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "nodes/log_line.hpp"

namespace troupe {

namespace {

/// What is said of one broker.
struct news {
  std::string broker;
  bool is_there = false;
  std::string why;
  std::vector<std::string> subscriptions{};
};

std::string line_of(const news& x) {
  auto many = x.subscriptions.size() > 1;
  auto line = std::string{many ? "the subscriptions " : "the subscription "}
              + log_list(x.subscriptions, broker_log::names_max)
              + (x.is_there ? many ? " have " : " has "
                 : many     ? " get nothing from "
                            : " gets nothing from ")
              + (x.is_there ? "the broker " : "its broker ") + x.broker;
  // It may be there: a stream is missing, a file of this node cannot be read.
  if (!x.is_there)
    line +=
      std::string{", and "} + (many ? "try" : "tries") + " again: " + x.why;
  return log_line(line);
}

} // namespace

struct broker_log::shared {
  const std::function<void(level, const std::string&)> write;
  std::mutex mutex{}; // guards what follows
  std::vector<news> waiting{};

  void say() {
    std::vector<news> now;
    {
      std::lock_guard guard{mutex};
      now.swap(waiting);
    }
    for (auto& x : now)
      write(x.is_there ? level::info : level::warning, line_of(x));
  }
};

broker_log::broker_log(
  std::function<void(level, const std::string&)> write,
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after)
  : after_(std::move(after)),
    shared_(std::make_shared<shared>(std::move(write))) {}

void broker_log::warn(const std::string& what) {
  shared_->write(level::warning, log_line(what));
}

void broker_log::changed(const std::string& broker,
                         const std::string& subscription, bool is_there,
                         const std::string& why) {
  {
    std::lock_guard guard{shared_->mutex};
    auto& all = shared_->waiting;
    auto is_first = all.empty();
    auto same = std::find_if(all.begin(), all.end(), [&](auto& x) {
      return x.broker == broker && x.is_there == is_there && x.why == why;
    });
    if (same == all.end())
      same = all.insert(all.end(), news{broker, is_there, why});
    auto& names = same->subscriptions;
    auto name = "'" + subscription + "'";
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
    if (!is_first)
      return;
  }
  after_(moment, [to = shared_] { to->say(); });
}

} // namespace troupe
