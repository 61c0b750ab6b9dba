// Pages of stored entities, put together from the answers of a store.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nodes/http/uri.hpp"
#include "nodes/store/memory_store.hpp"
#include "nodes/stored_entities.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

/// A store with `count` entities whose states have `bytes` bytes; and others
/// around them.
struct filled_store {
  explicit filled_store(int count, size_t bytes = 10) {
    for (int i = 0; i < count; ++i)
      put("s", key(i), '"' + std::string(bytes - 2, 'x') + '"');
    put("r", "k", "1");
    put("t", "k", "1");
  }

  static std::string key(int i) {
    auto digits = std::to_string(i);
    return "k" + std::string(4 - digits.size(), '0') + digits;
  }

  void put(const std::string& service, const std::string& key,
           const std::string& state) {
    store.claim({service, key}, {1, 1}, [](auto) {});
    store.commit({{service, key}, {1, 1}, 0, {1, state}, {}, {}},
                 [](auto x) { EXPECT_EQ(x, commit_outcome::done); });
  }

  entity_page read(key_query query) {
    return read_page(store, "s", std::move(query), 0ms).value();
  }

  memory_store store;
};

TEST(stored_entities, come_in_pages_that_say_where_the_next_one_begins) {
  filled_store store{250};
  for (auto states : {false, true}) {
    std::vector<std::string> keys;
    std::vector<size_t> sizes;
    key_query query;
    query.states = states;
    for (std::optional<std::string> next = ""; next;) {
      query.after = *next;
      auto page = store.read(query);
      sizes.push_back(page.entities.size());
      for (auto& x : page.entities) {
        keys.push_back(x.key);
        EXPECT_EQ(x.state.exists(), states);
        EXPECT_EQ(x.state.revision, 1u);
      }
      next = page.next;
    }
    EXPECT_EQ(sizes, (std::vector<size_t>{100, 100, 50}));
    for (int i = 0; i < 250; ++i)
      EXPECT_EQ(keys.at(static_cast<size_t>(i)), filled_store::key(i));
  }
}

TEST(stored_entities, have_no_next_page_when_the_last_one_is_full) {
  filled_store store{100};
  for (auto states : {false, true}) {
    EXPECT_FALSE(store.read({.states = states}).next);
    auto page = store.read({.limit = 99, .states = states});
    EXPECT_EQ(page.entities.size(), 99u);
    EXPECT_EQ(page.next, filled_store::key(98));
  }
}

TEST(stored_entities, come_in_small_pages_when_their_states_are_large) {
  // Four of them are a page; a turn brings more.
  filled_store store{40, key_query::page_bytes / 4};
  size_t count = 0;
  size_t largest = 0;
  for (std::optional<std::string> next = ""; next;) {
    auto page = store.read({.after = *next, .limit = 1000, .states = true});
    count += page.entities.size();
    largest = std::max(largest, page.entities.size());
    next = page.next;
  }
  EXPECT_EQ(count, 40u);
  EXPECT_LE(largest, 16u);
  EXPECT_FALSE(store.read({.limit = 1000}).next);
}

TEST(stored_entities, are_none_of_other_prefixes) {
  filled_store store{20};
  auto page = store.read({.prefix = "k001", .after = "k0013", .limit = 3});
  ASSERT_EQ(page.entities.size(), 3u);
  EXPECT_EQ(page.entities[0].key, "k0014");
  EXPECT_EQ(page.next, "k0016");
  page = store.read({.prefix = "k001", .after = *page.next});
  EXPECT_EQ(page.entities.size(), 3u);
  EXPECT_FALSE(page.next);
  EXPECT_TRUE(store.read({.prefix = "x"}).entities.empty());
}

TEST(stored_entities, are_not_asked_for_out_of_bounds) {
  filled_store store{1};
  for (auto& bad : std::vector<key_query>{{.limit = 0},
                                          {.limit = 1001},
                                          {.prefix = std::string(513, 'k')},
                                          {.prefix = "\xff"},
                                          {.after = "\xc3"}})
    EXPECT_EQ(read_page(store.store, "s", bad, 0ms).error(), errc::bad_request);
}

TEST(stored_entities, have_a_state_or_are_not_found) {
  filled_store store{1};
  EXPECT_EQ(read_state(store.store, {"s", "k0000"}, 0ms).value().revision, 1u);
  EXPECT_EQ(read_state(store.store, {"s", "k0001"}, 0ms).error(),
            errc::not_found);
}

std::string parsed(std::string_view query) {
  auto all = http::parse_query(query);
  if (!all)
    return "none";
  std::string result;
  for (auto& x : *all)
    result += "[" + x.name + "|" + x.value + "]";
  return result;
}

TEST(query, is_decoded_parameter_by_parameter) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("a=1&b=2"), "[a|1][b|2]");
  EXPECT_EQ(parsed("a=1=2&b&=c&&"), "[a|1=2][b|][|c]");
  EXPECT_EQ(parsed("a%3D=%26%00+"), std::string("[a=|&\0+]", 8));
  for (auto bad : {"a=%", "a=%2", "%zz=1", "a=1&b=%g0"})
    EXPECT_EQ(parsed(bad), "none") << bad;
}

} // namespace
} // namespace troupe
