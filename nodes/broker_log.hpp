// What happens to the brokers of a node, as lines of its log: which are there,
// which are gone. Many subscriptions may have one broker, and lose it at the
// same time: what comes within a moment is one line.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace troupe {

/// Thread-safe.
class broker_log {
public:
  enum class level : uint8_t { info, warning };

  /// @param write is called with one line, on any thread
  /// @param after does something after a while, on any thread
  broker_log(
    std::function<void(level, const std::string&)> write,
    std::function<void(std::chrono::milliseconds, std::function<void()>)>
      after);

  /// So long a line waits for more of the same.
  static constexpr std::chrono::milliseconds moment{200};

  /// Subscriptions that are named in one line; of more, the number.
  static constexpr size_t names_max = 10;

  /// A subscription has its broker, or has it no more. To be told once for each
  /// change.
  void changed(const std::string& broker, const std::string& subscription,
               bool is_there, const std::string& why);

  /// What an operator should look at; at once.
  void warn(const std::string& what);

private:
  struct shared;

  const std::function<void(std::chrono::milliseconds, std::function<void()>)>
    after_;
  const std::shared_ptr<shared> shared_; // outlives it for what still waits
};

} // namespace troupe
