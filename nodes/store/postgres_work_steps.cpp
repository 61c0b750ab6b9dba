#include "nodes/store/postgres_work_steps.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "nodes/store/work_rules.hpp"

namespace troupe {

size_t postgres_work_steps::first_of(const invocation_id& id) const {
  auto i = after_work_.find(id);
  return i != after_work_.end() ? std::max(i->second, open_) : open_;
}

template <class Step>
postgres_work_steps::place postgres_work_steps::put(typename Step::value_type x,
                                                    size_t first) {
  while (first < steps_.size() && !std::holds_alternative<Step>(steps_[first]))
    ++first;
  if (first == steps_.size())
    steps_.emplace_back(Step{});
  auto& to = std::get<Step>(steps_[first]);
  to.push_back(std::move(x));
  return {first, to.size() - 1};
}

postgres_work_steps::place postgres_work_steps::add(const work_request& x) {
  return add({&x}, open_);
}

postgres_work_steps::place
postgres_work_steps::add(const work_request& x, const entity_id& committed) {
  return add({&x, nullptr, &committed}, open_);
}

postgres_work_steps::place
postgres_work_steps::add(const postgres_work_accepts::request& x,
                         size_t first) {
  auto& item = x.what->item;
  auto& key = x.what->idempotency_key;
  first = std::max(first, first_of(item.id));
  size_t* after_key = nullptr;
  if (!key.empty()) {
    after_key = &after_key_[{key_scope(item.target), key}];
    first = std::max(first, *after_key);
  }
  auto result = put<accepts>(x, first);
  after_work_[item.id] = result.step + 1;
  if (after_key)
    *after_key = result.step + 1;
  return result;
}

postgres_work_steps::place postgres_work_steps::add(const work_report& x,
                                                    work_time now) {
  assert(has_room_for(x));
  reported_[x.id] = true;
  auto result = put<reports>({&x, now}, first_of(x.id));
  auto after = result.step + 1;
  for (auto& next : x.follow)
    after = std::max(after, add({&next, &x}, result.step + 1).step + 1);
  after_work_[x.id] = after;
  return result;
}

postgres_work_steps::place
postgres_work_steps::add(std::vector<postgres_call> all) {
  steps_.emplace_back(std::move(all));
  open_ = steps_.size();
  return {open_ - 1, 0};
}

postgres_transaction postgres_work_steps::transaction() const {
  struct {
    void operator()(const accepts& x) {
      to.calls.push_back(postgres_work_accepts::call(x));
    }
    void operator()(const reports& x) {
      to.calls.push_back(postgres_work_reports::call(x));
    }
    void operator()(const calls& x) {
      to.calls.insert(to.calls.end(), x.begin(), x.end());
    }
    postgres_transaction to;
  } visitor;
  for (auto& x : steps_)
    std::visit(visitor, x);
  return std::move(visitor.to);
}

postgres_work_steps::answers::answers(const postgres_work_steps& steps,
                                      std::vector<postgres_rows> rows)
  : accepted_(steps.steps_.size()), reported_(steps.steps_.size()),
    rows_(steps.steps_.size()) {
  auto next = rows.begin();
  for (size_t i = 0; i < steps.steps_.size(); ++i) {
    auto& x = steps.steps_[i];
    if (auto accept = std::get_if<accepts>(&x)) {
      accepted_[i] = postgres_work_accepts::read(*accept, *next++);
    } else if (auto report = std::get_if<reports>(&x)) {
      reported_[i] = postgres_work_reports::read(*report, *next++);
    } else {
      auto count = static_cast<std::ptrdiff_t>(std::get<calls>(x).size());
      rows_[i].assign(std::make_move_iterator(next),
                      std::make_move_iterator(next + count));
      next += count;
    }
  }
  assert(next == rows.end());
}

} // namespace troupe
