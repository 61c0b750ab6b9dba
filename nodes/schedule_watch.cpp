#include "nodes/schedule_watch.hpp"

#include <exception>
#include <mutex>
#include <string>
#include <utility>

#include "actors/work/schedule_service.hpp"
#include "nodes/stored_entities.hpp"

namespace troupe {

struct schedule_watch::known {
  std::mutex mutex; // guards what follows
  bool is_read = false;
  std::optional<clock::time_point> asked;
  std::optional<clock::time_point> read;
  schedule_counts counts;
};

/// Reads page after page, and ends.
class schedule_watch::reading
  : public std::enable_shared_from_this<schedule_watch::reading> {
public:
  reading(state_store& store, std::shared_ptr<known> result)
    : store_(store), result_(std::move(result)) {}

  void go_on() {
    key_query query;
    query.states = true;
    query.limit = key_query::limit_max;
    query.after = after_;
    page_.emplace(std::string{schedules_service}, std::move(query));
    ask();
  }

private:
  void ask() {
    store_.list(page_->request(), [self = shared_from_this()](auto found) {
      self->take(std::move(found));
    });
  }

  void take(expected<std::vector<listed_entity>> found) {
    if (!found)
      return end(false);
    if (!page_->take(std::move(*found)))
      return ask();
    auto page = page_->page();
    for (auto& x : page.entities)
      count(x.state.state);
    seen_ += page.entities.size();
    if (!page.next || seen_ >= read_max)
      return end(true);
    after_ = *page.next;
    go_on();
  }

  void count(const std::string& state) {
    try {
      add(counts_, glance_at_schedule(state));
    } catch (const std::exception&) {
      // It is of another build; the others count all the same.
    }
  }

  static void add(schedule_counts& to, const schedule_glance& x) {
    ++(x.paused ? to.paused : x.next ? to.active : to.ended);
    to.fired += x.fired;
    to.skipped += x.skipped;
    if (x.next && (!to.next || *x.next < *to.next))
      to.next = *x.next;
  }

  void end(bool well) {
    std::lock_guard guard{result_->mutex};
    result_->is_read = false;
    if (!well)
      return;
    result_->read = clock::now();
    result_->counts = counts_;
  }

  state_store& store_;
  std::shared_ptr<known> result_;
  std::optional<page_reader> page_;
  std::string after_;
  size_t seen_ = 0;
  schedule_counts counts_;
};

schedule_watch::schedule_watch(state_store& store)
  : store_(store), known_(std::make_shared<known>()) {}

std::optional<schedule_counts> schedule_watch::ask(clock::time_point now) {
  std::optional<schedule_counts> result;
  {
    std::lock_guard guard{known_->mutex};
    if (known_->read && now - *known_->read < told_for)
      result = known_->counts;
    if (known_->is_read || (known_->asked && now - *known_->asked < pause))
      return result;
    known_->is_read = true;
    known_->asked = now;
  }
  std::make_shared<reading>(store_, known_)->go_on();
  return result;
}

} // namespace troupe
