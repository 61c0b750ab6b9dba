#include "tests/support/node_cluster.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s;

} // namespace

node_cluster::node_cluster(words options)
  : node_cluster(cluster_settings{std::move(options), nullptr, nullptr, {}}) {}

node_cluster::node_cluster(cluster_settings settings)
  : settings_(std::move(settings)) {}

node_process& node_cluster::start(const std::string& id, words more) {
  auto host = hosts_.try_emplace(id, hosts_.size()).first->second;
  node_settings settings;
  settings.binary = binary_;
  settings.folder = folder_.path();
  settings.options = {"--node.id", id, "--cluster.listen"};
  auto add = [&](const words& x) {
    settings.options.insert(settings.options.end(), x.begin(), x.end());
  };
  if (settings_.network) {
    settings.network = &(*settings_.network)[host];
    add({test_network::address(host) + ":0", "--insecure"});
  } else {
    add({"127.0.0.1:0"});
  }
  if (settings_.store)
    add(settings_.store->node_options());
  if (!settings_.logs.empty())
    settings.log = settings_.logs / id;
  add(settings_.options);
  add(more);
  nodes_[id] = nullptr; // the run before is gone
  nodes_[id] = std::make_unique<node_process>(settings);
  return *nodes_[id];
}

bool node_cluster::runs(const std::string& id) {
  auto i = nodes_.find(id);
  return i != nodes_.end() && i->second && i->second->is_alive();
}

void node_cluster::start_all(const words& ids) {
  for (auto& id : ids)
    start(id);
  settle();
}

std::map<std::string, nlohmann::json>
node_cluster::seen_by(const std::string& asked) {
  std::map<std::string, nlohmann::json> result;
  auto body = nlohmann::json::parse(get(*nodes_.at(asked), "/cluster").body);
  for (auto& x : body.at("nodes"))
    result[x.at("id")] = x;
  return result;
}

bool node_cluster::is_settled(std::string& shards) {
  std::string first;
  for (auto& [id, node] : nodes_) {
    if (!node || !node->is_alive())
      continue;
    auto seen = seen_by(id);
    size_t owned = 0;
    for (auto& [other, row] : seen) {
      if (row.at("state") != "up" || !nodes_.contains(other)
          || row.at("endpoint") != nodes_.at(other)->url())
        return false;
      owned += row.at("shards").get<size_t>();
    }
    size_t alive = 0;
    for (auto& [other, x] : nodes_)
      alive += x && x->is_alive();
    auto table = nlohmann::json::parse(get(*node, "/cluster/shards").body);
    if (seen.size() != alive || owned != table.at("count"))
      return false;
    auto text = table.dump();
    if (!first.empty() && text != first)
      return false;
    first = text;
  }
  // Balance begins two seconds after the last node came.
  return std::exchange(shards, first) == first;
}

void node_cluster::settle() {
  auto end = std::chrono::steady_clock::now() + patience;
  std::string shards;
  auto still_since = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < end) {
    auto now = std::chrono::steady_clock::now();
    if (!is_settled(shards))
      still_since = now;
    else if (now - still_since > 3s)
      return;
    std::this_thread::sleep_for(50ms); // between two looks
  }
  throw std::runtime_error("the cluster does not come to rest");
}

std::string node_cluster::owner(const std::string& asked,
                                const std::string& key) {
  auto answer =
    get(*nodes_.at(asked), "/cluster/owner?service=counter&key=" + key);
  if (answer.status != 200)
    return {};
  return nlohmann::json::parse(answer.body).at("node");
}

std::string node_cluster::key_of(const std::string& id,
                                 const std::string& prefix) {
  return keys_of(id, 1, prefix).front();
}

words node_cluster::keys_of(const std::string& id, size_t count,
                            const std::string& prefix) {
  words result;
  for (int i = 0; i < 10'000 && result.size() < count; ++i)
    if (auto key = prefix + std::to_string(i); owner(id, key) == id)
      result.push_back(std::move(key));
  if (result.size() < count)
    throw std::runtime_error(id + " owns too little");
  return result;
}

double node_cluster::metric(const std::string& id, const std::string& name) {
  auto text = get(*nodes_.at(id), "/metrics").body;
  auto at = text.find("\n" + name + " ");
  if (at == text.npos)
    throw std::runtime_error("there is no metric " + name);
  return std::stod(text.substr(at + name.size() + 2));
}

} // namespace troupe::test
