// Takes JSON apart without making anything of it: each value stays the text that
// it came as, so that numbers keep their digits and nothing is copied.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// The values of an array, as text. @pre `array` is JSON, and an array
std::vector<std::string_view> elements_of(std::string_view array);

/// The names and values of an object, as text; names still have their quotes.
/// @pre `object` is JSON, and an object
std::vector<std::pair<std::string_view, std::string_view>>
members_of(std::string_view object);

/// The same with names as they are meant, each of which is there once: of two, one
/// would be lost.
/// @param what of which kind it is, for the complaint: "a group"
/// @throws error_exception `bad_request` if one is there twice
std::vector<std::pair<std::string, std::string_view>>
single_members_of(std::string_view object, const std::string& what);

/// The first byte that is no white space (nor the mark of UTF-8); 0 if there is
/// none.
char first_of(std::string_view json) noexcept;

} // namespace troupe
