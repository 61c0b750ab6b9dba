// The object of one entity beside its serialized form after the last call that
// went well. A method changed the state if its serialized form is another one
// now; a method that throws leaves no trace, for the object is made anew from
// the snapshot. What of it is durable is not known here.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/core/backends.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/service/reminder_table.hpp"

namespace troupe {

class entity_state {
public:
  /// There is an object, or a state that cannot be made one.
  bool loaded() const noexcept { return object_ || unreadable_; }

  /// Why there is no object; null if there is one. Such a state can be replaced
  /// and erased. @pre loaded
  const error* unreadable() const noexcept { return unreadable_.get(); }

  /// Takes what the store has; a state of an older schema is upgraded, an empty
  /// one makes a new object.
  /// @throws error_exception `not_implemented` if its schema is newer than the
  ///         class; std::exception if it does not fit the class. Then nothing is
  ///         loaded.
  void load(const service_definition& definition, const stored_state& found);

  /// Takes what the store has, and `load` has not taken for `reason`.
  void keep_unreadable(const stored_state& found, error reason);

  /// Forgets all.
  void unload() noexcept;

  /// The object of the service's class. @pre loaded, and not unreadable
  void* object() noexcept { return object_->get(); }

  /// Of the snapshot; 0 before the first change.
  uint64_t revision() const noexcept { return revision_; }

  /// It was changed, and not erased since.
  bool exists() const noexcept { return exists_; }

  /// Those that are set, also if there is no state.
  const reminder_table& reminders() const noexcept;

  /// The snapshot as it is to be stored.
  stored_state snapshot(const service_definition& definition) const;

  // -- what a call did to it. @pre loaded ------------------------------------

  /// The snapshot follows the object: true, and the revision rises, if they
  /// differ.
  /// @throws std::exception if the state cannot be kept as JSON (nested too
  ///         deep, bytes that are not UTF-8, a number that is none); then call
  ///         `restore`
  bool advance();

  /// The object follows the snapshot.
  /// @throws std::exception if the class cannot read what it wrote; then nothing
  ///         is loaded
  void restore(const service_definition& definition);

  /// Takes `state` of `schema` in place of what is there; true if it differs.
  /// @throws as `load`; then nothing has changed
  bool replace(const service_definition& definition, std::string_view state,
               uint32_t schema);

  /// A new object without reminders; the revision rises.
  void erase(const service_definition& definition);

  /// What goes with the state changes, and the state does not: the revision
  /// rises.
  void raise() noexcept { ++revision_; }

  void set_reminders(reminder_table x);

private:
  std::unique_ptr<service_object> object_;
  std::unique_ptr<error> unreadable_;
  uint64_t revision_ = 0;
  std::string snapshot_;
  bool exists_ = false;
  std::unique_ptr<reminder_table> reminders_; // null: none
};

} // namespace troupe
