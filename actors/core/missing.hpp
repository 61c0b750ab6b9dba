// What is said of a function, a service or a method that is not there: also which
// one may be meant, since most such names are mistyped.

#pragma once

#include <string_view>

#include "actors/core/errors.hpp"
#include "actors/core/route_table.hpp"

namespace troupe {

/// `not_found`. @pre `routes` has no such function
error missing_function(const route_table& routes, std::string_view name);

/// `not_found`. @pre `routes` has no such service
error missing_service(const route_table& routes, std::string_view name);

/// `not_found`. @pre `service` has no such method
error missing_method(const service_definition& service,
                     std::string_view method);

} // namespace troupe
