#include "nodes/options.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

#include <boost/program_options.hpp>

#include "actors/core/module.hpp"
#include "nodes/event_text.hpp"
#include "nodes/ini_file.hpp"
#include "nodes/store/store_url.hpp"
#include "nodes/subscription_text.hpp"
#include "nodes/units.hpp"

namespace po = boost::program_options;

namespace troupe {

namespace {

using std::chrono::milliseconds;

constexpr uint32_t uint32_max = std::numeric_limits<uint32_t>::max();

constexpr log_level all_levels[] = {log_level::trace, log_level::debug,
                                    log_level::info,  log_level::warn,
                                    log_level::error, log_level::off};

constexpr log_format all_formats[] = {log_format::text, log_format::json};

constexpr replication_mode all_replications[] = {replication_mode::single,
                                                 replication_mode::sync};

// -- one option ---------------------------------------------------------------

enum class arity : uint8_t { flag, once, repeatable };

/// All there is to know about one option.
struct option_row {
  /// Heading in the help.
  const char* group;

  const char* name;

  /// What the help calls the value.
  const char* argument;

  std::string text;

  /// Puts a value into the options.
  /// @throws std::invalid_argument
  std::function<void(node_options&, const std::string&)> set;

  /// The default, as one would write it; empty if there is none to write.
  std::function<std::string(const node_options&)> show;

  arity takes = arity::once;

  /// Takes back what a source of lower precedence gave.
  std::function<void(node_options&)> clear = [](node_options&) {};

  /// Between two values in the environment.
  char separator = '\0';
};

template <class T, size_t N>
T parse_enum(const std::string& text, const T (&values)[N]) {
  std::string names;
  for (auto x : values) {
    if (to_string(x) == text)
      return x;
    names += (names.empty() ? "" : ", ") + std::string{to_string(x)};
  }
  throw std::invalid_argument{"'" + text + "' is none of " + names};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> result;
  std::istringstream in{text};
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty())
      result.push_back(std::move(part));
  return result;
}

void set_limit_field(limit_override& limit, const std::string& field) {
  auto colon = field.find(':');
  auto name = field.substr(0, colon);
  auto value = colon == field.npos ? "" : field.substr(colon + 1);
  auto once = [&](auto& slot, auto parsed) {
    if (slot)
      throw std::invalid_argument{"'" + name + "' is given twice"};
    slot = parsed;
  };
  if (name == "concurrency")
    once(limit.concurrency,
         static_cast<uint32_t>(parse_number(value, 1, uint32_max)));
  else if (name == "queue")
    once(limit.queue,
         static_cast<uint32_t>(parse_number(value, 0, uint32_max)));
  else if (name == "timeout")
    once(limit.timeout, parse_duration(value));
  else if (name == "blocking")
    once(limit.blocking, parse_flag(value));
  else
    throw std::invalid_argument{
      "'" + name + "' is none of concurrency, queue, timeout, blocking"};
}

void add_limit(node_options& x, const std::string& text) {
  auto equals = text.find('=');
  auto fields = equals == text.npos ? std::vector<std::string>{}
                                    : split(text.substr(equals + 1), ',');
  if (fields.empty())
    throw std::invalid_argument{
      "'" + text
      + "' is no limit; write NAME=concurrency:4,queue:8,timeout:5s"};
  limit_override limit;
  for (const auto& field : fields)
    set_limit_field(limit, field);
  auto [i, added] = x.limits.emplace(text.substr(0, equals), limit);
  if (!added)
    throw std::invalid_argument{"the limits of '" + i->first
                                + "' are given twice"};
}

void add_queued(node_options& x, const std::string& text) {
  auto [i, added] = x.queued.insert(parse_work_override(text));
  if (!added)
    throw std::invalid_argument{"'" + i->first + "' is given twice"};
}

void add_destination(node_options& x, const std::string& text) {
  auto [i, added] = x.destinations.insert(parse_receiver_login(text));
  if (!added)
    throw std::invalid_argument{"'" + i->first + "' is given twice"};
}

void add_subscription(node_options& x, const std::string& text) {
  auto what = parse_subscription(text);
  for (auto& other : x.subscriptions)
    if (other.name == what.name)
      throw std::invalid_argument{"the subscription '" + what.name
                                  + "' is there twice"};
  x.subscriptions.push_back(std::move(what));
}

void add_event_rule(node_options& x, const std::string& text) {
  auto rule = parse_event_rule(text);
  for (auto& other : x.events)
    if (other.name == rule.name)
      throw std::invalid_argument{"the rule '" + rule.name
                                  + "' is there twice"};
  x.events.push_back(std::move(rule));
}

std::string required(const std::string& text) {
  if (text.empty())
    throw std::invalid_argument{"a value is missing"};
  return text;
}

// -- rows for the usual kinds of value ----------------------------------------

/// Options of options: `&node_options::http` and `&http_options::threads`.
template <class Group>
using group_of = Group node_options::*;

template <class Group>
option_row number_row(const char* group, const char* name, group_of<Group> part,
                      uint32_t Group::*member, const char* text) {
  return {
    group,
    name,
    "N",
    text,
    [=](node_options& x, const std::string& value) {
      (x.*part).*member =
        static_cast<uint32_t>(parse_number(value, 0, uint32_max));
    },
    [=](const node_options& x) { return std::to_string((x.*part).*member); }};
}

template <class Group>
option_row size_row(const char* group, const char* name, group_of<Group> part,
                    uint64_t Group::*member, const char* text) {
  return {
    group,
    name,
    "SIZE",
    text,
    [=](node_options& x, const std::string& value) {
      (x.*part).*member = parse_size(value);
    },
    [=](const node_options& x) { return format_size((x.*part).*member); }};
}

template <class Group>
option_row time_row(const char* group, const char* name, group_of<Group> part,
                    milliseconds Group::*member, const char* text) {
  return {
    group,
    name,
    "TIME",
    text,
    [=](node_options& x, const std::string& value) {
      (x.*part).*member = parse_duration(value);
    },
    [=](const node_options& x) { return format_duration((x.*part).*member); }};
}

template <class Group>
option_row text_row(const char* group, const char* name, const char* argument,
                    group_of<Group> part, std::string Group::*member,
                    const char* text) {
  return {group,
          name,
          argument,
          text,
          [=](node_options& x, const std::string& value) {
            (x.*part).*member = required(value);
          },
          [=](const node_options& x) { return (x.*part).*member; }};
}

option_row text_row(const char* group, const char* name, const char* argument,
                    std::string node_options::*member, const char* text) {
  return {group,
          name,
          argument,
          text,
          [=](node_options& x, const std::string& value) {
            x.*member = required(value);
          },
          [=](const node_options& x) { return x.*member; }};
}

// -- the table ----------------------------------------------------------------

void append_node_rows(std::vector<option_row>& rows) {
  constexpr auto group = "Node";
  rows.push_back(
    {group, "plugin", "FILE",
     "Shared object whose functions and services are served. May be given "
     "several times; in TROUPE_PLUGIN they are separated by ':'.",
     [](node_options& x, const std::string& value) {
       x.plugins.push_back(required(value));
     },
     [](const node_options&) { return ""; }, arity::repeatable,
     [](node_options& x) { x.plugins.clear(); }, ':'});
  rows.push_back(text_row(
    group, "data-dir", "FOLDER", &node_options::data_dir,
    "Folder of what the node keeps on disk; made if missing. Put it on a local "
    "disk: network file systems are refused."));
  rows.push_back(text_row(
    group, "store", "URL", &node_options::store,
    "Where services keep their state: sqlite:FOLDER, a server with "
    "postgresql://USER@HOST/DATABASE, or memory: (lost at exit, for trials). "
    "Default: sqlite: on --data-dir."));
  rows.push_back({group, "store.replication", "MODE",
                  "For PostgreSQL: single takes a commit for done that is on "
                  "the server's disk; sync refuses a server that does not wait "
                  "for a standby. Use sync where a server may be lost.",
                  [](node_options& x, const std::string& value) {
                    x.replication = parse_enum(value, all_replications);
                  },
                  [](const node_options& x) {
                    return std::string{to_string(x.replication)};
                  }});
  rows.push_back(
    {group, "limit", "NAME=LIMITS",
     "Limits of one function in place of its own: any of concurrency, queue, "
     "timeout and blocking, as in sleep=concurrency:4,timeout:5s. "
     "May be given several times; in TROUPE_LIMIT they are separated by ';'. "
     "Lower them when one function takes too much from the others.",
     add_limit, [](const node_options&) { return ""; }, arity::repeatable,
     [](node_options& x) { x.limits.clear(); }, ';'});
  rows.push_back(
    {group, "subscribe", "NAME=FIELDS",
     "Messages of a broker that call a function or a service, as in "
     "m=broker:mqtt://localhost,topic:sensors/{key}/t,service:twin,method:set. "
     "May be given several times; in TROUPE_SUBSCRIBE they are separated by "
     "';'. config/troupe.ini lists the fields.",
     add_subscription, [](const node_options&) { return ""; },
     arity::repeatable, [](node_options& x) { x.subscriptions.clear(); }, ';'});
  rows.push_back(text_row(
    group, "secrets-folder", "FOLDER", &node_options::secrets_folder,
    "Where the files are that `troupe subscribe add` may name, each without a "
    "path: who may declare a subscription has the first line of its "
    "password-file sent to a broker of his choice. Default: none, and so it "
    "may "
    "name no file."));
  rows.push_back(
    {group, "event", "NAME=FIELDS",
     "CloudEvents that call a function or a service, as in "
     "a=type:com.example.alarm.*,source:/plant/"
     "{key},service:twin,method:alarm. "
     "May be given several times; in TROUPE_EVENT they are separated by ';'. "
     "config/troupe.ini lists the fields.",
     add_event_rule, [](const node_options&) { return ""; }, arity::repeatable,
     [](node_options& x) { x.events.clear(); }, ';'});
  rows.push_back(
    {group, "insecure", "",
     "Listen where other machines can connect, without TLS and credentials. "
     "Only where everybody on the network is trusted.",
     [](node_options& x, const std::string& value) {
       x.insecure = parse_flag(value);
     },
     [](const node_options&) { return "false"; }, arity::flag});
  rows.push_back(text_row(group, "node.id", "NAME", &node_options::id,
                          "What listings call this node. Default: the host's "
                          "name. Set it where one host runs several nodes."));
}

void append_http_rows(std::vector<option_row>& rows) {
  constexpr auto group = "HTTP";
  constexpr auto http = &node_options::http;
  rows.push_back(
    {group, "http.listen", "ADDRESS:PORT",
     "Where HTTP is served; port 0 takes a free one. An address that other "
     "machines can reach needs --insecure.",
     [](node_options& x, const std::string& value) {
       x.http.listen = listen_address::parse(value);
     },
     [](const node_options& x) { return x.http.listen.to_string(); }});
  rows.push_back(number_row(
    group, "http.threads", http, &http_options::threads,
    "Threads that read and answer requests. One serves some 100,000 small "
    "requests a second; more help when cores are idle."));
  rows.push_back(number_row(
    group, "http.connections", http, &http_options::connections_max,
    "Open connections; one more is answered 429. Raise it, and the limit of "
    "open files, for more clients that keep theirs open."));
  rows.push_back(size_row(
    group, "http.head-size", http, &http_options::head_bytes_max,
    "Bytes of a request's line and header; past it 431. Raise it for clients "
    "with large cookies or tokens."));
  rows.push_back(number_row(
    group, "http.head-fields", http, &http_options::fields_max,
    "Header fields of a request; past it 431. Raise it behind proxies that "
    "add many."));
  rows.push_back(size_row(
    group, "http.body-size", http, &http_options::body_bytes_max,
    "Bytes of a request's body; past it 413. Each call in flight may hold that "
    "much memory."));
  rows.push_back(time_row(
    group, "http.head-timeout", http, &http_options::head_time,
    "What a client may take to send a request's line and header; past it 408. "
    "Raise it for very slow links."));
  rows.push_back(time_row(
    group, "http.body-timeout", http, &http_options::body_progress_time,
    "How long a body may make no progress; past it 408. Raise it for very slow "
    "links."));
  rows.push_back(time_row(
    group, "http.write-timeout", http, &http_options::write_progress_time,
    "How long a client may take none of its answer before it is cut off. Lower "
    "it when stuck clients hold too much memory."));
  rows.push_back(time_row(
    group, "http.idle-timeout", http, &http_options::idle_time,
    "How long a connection stays open between two requests. Keep it longer "
    "than what a proxy in front keeps its own."));
}

void append_cluster_rows(std::vector<option_row>& rows) {
  constexpr auto group = "Cluster";
  constexpr auto cluster = &node_options::cluster;
  rows.push_back(
    {group, "cluster.listen", "ADDRESS:PORT",
     "Where other nodes connect: makes this node one of those that share its "
     "store. Port 0 takes a free one. An address that other machines can reach "
     "needs TLS, or --insecure. Default: none, a node by itself.",
     [](node_options& x, const std::string& value) {
       x.cluster.listen = listen_address::parse(value);
     },
     [](const node_options&) { return ""; }});
  rows.push_back(text_row(
    group, "cluster.advertise", "ADDRESS", cluster, &member_options::advertise,
    "ADDRESS:PORT that other nodes connect to, if that is not "
    "--cluster.listen: behind NAT, or when it listens on all addresses."));
  rows.push_back(text_row(
    group, "cluster.name", "NAME", cluster, &member_options::name,
    "Nodes of different clusters refuse each other. Set it where several share "
    "a network."));
  rows.push_back(text_row(
    group, "cluster.ca", "FILE", cluster, &member_options::ca,
    "The certificate of the cluster's CA, for mutual TLS between nodes; see "
    "troupe certs. All three files, or none."));
  rows.push_back(text_row(group, "cluster.cert", "FILE", cluster,
                          &member_options::certificate,
                          "This node's certificate."));
  rows.push_back(text_row(group, "cluster.key", "FILE", cluster,
                          &member_options::key,
                          "The key of that certificate."));
  rows.push_back(text_row(
    group, "cluster.zone", "NAME", cluster, &member_options::zone,
    "Nodes of one zone fail together: a rack, a data centre. For listings: "
    "shards of a zone that goes are spread over all others anyway."));
  rows.push_back(number_row(
    group, "cluster.capacity", cluster, &member_options::capacity,
    "How much this node takes on, against others. Raise it for a larger "
    "machine."));
  rows.push_back(number_row(
    group, "cluster.shards", cluster, &member_options::shards,
    "Parts into which keys are divided; the first node of a store decides. "
    "Raise it for more than a hundred nodes."));
}

void append_queue_rows(std::vector<option_row>& rows) {
  constexpr auto group = "Queued calls";
  constexpr auto queue = &node_options::queue;
  rows.push_back(
    {group, "queued", "NAME=SETTINGS",
     "How queued calls of a function, or of a service with a slash, are "
     "treated: "
     "any of attempts, pause, max-pause, age, on-success and on-failure, as in "
     "resize=attempts:5,age:1h,on-success:publish,on-failure:alarms/{key}/add; "
     "with join:all or join:any, then:NEXT is called with what came of all "
     "on-success, or of the first one. "
     "What comes next may be a URL (https://..., nats://..., mqtt://...), and "
     "the NAME scheme and host of one. "
     "May be given several times; in TROUPE_QUEUED they are separated by ';'. "
     "Default: 3 attempts, a pause of 1s that doubles up to 5m, an age of 6h, "
     "then it is a dead letter.",
     add_queued, [](const node_options&) { return ""; }, arity::repeatable,
     [](node_options& x) { x.queued.clear(); }, ';'});
  rows.push_back(
    {group, "destination", "HOST=LOGIN",
     "How this node makes itself known to a destination outside, named by "
     "scheme and host: any of user, password-file, token-file (HTTP), ca, cert "
     "and cert-key, as in https://example.org=token-file:/etc/troupe/token. "
     "May "
     "be given several times; in TROUPE_DESTINATION they are separated by ';'. "
     "Default: as nobody in particular.",
     add_destination, [](const node_options&) { return ""; }, arity::repeatable,
     [](node_options& x) { x.destinations.clear(); }, ';'});
  rows.push_back(number_row(
    group, "queue.concurrency", queue, &queue_options::concurrency,
    "Queued calls that this node does at once. Lower it to leave more of the "
    "node to calls that somebody waits for."));
  rows.push_back(time_row(
    group, "queue.keep-results", queue, &queue_options::keep_results,
    "How long the result of a queued call can be asked for. Raise it for "
    "clients that come back late; the store grows with it."));
  rows.push_back(time_row(
    group, "queue.keep-dead-letters", queue, &queue_options::keep_dead,
    "How long dead letters are kept to be looked at and tried again."));
  rows.push_back(time_row(
    group, "queue.send-timeout", queue, &queue_options::send_timeout,
    "What a destination outside gets to answer that it has an event. Raise it "
    "for receivers that do all their work before they answer."));
}

void append_other_rows(std::vector<option_row>& rows) {
  rows.push_back(
    {"Running", "scheduler.threads", "N",
     "Threads that run actors; 0 is one for each CPU, at least two. Lower it "
     "to leave CPUs to other programs.",
     [](node_options& x, const std::string& value) {
       x.scheduler_threads =
         static_cast<uint32_t>(parse_number(value, 0, uint32_max));
     },
     [](const node_options& x) {
       return std::to_string(x.scheduler_threads);
     }});
  rows.push_back(number_row(
    "Running", "service.activations", &node_options::entities,
    &entity_options::activations,
    "Entities of services that are in memory; past it those used longest ago "
    "leave it. Raise it, at about 1.8 KB each plus their state, when more are "
    "in use."));
  rows.push_back(time_row(
    "Running", "service.idle-time", &node_options::entities,
    &entity_options::idle_time,
    "How long an entity stays in memory without a call. Lower it to give "
    "memory back sooner."));
  rows.push_back(
    {"Running", "shutdown.grace", "TIME",
     "How long a node that leaves still takes new connections, so that load "
     "balancers see /readyz fail first. auto is "
       + format_duration(shutdown_options::grace_in_company)
       + ", and none for the only node. Raise it to what the balancer needs.",
     [](node_options& x, const std::string& value) {
       x.shutdown.grace =
         value == "auto" ? std::nullopt : std::optional{parse_duration(value)};
     },
     [](const node_options&) { return "auto"; }});
  rows.push_back(time_row(
    "Running", "shutdown.timeout", &node_options::shutdown,
    &shutdown_options::timeout,
    "What leaving may take as a whole; calls that still run then are cut off. "
    "Raise it, and the service manager's limit, for long calls."));
  rows.push_back({"Log", "log.level", "LEVEL",
                  "The least that is logged: trace, debug, info, warn, error "
                  "or off. debug and trace are for finding defects.",
                  [](node_options& x, const std::string& value) {
                    x.log.level = parse_enum(value, all_levels);
                  },
                  [](const node_options& x) {
                    return std::string{to_string(x.log.level)};
                  }});
  rows.push_back({"Log", "log.format", "FORMAT",
                  "text for people, json (an object a line) for log "
                  "collectors.",
                  [](node_options& x, const std::string& value) {
                    x.log.format = parse_enum(value, all_formats);
                  },
                  [](const node_options& x) {
                    return std::string{to_string(x.log.format)};
                  }});
}

std::vector<option_row> make_rows() {
  std::vector<option_row> rows;
  append_node_rows(rows);
  append_http_rows(rows);
  append_cluster_rows(rows);
  append_queue_rows(rows);
  append_other_rows(rows);
  return rows;
}

// -- sources ------------------------------------------------------------------

/// One value of one source.
struct setting {
  std::string name;
  std::string value;

  /// Where it stands, for errors: "--store", "TROUPE_STORE", "f.ini:3: store".
  std::string origin;
};

/// A wrong command line, variable or file; the text is for the user.
struct options_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const option_row* find_row(const std::vector<option_row>& rows,
                           std::string_view name) {
  auto i = std::find_if(rows.begin(), rows.end(),
                        [&](const option_row& x) { return x.name == name; });
  return i != rows.end() ? &*i : nullptr;
}

std::string variable_of(std::string_view name) {
  std::string result = "TROUPE_";
  for (auto c : name)
    result += c == '.' || c == '-'   ? '_'
              : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A')
                                     : c;
  return result;
}

/// " NAME" if `value` says which of several it is: NAME=SETTINGS.
std::string name_in(const option_row& row, const std::string& value) {
  constexpr size_t longest = 128;
  auto name = value.substr(0, value.find('='));
  auto is_one_of_several =
    row.takes == arity::repeatable
    && std::string_view{row.argument}.starts_with("NAME=")
    && name.size() < value.size();
  if (!is_one_of_several || name.empty() || name.size() > longest)
    return {};
  return " " + name;
}

/// Applies one source: it replaces what sources of lower precedence gave.
void apply(const std::vector<option_row>& rows,
           const std::vector<setting>& source, node_options& out) {
  std::set<std::string> seen;
  for (const auto& x : source) {
    auto row = find_row(rows, x.name);
    if (!row)
      throw options_error{x.origin + ": there is no such option"};
    if (seen.insert(x.name).second)
      row->clear(out);
    else if (row->takes != arity::repeatable)
      throw options_error{x.origin + ": given twice"};
    try {
      row->set(out, x.value);
    } catch (const std::invalid_argument& e) {
      throw options_error{x.origin + name_in(*row, x.value) + ": " + e.what()};
    }
  }
}

po::options_description describe(const std::vector<option_row>& rows) {
  constexpr unsigned width = 80;
  po::options_description all{width};
  std::vector<std::string> groups;
  for (const auto& row : rows)
    if (groups.empty() || groups.back() != row.group)
      groups.emplace_back(row.group);
  node_options defaults;
  for (const auto& name : groups) {
    po::options_description group{name, width};
    for (const auto& row : rows) {
      if (row.group != name)
        continue;
      auto value = po::value<std::vector<std::string>>();
      if (row.takes == arity::flag)
        value->zero_tokens();
      else
        value->value_name(row.argument);
      auto preset = row.show(defaults);
      auto text = row.text;
      if (!preset.empty())
        text += " Default: " + preset + ".";
      group.add_options()(row.name, value, text.c_str());
    }
    all.add(group);
  }
  po::options_description meta{"Where options come from", width};
  auto file = po::value<std::vector<std::string>>()->value_name("FILE");
  meta.add_options()("config", file,
                     "File with options: b-c under [a] is --a.b-c. "
                     "config/troupe.ini lists them all. Default: none.");
  meta.add_options()("help,h", "Print this text.");
  all.add(meta);
  return all;
}

std::vector<setting> read_arguments(const std::vector<option_row>& rows,
                                    const std::vector<std::string>& arguments,
                                    bool& help) {
  using style = po::command_line_style::style_t;
  std::vector<setting> result;
  auto description = describe(rows);
  try {
    auto parsed = po::command_line_parser(arguments)
                    .options(description)
                    .style(style::unix_style & ~style::allow_guessing)
                    .run();
    for (const auto& x : parsed.options) {
      if (x.string_key.empty())
        throw options_error{"takes options only, not the argument '"
                            + x.value.at(0) + "'"};
      help = help || x.string_key == "help";
      result.push_back({x.string_key, x.value.empty() ? "true" : x.value[0],
                        "--" + x.string_key});
    }
  } catch (const po::error& e) {
    throw options_error{e.what()};
  }
  return result;
}

std::vector<setting> read_environment(const std::vector<option_row>& rows,
                                      const environment& env) {
  std::vector<setting> result;
  for (const auto& row : rows) {
    auto i = env.find(variable_of(row.name));
    if (i == env.end() || i->second.empty())
      continue;
    if (row.takes != arity::repeatable)
      result.push_back({row.name, i->second, i->first});
    else
      for (auto& part : split(i->second, row.separator))
        result.push_back({row.name, std::move(part), i->first});
  }
  return result;
}

/// Variables are shared with scripts and container platforms (which set
/// TROUPE_PORT for a service called troupe), so an unknown one stops no node.
std::vector<std::string> unknown_variables(const std::vector<option_row>& rows,
                                           const environment& env) {
  std::set<std::string> known{"TROUPE_CONFIG", "TROUPE_ENDPOINT"};
  for (const auto& row : rows)
    known.insert(variable_of(row.name));
  std::vector<std::string> result;
  for (const auto& [name, value] : env)
    if (name.starts_with("TROUPE_") && !known.contains(name))
      result.push_back("ignored the environment variable " + name
                       + ": there is no such option");
  return result;
}

std::vector<setting> read_file(const std::string& path) {
  std::ifstream in{path};
  std::vector<setting> result;
  try {
    auto entries = read_ini(in);
    if (!in.is_open() || in.bad())
      throw options_error{"cannot read the file '" + path + "'"};
    for (auto& x : entries)
      result.push_back({x.name, std::move(x.value),
                        path + ":" + std::to_string(x.line) + ": " + x.name});
  } catch (const std::invalid_argument& e) {
    throw options_error{path + ": " + e.what()};
  }
  return result;
}

/// Takes `--config` out of `arguments`, else reads the variable.
std::optional<std::string> take_config(std::vector<setting>& arguments,
                                       const environment& env) {
  std::optional<std::string> result;
  for (auto i = arguments.begin(); i != arguments.end();) {
    if (i->name != "config") {
      ++i;
      continue;
    }
    if (result)
      throw options_error{"--config: given twice"};
    result = std::move(i->value);
    i = arguments.erase(i);
  }
  auto variable = env.find("TROUPE_CONFIG");
  if (!result && variable != env.end() && !variable->second.empty())
    result = variable->second;
  return result;
}

// -- validation ---------------------------------------------------------------

/// Collects the first thing that is wrong.
class checker {
public:
  void that(bool good, const std::string& otherwise) {
    if (!good && !wrong_)
      wrong_ = error{errc::bad_request, otherwise};
  }

  void range(const char* name, uint64_t value, uint64_t min, uint64_t max) {
    that(min <= value && value <= max,
         std::string{name} + " must be from " + std::to_string(min) + " to "
           + std::to_string(max) + ", is " + std::to_string(value));
  }

  void size(const char* name, uint64_t value, uint64_t min, uint64_t max) {
    that(min <= value && value <= max,
         std::string{name} + " must be from " + format_size(min) + " to "
           + format_size(max) + ", is " + format_size(value));
  }

  void time(const std::string& name, milliseconds value, milliseconds min,
            milliseconds max) {
    that(min <= value && value <= max,
         name + " must be from " + format_duration(min) + " to "
           + format_duration(max) + ", is " + format_duration(value));
  }

  void built(bool is_unused, const std::string& what) {
    if (!is_unused && !wrong_)
      wrong_ = error{errc::not_implemented, what + " is not built yet"};
  }

  expected<void> result() const {
    return wrong_ ? expected<void>{*wrong_} : expected<void>{};
  }

private:
  std::optional<error> wrong_;
};

void check_http(const http_options& x, checker& check) {
  using namespace std::chrono_literals;
  check.range("http.threads", x.threads, 1, 256);
  check.range("http.connections", x.connections_max, 1, 1'000'000);
  check.size("http.head-size", x.head_bytes_max, 1 << 10, 16 << 20);
  check.range("http.head-fields", x.fields_max, 1, 10'000);
  check.size("http.body-size", x.body_bytes_max, 1, 1 << 30);
  check.time("http.head-timeout", x.head_time, 1ms, 1h);
  check.time("http.body-timeout", x.body_progress_time, 1ms, 1h);
  check.time("http.write-timeout", x.write_progress_time, 1ms, 1h);
  check.time("http.idle-timeout", x.idle_time, 1ms, 24h);
}

void check_store(const node_options& x, checker& check) {
  auto url = parse_store_url(x.store_url());
  check.that(url.has_value(), "store: " + (url ? "" : url.error().message()));
  check.that(x.replication == replication_mode::single || !url
               || url->kind == store_url::scheme::postgresql,
             "store.replication: only a store postgresql://... can have sync");
}

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

void check_cluster(const node_options& all, checker& check) {
  auto& x = all.cluster;
  if (!x.listen) {
    check.that(x == member_options{},
               "cluster options need cluster.listen: without it this is a node "
               "by itself");
    return;
  }
  auto files = {&x.ca, &x.certificate, &x.key};
  auto given = std::count_if(files.begin(), files.end(),
                             [](auto file) { return !file->empty(); });
  check.that(given == 0 || given == 3,
             "cluster.ca, cluster.cert and cluster.key go together: give all "
             "three, or none");
  check.that(all.insecure || given > 0 || x.listen->is_loopback(),
             "cluster.listen " + x.listen->to_string()
               + " can be reached from other machines: give cluster.ca, "
                 "cluster.cert and cluster.key (troupe certs makes them), or "
                 "--insecure if everybody on that network is trusted");
  check.that(!x.listen->is_any() || !x.advertise.empty(),
             "cluster.listen " + x.listen->to_string()
               + " is every address of this machine: say with "
                 "cluster.advertise which one others connect to");
  if (!x.advertise.empty())
    try {
      check.that(listen_address::parse(x.advertise).port != 0,
                 "cluster.advertise needs a port");
    } catch (const std::invalid_argument& e) {
      check.that(false, std::string{"cluster.advertise: "} + e.what());
    }
  check.that(all.store_url() != "memory:",
             "what is in memory cannot be shared by nodes: cluster.listen "
             "needs another store than memory:");
  check.that(is_valid_name(x.name),
             "cluster.name must be a name of A-Z, a-z, 0-9, _ and -");
  check.that(x.zone.size() <= 255 && is_printable(x.zone),
             "cluster.zone must be at most 255 printable characters, no "
             "blanks");
  check.range("cluster.capacity", x.capacity, 1, 1000);
  check.range("cluster.shards", x.shards, 1, 65'536);
}

void check_limits(const std::string& name, const limit_override& x,
                  checker& check) {
  using namespace std::chrono_literals;
  check.that(is_valid_name(name),
             "limit: '" + name + "' is no name of a function");
  check.that(x.concurrency.value_or(1) > 0,
             "limit: the concurrency of '" + name + "' must not be 0");
  check.time("limit: the timeout of '" + name + "'", x.timeout.value_or(1s),
             1ms, defaults::function::timeout_max);
}

} // namespace

std::string_view to_string(log_level level) noexcept {
  switch (level) {
  case log_level::trace:
    return "trace";
  case log_level::debug:
    return "debug";
  case log_level::info:
    return "info";
  case log_level::warn:
    return "warn";
  case log_level::error:
    return "error";
  case log_level::off:
    return "off";
  }
  return "off";
}

std::string_view to_string(log_format format) noexcept {
  switch (format) {
  case log_format::text:
    return "text";
  case log_format::json:
    return "json";
  }
  return "text";
}

function_limits limit_override::apply(function_limits limits) const {
  limits.concurrency = concurrency.value_or(limits.concurrency);
  limits.queue = queue.value_or(limits.queue);
  limits.timeout = timeout.value_or(limits.timeout);
  limits.blocking = blocking.value_or(limits.blocking);
  return limits;
}

std::string node_options::store_url() const {
  return store.empty() ? "sqlite:" + data_dir : store;
}

expected<void> node_options::validate() const {
  using namespace std::chrono_literals;
  checker check;
  check.that(insecure || http.listen.is_loopback(),
             "http.listen " + http.listen.to_string()
               + " can be reached from other machines, and there are no TLS "
                 "and credentials yet; add --insecure if everybody on that "
                 "network is trusted");
  check_http(http, check);
  check_store(*this, check);
  for (const auto& [name, limit] : limits)
    check_limits(name, limit, check);
  for (const auto& x : subscriptions)
    if (auto good = x.validate(); !good)
      check.that(false,
                 "subscription '" + x.name + "': " + good.error().message());
  for (const auto& x : events)
    if (auto good = x.validate(); !good)
      check.that(false, "event '" + x.name + "': " + good.error().message());
  for (auto i = plugins.begin(); i != plugins.end(); ++i)
    check.that(std::find(plugins.begin(), i, *i) == i,
               "plugin " + *i + " is named twice");
  check.that(id.size() <= 255 && is_printable(id),
             "node.id must be at most 255 printable characters, no blanks");
  check.range("scheduler.threads", scheduler_threads, 0, 1024);
  check.range("service.activations", entities.activations, 1, 100'000'000);
  check.time("service.idle-time", entities.idle_time, 10ms, 24h * 365);
  check.time("shutdown.timeout", shutdown.timeout, 1ms, 24h);
  check.time("shutdown.grace", shutdown.grace.value_or(0ms), 0ms,
             shutdown.timeout);
  check.range("queue.concurrency", queue.concurrency, 1, 1'000'000);
  check.time("queue.keep-results", queue.keep_results, 1s, 24h * 366);
  check.time("queue.keep-dead-letters", queue.keep_dead, 1s, 24h * 366);
  check.time("queue.send-timeout", queue.send_timeout, 10ms, 15min);
  check_cluster(*this, check);
  return check.result();
}

environment current_environment() {
  environment result;
  for (auto entry = environ; entry && *entry; ++entry) {
    std::string text{*entry};
    auto equals = text.find('=');
    if (equals != text.npos)
      result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

expected<parsed_node_options>
parse_node_options(const std::vector<std::string>& arguments,
                   const environment& env) {
  auto rows = make_rows();
  parsed_node_options result;
  try {
    auto given = read_arguments(rows, arguments, result.help);
    if (result.help)
      return result;
    if (auto path = take_config(given, env))
      apply(rows, read_file(*path), result.options);
    apply(rows, read_environment(rows, env), result.options);
    apply(rows, given, result.options);
  } catch (const options_error& e) {
    return error{errc::bad_request, e.what()};
  }
  if (auto good = result.options.validate(); !good)
    return good.error();
  result.warnings = unknown_variables(rows, env);
  return result;
}

std::vector<std::string> node_option_names() {
  std::vector<std::string> result;
  for (const auto& row : make_rows())
    result.emplace_back(row.name);
  return result;
}

std::string node_options_help(const std::string& program) {
  std::ostringstream out;
  out << "Usage: " << program
      << " [options]\n"
         "\n"
         "Runs a node: serves functions and services of plugins over HTTP\n"
         "until it is told to stop (SIGINT or SIGTERM; a second one stops it\n"
         "at once). SIGHUP loads the plugins anew.\n"
         "\n"
         "  "
      << program
      << " --plugin build/release/lib/troupe_examples.so\n"
         "\n"
         "Each option --a.b-c can also be set as the variable TROUPE_A_B_C or\n"
         "in a file. The command line wins over the environment, the\n"
         "environment over the file. TIME is a number with ms, s, m or h;\n"
         "SIZE is a number of bytes, or one with KB, MB, KiB, MiB, ...\n"
      << describe(make_rows());
  return out.str();
}

} // namespace troupe
