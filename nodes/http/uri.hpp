// Pieces of RFC 3986, 7240 and 9110 that the gateway reads.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// `%41` becomes `A`; nothing if an escape is not two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

/// As a segment of a path: what is not unreserved (RFC 3986, 2.3) becomes `%41`.
std::string percent_encode(std::string_view text);

/// One parameter of a query, decoded.
struct parameter {
  std::string name;
  std::string value;
};

/// The parameters of `a=1&b=2`; one without `=` has an empty value. Nothing if
/// an escape is not two hexadecimal digits.
std::optional<std::vector<parameter>> parse_query(std::string_view query);

/// Whether the value of a `Prefer` field (RFC 7240) holds the preference `name`,
/// which is in lower case.
bool has_preference(std::string_view value, std::string_view name);

} // namespace troupe::http
