// States that older builds of a service have stored, and newer ones.

#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

/// Schema 3. In schema 1 a profile had one name, in schema 2 two of them; since
/// schema 3 it has a list of addresses in place of one.
struct profile {
  std::string first;
  std::string last;
  std::vector<std::string> mails;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(profile, first, last, mails)

  std::string show() const {
    auto result = first + "|" + last;
    for (auto& x : mails)
      result += "|" + x;
    return result;
  }

  void rename(const std::string& name) { last = name; }
};

void split_name(json& state) {
  auto name = state.at("name").get<std::string>();
  auto space = name.find(' ');
  state["first"] = name.substr(0, space);
  state["last"] = space == name.npos ? "" : name.substr(space + 1);
  state.erase("name");
}

void list_mails(json& state) {
  if (state.contains("corrupt"))
    throw 42; // whatever a plugin may throw
  state["mails"] = json::array();
  if (auto mail = state.value("mail", ""); !mail.empty())
    state["mails"].push_back(mail);
  state.erase("mail");
}

module profiles() {
  module m;
  m.service<profile>("profile")
    .upgrade(1, split_name)
    .upgrade(2, list_mails)
    .method("show", &profile::show)
    .method("rename", &profile::rename);
  return m;
}

class schema_test : public service_fixture {
protected:
  schema_test() : service_fixture(profiles()) {}

  void store_old(const std::string& key, uint32_t schema, std::string state) {
    store.entities[{"profile", key}] = {7, std::move(state), schema};
  }

  const stored_state& stored_now(const std::string& key) {
    return store.entities[{"profile", key}];
  }

  std::string ask(const std::string& key, const std::string& method,
                  std::string body = {}) {
    return call(entity_call{"profile", key, method}, std::move(body));
  }
};

TEST_F(schema_test, reads_the_states_of_every_schema_before) {
  store_old("one", 1, R"({"name": "Ada Lovelace", "mail": "ada@x"})");
  store_old("two", 2, R"({"first": "Ada", "last": "King", "mail": ""})");
  store_old("three", 3, R"({"first": "A", "last": "L", "mails": ["a", "b"]})");
  EXPECT_EQ(ask("one", "show"), "\"Ada|Lovelace|ada@x\"");
  EXPECT_EQ(ask("two", "show"), "\"Ada|King\"");
  EXPECT_EQ(ask("three", "show"), "\"A|L|a|b\"");
}

TEST_F(schema_test, stores_a_state_anew_with_the_next_change_and_not_before) {
  std::string old = R"({"name": "Ada Lovelace"})";
  store_old("k", 1, old);
  EXPECT_EQ(ask("k", "show"), "\"Ada|Lovelace\"");
  EXPECT_EQ(store.commits, 0u);
  EXPECT_EQ(stored_now("k").state, old);
  EXPECT_EQ(ask("k", "rename", "King"), "null");
  EXPECT_EQ(stored_now("k").state,
            R"({"first":"Ada","last":"King","mails":[]})");
  EXPECT_EQ(stored_now("k").schema, 3u);
  EXPECT_EQ(stored_now("k").revision, 8u);
}

TEST_F(schema_test, refuses_a_newer_state_without_harm) {
  std::string newer = R"({"full": "Ada Lovelace"})";
  store_old("k", 4, newer);
  EXPECT_EQ(ask("k", "show"), "not_implemented none");
  EXPECT_EQ(ask("k", "rename", "King"), "not_implemented none");
  EXPECT_EQ(stored_now("k").state, newer);
  EXPECT_EQ(stored_now("k").schema, 4u);
  EXPECT_EQ(store.commits, 0u);
}

TEST_F(schema_test, refuses_a_state_that_its_upgrade_does_not_understand) {
  store_old("k", 1, R"({"nickname": "Ada"})");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  EXPECT_EQ(stored_now("k").schema, 1u);
  store_old("k", 1, R"({"name": "Ada Lovelace"})");
  EXPECT_EQ(ask("k", "show"), "\"Ada|Lovelace\"") << "it is tried again";
}

TEST_F(schema_test, deletes_a_state_that_it_cannot_read) {
  store_old("k", 1, R"({"nickname": "Ada"})");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  entity_call erase{"profile", "k"};
  erase.operation = entity_operation::erase;
  erase.if_match = "\"6\"";
  EXPECT_EQ(call(erase), "revision_mismatch none");
  erase.if_match = "\"7\"";
  EXPECT_EQ(call(erase), "null");
  EXPECT_EQ(stored_now("k").state, "");
  EXPECT_EQ(stored_now("k").revision, 8u);
  EXPECT_EQ(ask("k", "rename", "King"), "null");
  EXPECT_EQ(stored_now("k").revision, 9u);
}

TEST_F(schema_test, replaces_a_state_that_it_cannot_read) {
  store_old("k", 2, R"({"corrupt": true})");
  entity_call replace{"profile", "k"};
  replace.operation = entity_operation::replace;
  EXPECT_EQ(call(replace, R"({"first": "A"})"), "bad_request none");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  EXPECT_EQ(call(replace, R"({"first":"A","last":"L","mails":[]})"), "null");
  EXPECT_EQ(ask("k", "show"), "\"A|L\"");
  EXPECT_EQ(stored_now("k").revision, 8u);
}

TEST_F(schema_test, an_unreadable_state_stays_when_its_deletion_fails) {
  store_old("k", 1, R"({"nickname": "Ada"})");
  entity_call erase{"profile", "k"};
  erase.operation = entity_operation::erase;
  store.fates = {testing::test_store::fate::failed};
  EXPECT_EQ(call(erase), "store_unavailable none");
  EXPECT_EQ(stored_now("k").state, R"({"nickname": "Ada"})");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  EXPECT_EQ(call(erase), "null");
}

TEST_F(schema_test, survives_an_upgrade_that_throws_no_exception_object) {
  store_old("k", 2, R"({"corrupt": true})");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  EXPECT_EQ(ask("k", "show"), "internal_error none");
  entity_call replace{"profile", "new"};
  replace.operation = entity_operation::replace;
  replace.schema = 2;
  EXPECT_EQ(call(replace, R"({"corrupt": true})"), "bad_request none");
  EXPECT_EQ(store.commits, 0u);
}

TEST_F(schema_test, imports_a_state_of_an_older_schema) {
  entity_call replace{"profile", "k"};
  replace.operation = entity_operation::replace;
  replace.schema = 1;
  EXPECT_EQ(call(replace, R"({"name": "Ada Lovelace"})"), "null");
  EXPECT_EQ(ask("k", "show"), "\"Ada|Lovelace\"");
  EXPECT_EQ(stored_now("k").schema, 3u);
}

TEST(schema, takes_upgrades_in_their_order_only) {
  module m;
  auto profile_service = m.service<profile>("profile");
  EXPECT_THROW(profile_service.upgrade(2, list_mails), std::invalid_argument);
  EXPECT_THROW(profile_service.upgrade(1, nullptr), std::invalid_argument);
  profile_service.upgrade(1, split_name);
  EXPECT_THROW(profile_service.upgrade(1, split_name), std::invalid_argument);
  EXPECT_EQ(m.services().front()->schema(), 2u);
}

} // namespace
} // namespace troupe
