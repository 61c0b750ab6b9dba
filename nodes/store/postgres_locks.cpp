#include "nodes/store/postgres_locks.hpp"

namespace troupe {

using std::chrono::milliseconds;

namespace {

/// The time is asked for where it is used: a wait for the row is over by then.
#define TROUPE_NOW(argument)                                                   \
  "coalesce(" argument                                                         \
  "::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"

constexpr postgres_statement acquire_lock{
  "acquire_lock",
  "INSERT INTO lock AS l (name, token, holder, ttl_ms, end_ms) "
  "VALUES ($1::text, 1, $2::text, $3::bigint, $3::bigint + " TROUPE_NOW(
    "$4") ") "
          "ON CONFLICT (name) DO UPDATE SET "
          "token = l.token + (l.holder <> excluded.holder)::int, "
          "holder = excluded.holder, ttl_ms = excluded.ttl_ms, "
          "end_ms = excluded.ttl_ms + " TROUPE_NOW(
            "$4") " WHERE l.holder IN ('', excluded.holder) OR "
                  "l.end_ms <= " TROUPE_NOW("$4") " RETURNING 1"};

constexpr postgres_statement renew_lock{
  "renew_lock",
  "UPDATE lock SET ttl_ms = coalesce($3::bigint, ttl_ms), "
  "end_ms = coalesce($3::bigint, ttl_ms) + " TROUPE_NOW(
    "$4") " WHERE name = $1::text AND token = $2::bigint AND holder <> '' "
          "AND end_ms > " TROUPE_NOW("$4") " RETURNING 1"};

constexpr postgres_statement release_lock{
  "release_lock", "UPDATE lock SET holder = '' WHERE name = $1::text "
                  "AND token = $2::bigint RETURNING 1"};

constexpr postgres_statement find_lock{
  "find_lock", "SELECT token, CASE WHEN holder = '' THEN 0 ELSE "
               "greatest(0, least(ttl_ms, end_ms - " TROUPE_NOW(
                 "$2") ")) END FROM lock WHERE name = $1::text"};

#undef TROUPE_NOW

lock_row read_lock(const postgres_rows& x) {
  if (x.size() == 0)
    return {};
  return {x.count(0, 0), milliseconds{x.number(0, 1)}};
}

} // namespace

std::vector<const postgres_statement*> postgres_lock_table::statements() {
  return {&acquire_lock, &renew_lock, &release_lock, &find_lock};
}

postgres_value postgres_lock_table::now() const {
  return clock_ ? as_int8(int64_t{clock_().count()}) : std::nullopt;
}

postgres_call postgres_lock_table::look(const std::string& name) const {
  return {&find_lock, {as_bytes(name), now()}};
}

/// Each can be repeated: the same request gets its grant again, and what was
/// renewed or released is so again.
void postgres_lock_table::change(postgres_call call, const std::string& name,
                                 callback<lock_answer> done) {
  auto decode =
    [done = std::move(done)](expected<std::vector<postgres_rows>> found) {
      if (found)
        done(lock_answer{(*found)[0].size() > 0, read_lock((*found)[1])});
      else
        done(found.error());
    };
  asker_.ask({{{std::move(call), look(name)}},
              true,
              std::move(decode),
              effect::unknown});
}

void postgres_lock_table::acquire(lock_request request,
                                  callback<lock_answer> done) {
  change({&acquire_lock,
          {as_bytes(request.name), as_bytes(request.holder),
           as_int8(int64_t{request.ttl.count()}), now()}},
         request.name, std::move(done));
}

void postgres_lock_table::renew(lock_proof held,
                                std::optional<milliseconds> ttl,
                                callback<lock_answer> done) {
  change({&renew_lock,
          {as_bytes(held.name), as_int8(held.token),
           ttl ? as_int8(int64_t{ttl->count()}) : std::nullopt, now()}},
         held.name, std::move(done));
}

void postgres_lock_table::release(lock_proof held, callback<lock_answer> done) {
  change({&release_lock, {as_bytes(held.name), as_int8(held.token)}}, held.name,
         std::move(done));
}

void postgres_lock_table::find(std::string name, callback<lock_row> done) {
  asker_.ask(
    {{{look(name)}},
     true,
     [done = std::move(done)](expected<std::vector<postgres_rows>> found) {
       if (found)
         done(read_lock(found->front()));
       else
         done(found.error());
     }});
}

} // namespace troupe
