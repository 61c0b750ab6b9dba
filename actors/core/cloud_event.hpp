// An event as CloudEvents 1.0.2 has it (https://cloudevents.io): what happened,
// said with attributes that everybody understands, and data of any kind.
//
// `source` and `id` together name an event: two with the same are one that was
// sent again.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "actors/core/expected.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

struct cloud_event {
  /// Of an extension. Over HTTP headers all come as text.
  using value = std::variant<std::string, bool, int32_t>;

  // -- what every event has --------------------------------------------------

  std::string id{};

  /// A URI reference.
  std::string source{};

  std::string type{};

  // -- what it may have; empty: it has not -----------------------------------

  std::string subject{};

  /// RFC 3339, as it was written.
  std::string time{};

  /// A URI.
  std::string dataschema{};

  /// A media type; of JSON if it has none.
  std::string datacontenttype{};

  /// By name, which is of a-z and 0-9.
  std::map<std::string, value> extensions{};

  /// The bytes; JSON text if the type is of JSON. Nothing: there is none, which
  /// is not the same as `null`.
  std::optional<std::string> data{};

  /// Whether the data is JSON, as its type says.
  bool has_json() const noexcept;

  /// The data as an argument of a call: JSON if it has no type, and empty if
  /// there is none.
  payload body() const;

  /// An attribute of any kind, as text; nothing if it has none of that name.
  std::optional<std::string> attribute(std::string_view name) const;

  /// Whether the specification allows it: `bad_request` with what is wrong. Data
  /// is not looked at.
  expected<void> validate() const;

  friend bool operator==(const cloud_event&, const cloud_event&) = default;
};

/// Where an attribute of the specification's own is, other than `specversion`;
/// null if it is none.
std::string cloud_event::*own_attribute(std::string_view name) noexcept;

/// The canonical text of a value: "true", "-7".
std::string to_string(const cloud_event::value& x);

/// Whether an extension can have this name: a-z and 0-9, and none of the
/// specification's own.
bool is_extension_name(std::string_view name) noexcept;

} // namespace troupe
