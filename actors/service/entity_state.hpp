// The object of one entity beside what of it is durable. After each commit a
// serialized snapshot stays, so that a method that throws, or whose commit is
// refused, leaves no trace. A method changed the state if its serialized form
// is another one now.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "actors/core/backends.hpp"
#include "actors/core/service_definition.hpp"

namespace troupe {

class entity_state {
public:
  explicit entity_state(const service_definition& definition)
    : definition_(definition) {}

  /// There is an object.
  bool loaded() const noexcept { return object_ != nullptr; }

  /// Takes what the store has; an empty state makes a new entity.
  /// @throws std::exception if it does not fit the class; then nothing is
  /// loaded
  void load(const stored_state& committed);

  /// Forgets all.
  void unload() noexcept;

  /// The object of the service's class. @pre loaded
  void* object() noexcept { return object_->get(); }

  /// The last committed one; 0 before the first.
  uint64_t revision() const noexcept { return revision_; }

  /// The state as it is now, if it differs from the snapshot. @pre loaded
  /// @throws std::exception if it cannot be kept as JSON: nested too deep,
  /// bytes
  ///         that are not UTF-8, a number that is none
  std::optional<std::string> changed() const;

  /// `state` is durable as the revision after this one.
  void committed(std::string state) noexcept;

  /// Back to the snapshot. @throws std::exception as `load`
  void restore();

private:
  void make(uint64_t revision, const std::string& state);

  const service_definition& definition_;
  std::unique_ptr<service_object> object_;
  uint64_t revision_ = 0;
  std::string snapshot_;
};

} // namespace troupe
