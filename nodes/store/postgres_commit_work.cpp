#include "nodes/store/postgres_commit_work.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "nodes/store/postgres_work_rows.hpp"
#include "nodes/store/postgres_work_steps.hpp"

namespace troupe {

namespace {

using element = postgres_array::element;

/// A row that another node is about to claim is waited for: if it is claimed then,
/// it stays. Each is looked for by its id, in the order in which they are given.
constexpr postgres_statement withdraw{
  "work_withdraw",
  TROUPE_WORK_PURGE(
    "work_waiting",
    "SELECT w.id FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) "
    "AS v(id, service, key), LATERAL "
    "(SELECT n.id FROM work_waiting n WHERE n.id = v.id FOR UPDATE) w "
    "WHERE " TROUPE_COMMITTED_NOW("v.service", "v.key"))};

std::optional<postgres_call>
withdrawal_of(const std::vector<postgres_commits::request>& requests) {
  std::vector<std::pair<invocation_id, const entity_id*>> all;
  for (auto x : requests)
    for (auto& id : x->withdrawn)
      all.emplace_back(id, &x->entity);
  if (all.empty())
    return std::nullopt;
  // Two nodes do not wait for each other.
  std::sort(all.begin(), all.end(),
            [](auto& a, auto& b) { return a.first < b.first; });
  postgres_array id{element::uuid};
  postgres_array service{element::bytea};
  postgres_array key{element::bytea};
  for (auto& [withdrawn, entity] : all) {
    id.add(id_bytes(withdrawn));
    service.add(entity->service);
    key.add(entity->key);
  }
  return postgres_call{&withdraw, {id.take(), service.take(), key.take()}};
}

} // namespace

std::vector<const postgres_statement*> postgres_commit_work::statements() {
  return {&postgres_work_accepts::full, &withdraw};
}

std::vector<postgres_call> postgres_commit_work::calls(
  const std::vector<postgres_commits::request>& requests) {
  postgres_work_steps steps;
  for (auto x : requests)
    for (auto& work : x->work)
      steps.add(work, x->entity);
  auto result = steps.transaction().calls;
  if (auto last = withdrawal_of(requests))
    result.push_back(std::move(*last));
  return result;
}

} // namespace troupe
