#include "actors/core/module.hpp"

#include <algorithm>
#include <stdexcept>

#include "actors/model/utf8.hpp"

namespace troupe {

bool is_valid_name(std::string_view name) noexcept {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= defaults::name_length_max
         && std::all_of(name.begin(), name.end(), fits);
}

bool is_valid_key(std::string_view key) noexcept {
  if (key.empty() || key.size() > defaults::key_length_max)
    return false;
  while (!key.empty()) {
    auto length = utf8_length(key);
    if (length == 0)
      return false;
    key.remove_prefix(length);
  }
  return true;
}

limits_builder& limits_builder::concurrency(uint32_t count) {
  if (count == 0)
    throw std::invalid_argument("concurrency must be at least 1");
  limits_.concurrency = count;
  return *this;
}

limits_builder& limits_builder::queue(uint32_t count) {
  limits_.queue = count;
  return *this;
}

limits_builder& limits_builder::timeout(std::chrono::milliseconds longest) {
  if (longest.count() <= 0 || longest > defaults::function::timeout_max)
    throw std::invalid_argument("a timeout is 1 ms to 900 s");
  limits_.timeout = longest;
  return *this;
}

limits_builder& limits_builder::blocking() {
  limits_.blocking = true;
  return *this;
}

void module::check_free(const std::string& name) const {
  if (!is_valid_name(name))
    throw std::invalid_argument("'" + name
                                + "' is no name: [A-Za-z0-9_-]{1,64}");
  auto taken = [&](auto& xs) {
    return std::any_of(xs.begin(), xs.end(),
                       [&](auto& x) { return x->name == name; });
  };
  if (taken(functions_) || taken(services_) || taken(exposed_))
    throw std::invalid_argument("the name '" + name + "' is taken twice");
}

limits_builder module::add_function(std::string name,
                                    std::shared_ptr<const callable> code) {
  check_free(name);
  functions_.push_back(std::make_shared<function_definition>(
    function_definition{std::move(name), {}, std::move(code)}));
  return limits_builder{functions_.back()->limits};
}

service_definition&
module::add_service(std::string name, const std::type_info& type,
                    std::function<std::unique_ptr<service_object>()> make) {
  check_free(name);
  for (auto& x : services_)
    if (*x->type == type)
      throw std::invalid_argument("the class of '" + name + "' is the service '"
                                  + x->name + "' already");
  auto definition = std::make_shared<service_definition>();
  definition->name = std::move(name);
  definition->type = &type;
  definition->make = std::move(make);
  services_.push_back(std::move(definition));
  return *services_.back();
}

limits_builder
module::add_exposed(std::string name, actor_factory spawn,
                    std::shared_ptr<const exposed_signature> signature) {
  check_free(name);
  exposed_.push_back(std::make_shared<exposed_definition>(exposed_definition{
    std::move(name), std::move(spawn), std::move(signature), {}}));
  return limits_builder{exposed_.back()->limits};
}

void detail::check_upgrade(const service_definition& service, uint32_t from,
                           bool has_code) {
  if (!has_code)
    throw std::invalid_argument("an upgrade of '" + service.name
                                + "' has no code");
  if (from != service.schema())
    throw std::invalid_argument("the next upgrade of '" + service.name
                                + "' is from schema "
                                + std::to_string(service.schema())
                                + ", not from " + std::to_string(from));
}

void detail::check_method(const service_definition& service,
                          const std::string& name) {
  if (!is_valid_name(name))
    throw std::invalid_argument("'" + name + "' is no name of a method");
  if (service.find(name))
    throw std::invalid_argument("the method '" + name + "' of '" + service.name
                                + "' is there twice");
}

} // namespace troupe
