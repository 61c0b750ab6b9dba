#include "actors/core/lock_proof.hpp"
#include "apps/troupe/client/calling.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/queueing.hpp"

namespace troupe::cli {

namespace {

constexpr const char* usage = R"(Usage: troupe call SERVICE KEY METHOD [options]

Calls a method of one entity of a service, and prints its answer. What is sent
is JSON: one argument is the value itself, several are an array.

  troupe call counter visits increment -d 2
  troupe call data_service user/7 set_data -d '{"name":"Ada"}'
  troupe call counter visits increment --if-match 4
  troupe call counter visits increment --lock door=7
)";

command_line make_line() {
  command_line line{usage, {"SERVICE", "KEY", "METHOD"}};
  add_call_options(line);
  line
    .option("if-match", "R",
            "Call only if the state's revision is R (a number, several with "
            "commas, or * for any); else revision_mismatch.")
    .option("idempotency-key", "K",
            "A repeat with the same K is not executed: it gets the answer of "
            "the first call, for at least 24 hours.")
    .option("lock", "NAME=TOKEN",
            "Call under a lock (several with commas): if it is not held any "
            "more, nothing is changed; lock_held.");
  add_queue_options(line);
  return line;
}

} // namespace

void call(const arguments& args) {
  auto line = make_line();
  if (!line.parse(args))
    return;
  auto key = line.argument("KEY");
  check_key(key);
  auto target = "/services/" + line.name("SERVICE") + "/" + percent_encode(key)
                + "/" + line.name("METHOD");
  std::string revisions;
  if (auto text = line.value("if-match"))
    revisions = to_entity_tags(*text, "--if-match");
  auto locks = line.value("lock");
  if (locks && !parse_lock_proofs(*locks))
    throw usage_error{"--lock must be NAME=TOKEN, several with commas, is '"
                      + *locks + "'"};
  auto node = line.node();
  auto request = make_call(line, target);
  if (!revisions.empty())
    request.fields.push_back("If-Match: " + revisions);
  if (locks)
    request.fields.push_back("Troupe-Lock: " + *locks);
  if (!request.body.empty())
    request.content_type = "application/json";
  if (queue_call(line, request))
    return send_queued(node, request);
  write_answer(send_checked(node, request));
}

} // namespace troupe::cli
