// Tells whether a source has its broker: once for each change, not for each try,
// of which there are many while a broker is away.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace troupe {

/// Is told of a change, and of a broker that is gone why.
using connection_observer =
  std::function<void(bool is_there, const std::string& why)>;

/// Belongs to one thread.
class connection_watch {
public:
  /// @param to may be empty
  explicit connection_watch(connection_observer to) : to_(std::move(to)) {}

  void is_there() { change(true, {}); }

  void is_gone(const std::string& why) { change(false, why); }

private:
  void change(bool is_there, const std::string& why) {
    if (std::exchange(last_, is_there) != is_there && to_)
      to_(is_there, why);
  }

  const connection_observer to_;
  std::optional<bool> last_;
};

} // namespace troupe
