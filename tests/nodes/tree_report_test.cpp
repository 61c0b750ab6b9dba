#include "nodes/tree_report.hpp"

#include <gtest/gtest.h>

#include "nodes/subscription_text.hpp"

namespace troupe {
namespace {

TEST(tree_report, shows_what_runs_beside_the_actors) {
  auto what = parse_subscription(
    "meters=broker:mqtt://localhost,topic:meters,function:add,identity:none");
  subscription_view view;
  view.what = std::make_shared<const subscription>(what);
  view.is_here = true;
  view.source.state = source_state::connected;
  view.source.connections = 3;
  view.source.in_flight = 7;
  view.source.last_error = "it broke";
  tree_node root;
  root.kind = "supervisor";
  root.name = "root";
  root.children.resize(2);
  root.children[0].kind = "router";
  root.children[1].kind = "dispatcher";
  beside_the_tree more{12, {describe(view)}};
  view.is_here = false;
  view.source = {};
  more.subscriptions.push_back(describe(view));
  auto all = tree_json(root, more);
  ASSERT_EQ(all.size(), 1u);
  auto& children = all[0]["children"];
  ASSERT_EQ(children.size(), 4u);
  EXPECT_EQ(children[0]["queue"], 0);
  EXPECT_EQ(children[1]["queue"], 12);
  EXPECT_EQ(children[2]["kind"], "subscription");
  EXPECT_EQ(children[2]["name"], "meters");
  EXPECT_EQ(children[2]["state"], to_string(source_state::connected));
  EXPECT_EQ(children[2]["restarts"], 2);
  EXPECT_EQ(children[2]["queue"], 7);
  EXPECT_EQ(children[2]["lastReason"], "it broke");
  EXPECT_EQ(children[3]["state"], "standby");
  EXPECT_EQ(children[3]["restarts"], 0);
}

} // namespace
} // namespace troupe
