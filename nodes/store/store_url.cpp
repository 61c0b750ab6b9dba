#include "nodes/store/store_url.hpp"

#include "nodes/store/memory_store.hpp"
#include "nodes/store/postgres_store.hpp"
#include "nodes/store/postgres_url.hpp"
#include "nodes/store/sqlite_leases.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe {

namespace {

constexpr std::string_view sqlite_prefix = "sqlite:";

constexpr std::string_view memory_prefix = "memory:";

/// libpq takes it too.
constexpr std::string_view short_postgres_prefix = "postgres://";

error wrong_url(std::string_view url, std::string_view why) {
  return {errc::bad_request,
          "'" + without_password(url) + "' is no store: " + std::string{why}};
}

} // namespace

expected<store_url> parse_store_url(std::string_view url) {
  using scheme = store_url::scheme;
  if (url.starts_with(sqlite_prefix)) {
    auto folder = url.substr(sqlite_prefix.size());
    if (folder.empty())
      return wrong_url(url, "a folder comes after 'sqlite:'");
    if (folder.find('\0') != std::string_view::npos)
      return wrong_url(url, "a folder has no NUL in its name");
    return store_url{scheme::sqlite, std::string{folder}};
  }
  if (url.starts_with(memory_prefix)) {
    if (url.size() > memory_prefix.size())
      return wrong_url(url, "nothing comes after 'memory:'");
    return store_url{scheme::memory, {}};
  }
  if (url.starts_with(short_postgres_prefix)) {
    auto rest = url.substr(short_postgres_prefix.size());
    return parse_store_url(std::string{postgres_prefix}.append(rest));
  }
  if (url.starts_with(postgres_prefix)) {
    if (auto good = check_postgres_url(std::string{url}); !good)
      return good.error();
    return store_url{scheme::postgresql, std::string{url}};
  }
  return wrong_url(url, "it begins with sqlite:, memory: or postgresql://");
}

expected<std::unique_ptr<state_store>> open_store(std::string_view url,
                                                  postgres_options postgres) {
  auto parsed = parse_store_url(url);
  if (!parsed)
    return parsed.error();
  try {
    switch (parsed->kind) {
    case store_url::scheme::sqlite:
      return std::unique_ptr<state_store>{
        std::make_unique<sqlite_store>(parsed->location)};
    case store_url::scheme::memory:
      return std::unique_ptr<state_store>{std::make_unique<memory_store>()};
    case store_url::scheme::postgresql:
      postgres.is_shared = false;
      return std::unique_ptr<state_store>{std::make_unique<postgres_store>(
        parsed->location, std::move(postgres))};
    }
  } catch (const error_exception& e) {
    return e.reason();
  }
  return error{errc::internal_error, "a store of no kind"};
}

namespace {

/// It lives in the store, which outlives whoever asks for it.
template <class Part>
std::shared_ptr<Part> part_of_the_store(Part& x) {
  return {std::shared_ptr<void>{}, &x};
}

store_set open_shared_folder(const std::string& folder) {
  sqlite_options options;
  options.use = folder_use::shared;
  auto states = std::make_unique<sqlite_store>(folder, options);
  store_set result;
  result.leases =
    std::make_shared<sqlite_lease_table>(std::filesystem::absolute(folder));
  result.shards = part_of_the_store(states->shards());
  result.states = std::move(states);
  return result;
}

store_set open_shared_server(const std::string& url, postgres_options options) {
  auto states = std::make_unique<postgres_store>(url, std::move(options));
  store_set result;
  result.leases = part_of_the_store(states->leases());
  result.shards = part_of_the_store(states->shards());
  result.states = std::move(states);
  return result;
}

} // namespace

expected<store_set> open_shared_store(std::string_view url,
                                      postgres_options postgres) {
  auto parsed = parse_store_url(url);
  if (!parsed)
    return parsed.error();
  try {
    switch (parsed->kind) {
    case store_url::scheme::sqlite:
      return open_shared_folder(parsed->location);
    case store_url::scheme::memory:
      return wrong_url(url, "what is in memory cannot be shared by nodes; "
                            "give --store sqlite:FOLDER or postgresql://...");
    case store_url::scheme::postgresql:
      return open_shared_server(parsed->location, std::move(postgres));
    }
  } catch (const error_exception& e) {
    return e.reason();
  }
  return error{errc::internal_error, "a store of no kind"};
}

} // namespace troupe
