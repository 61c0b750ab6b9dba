// The reminders that an entity has set: their names, and which work is the one
// that calls. It is kept with the state, in the same row, so that there is never
// one without the other.
//
// To remove the work of a reminder that is replaced is not enough: it may be
// under way to the entity already, from another node. So what counts is this
// table: a call of which it does not know the id is dropped. The work is removed
// all the same, lest an entity that puts a reminder off with each call leaves a
// row for each.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/work_queue.hpp"

namespace troupe {

class reminder_table {
public:
  struct entry {
    /// Of its work.
    invocation_id id;
    work_time due;

    friend bool operator==(const entry&, const entry&) = default;
  };

  bool empty() const noexcept { return entries_.empty(); }

  size_t size() const noexcept { return entries_.size(); }

  /// Null if there is none of that name.
  const entry* find(const std::string& name) const noexcept;

  /// The name of the one that is `work`; nothing if none is.
  std::optional<std::string> name_of(const invocation_id& work) const;

  const std::map<std::string, entry>& entries() const noexcept {
    return entries_;
  }

  void set(const std::string& name, entry x) { entries_[name] = x; }

  void erase(const std::string& name) { entries_.erase(name); }

  /// As it is stored; empty if there are none.
  std::string to_text() const;

  /// @throws std::exception if `text` is something else
  static reminder_table from_text(std::string_view text);

  friend bool operator==(const reminder_table&,
                         const reminder_table&) = default;

private:
  std::map<std::string, entry> entries_;
};

} // namespace troupe
