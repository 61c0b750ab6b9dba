#include "apps/troupe/client/commands.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "actors/core/codec.hpp"
#include "actors/core/errors.hpp"
#include "apps/troupe/client/body_source.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::json;

constexpr const char* usage = R"(Usage: troupe group COMMAND [options]

Queued calls whose outcomes belong together: all are queued or none, and when all
have succeeded, or the first one has, another call follows, once.

  troupe group begin -d SPEC           queue the calls of a group
  troupe group list                    what there is
  troupe group show ID                 one of them, with its calls
  troupe group cancel ID               what has not begun never will

  troupe group COMMAND --help          what a command takes
)";

std::string path_of(const command_line& line) {
  return "/groups/" + percent_encode(line.argument("ID"));
}

json post(const command_line& line, http_request request) {
  request.method = "POST";
  auto node = line.node();
  auto path = request.target;
  auto result = json::parse(send_checked(node, request).body, nullptr, false);
  if (!result.is_object())
    refuse_answer(node, path);
  return result;
}

std::string outcome_cell(const json& call) {
  for (auto member : {"result", "error"})
    if (auto i = call.find(member); i != call.end())
      return printable(i->dump());
  return "-";
}

/// What its end has called, with what became of that.
table follow_ups(const json& x) {
  table result{{"FOLLOWED BY", "STATE", "TARGET"}};
  auto found = x.value("followUps", json::array());
  for (auto& id : x.at("followedBy")) {
    auto is_it = [&](auto& y) { return y.value("id", json{}) == id; };
    auto i = std::find_if(found.begin(), found.end(), is_it);
    auto about = i == found.end() ? json::object() : *i;
    result.add({id.is_string() ? id.get<std::string>() : dump_json(id),
                cell(about, "state"), cell(about, "target")});
  }
  return result;
}

void print(const json& x) {
  table about{{"GROUP", cell(x, "id")}};
  for (auto [title, member] : {std::pair{"state", "state"},
                               {"join", "join"},
                               {"waiting", "waiting"},
                               {"succeeded", "succeeded"},
                               {"failed", "failed"},
                               {"abandoned", "abandoned"},
                               {"created", "createdAt"},
                               {"finished", "finishedAt"}})
    about.add({title, cell(x, member)});
  about.add({"then", list_cell(x, "then")});
  about.add({"on failure", list_cell(x, "onFailure")});
  if (auto error = x.find("error"); error != x.end())
    about.add({"error", printable(error->dump())});
  table calls{{"CALL", "STATE", "TARGET", "OUTCOME"}};
  for (auto& call : x.value("calls", json::array()))
    calls.add({cell(call, "id"), cell(call, "state"), cell(call, "target"),
               outcome_cell(call)});
  auto text = about.to_string() + "\n" + calls.to_string();
  if (x.contains("followedBy"))
    text += "\n" + follow_ups(x).to_string();
  write_stdout(text);
}

/// The states of what the end of a group has called: each once.
std::string follow_up_cell(const command_line& line, const json& x) {
  std::set<std::string> states;
  for (auto& id : x.value("followedBy", json::array()))
    if (id.is_string())
      states.insert(state_of_call(line, id.get<std::string>()));
  std::string result;
  for (auto& state : states)
    result += (result.empty() ? "" : ",") + state;
  return result.empty() ? "-" : result;
}

void list(const arguments& args) {
  command_line line{
    "Usage: troupe group list [options]\n\n"
    "Lists the groups that run, and those that have ended not "
    "long ago, and what\nbecame of what their end has called. A "
    "terminal that is too narrow shows fewer\ncolumns.\n",
    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto all = fetch_pages(line, "/groups", "groups");
  if (printed_json(line, all))
    return;
  table result{{"ID", "STATE", "JOIN", "WAITING", "SUCCEEDED", "FAILED",
                "ABANDONED", "FOLLOW-UP", "THEN"}};
  for (auto& x : all)
    result.add({cell(x, "id"), cell(x, "state"), cell(x, "join"),
                cell(x, "waiting"), cell(x, "succeeded"), cell(x, "failed"),
                cell(x, "abandoned"), follow_up_cell(line, x),
                list_cell(x, "then")});
  write_fitting(result,
                {"JOIN", "ABANDONED", "WAITING", "SUCCEEDED", "FAILED"});
}

void show(const arguments& args) {
  command_line line{"Usage: troupe group show ID [options]\n\n"
                    "Prints a group, what came of its calls, and of what its "
                    "end has called.\nCalls that are abandoned had not ended "
                    "when their group did, and may have begun.\n",
                    {"ID"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto found = fetch(line, path_of(line));
  if (!printed_json(line, found))
    print(found);
}

void begin(const arguments& args) {
  command_line line{
    "Usage: troupe group begin -d SPEC [options]\n\n"
    "Queues the calls of a group, all or none, and prints its id. SPEC is:\n\n"
    R"(  {"calls": [{"target": "add", "input": [1, 2]},
             {"target": "counter/visits/get"}],
   "join": "all", "then": "data_service/sums/set_data"})"
    "\n\n"
    "'join' is all or any; 'then' is called with the array of the results, or "
    "with\nthe first result; 'onFailure' is told when it fails.\n",
    {}};
  line.option("data,d", "SPEC", "What: JSON, @FILE, or - for stdin.")
    .option("idempotency-key", "K",
            "A repeat with the same key is the same group.");
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto data = line.value("data");
  if (!data)
    throw usage_error{"--data is missing"};
  http_request request;
  request.target = "/groups";
  request.body = body_source::read(data).bytes;
  request.content_type = "application/json";
  if (auto key = line.value("idempotency-key"))
    request.fields.push_back("Idempotency-Key: " + *key);
  auto made = post(line, std::move(request));
  if (!printed_json(line, made))
    write_stdout(cell(made, "id") + "\n");
}

void cancel(const arguments& args) {
  command_line line{"Usage: troupe group cancel ID [options]\n\n"
                    "Ends a group: calls that have not begun never will, and "
                    "nothing follows.\nThose that have begun go on, as "
                    "abandoned; what comes of them is shown once they have "
                    "ended.\n",
                    {"ID"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  http_request request;
  request.target = path_of(line) + "/cancel";
  auto changed = post(line, std::move(request));
  if (auto state = cell(changed, "state"); state != "cancelled")
    throw error_exception{
      error{errc::bad_request, "the group '" + line.argument("ID")
                                 + "' has ended already: it has " + state}};
  if (!printed_json(line, changed))
    print(changed);
}

constexpr subcommand group_commands[] = {
  {"begin", begin}, {"list", list}, {"show", show}, {"cancel", cancel}};

} // namespace

void group(const arguments& args) {
  if (args.empty())
    throw usage_error{"a command is missing: begin, list, show or cancel"};
  if (args.front() == "--help" || args.front() == "-h")
    return write_stdout(usage);
  run_subcommand("group", group_commands, args);
}

} // namespace troupe::cli
