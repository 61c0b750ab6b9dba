// Files that whoever declares a subscription at run time may name. He is no
// operator, and the first line of a password file goes to a broker of his choice:
// so he names files of one folder that the operator has declared, and without it
// none.

#pragma once

#include <string>
#include <utility>

#include "actors/core/expected.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe {

class secrets_folder {
public:
  /// @param path empty: there is none
  explicit secrets_folder(std::string path = {}) : path_(std::move(path)) {}

  /// Whether the folder is there, if one was declared.
  expected<void> check() const;

  /// `to` with its files in the folder.
  /// @throws std::invalid_argument if it names one, and there is no folder; or
  /// one that is no plain name
  broker_address resolve(broker_address to) const;

private:
  std::string path_;
};

/// `text` with the names alone of the files of `to`: where they are is of no
/// concern to whoever may ask a node how its subscriptions are.
std::string without_paths(std::string text, const broker_address& to);

} // namespace troupe
