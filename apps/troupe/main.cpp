// `troupe`: one binary, a file a subcommand. `node`, `store` and `certs` are linked
// in; the others talk to a node over HTTP and live in libtroupe_client.so, opened on demand
// (see CMakeLists.txt for the reason).

#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/troupe/certs.hpp"
#include "apps/troupe/client/client.hpp"
#include "apps/troupe/closed_pipe.hpp"
#include "apps/troupe/exit_status.hpp"
#include "apps/troupe/node.hpp"
#include "apps/troupe/store.hpp"

namespace {

using namespace troupe::cli;

constexpr const char* help_text = R"(Usage: troupe COMMAND [options]

Functions and services as actors.

  troupe node                          run a node
  troupe store check|backup|restore    look after the data of a node
  troupe certs [NODE...]               make the certificates of a cluster

  troupe invoke NAME                   call a function
  troupe call SERVICE KEY METHOD       call a service
  troupe map NAME --input FILE         call a function with each line of a file
  troupe map SERVICE METHOD --input FILE
                                       call a method of many entities
  troupe keys SERVICE                  list the entities of a service
  troupe state SERVICE KEY             print the state of an entity
  troupe delete SERVICE KEY            delete an entity
  troupe export SERVICE                write its entities as JSON lines
  troupe import SERVICE [FILE]         read what export has written

  troupe lock acquire|renew|release|show|run NAME    hold a lock

  troupe queue                         show what was queued (invoke --async)
  troupe queue list|show|redrive|purge
  troupe group begin|list|show|cancel  queue calls whose outcomes belong together
  troupe schedule list|show|put|pause|resume|delete
                                       call something again and again
  troupe subscribe list|show|add|remove
                                       have messages of brokers call something

  troupe functions                     list the functions of the cluster
  troupe services                      list the services of the cluster
  troupe nodes                         list the nodes of the cluster
  troupe shards                        show who owns which shards
  troupe owner SERVICE KEY             show who owns an entity
  troupe drain NODE                    have a node leave the cluster
  troupe tree                          show the actors of a node

  troupe COMMAND --help                what a command takes
  troupe --version                     print the version

Not built yet: deploy, versions, alias, rollback, logs, top, cost.

Try:
  troupe node --plugin build/release/lib/troupe_examples.so
  troupe invoke add -d '[2,3]'
  troupe call counter visits increment -d 2

The commands talk to the node at --endpoint, else at $TROUPE_ENDPOINT, else at
http://127.0.0.1:8700. They exit with 0 if it is done, 1 if it failed, 2 if the
command line is wrong.
)";

int refuse(const std::string& why) {
  std::fprintf(stderr, "troupe: %s\nTry 'troupe --help' for the commands.\n",
               why.c_str());
  return exit_usage;
}

/// Beside the program in the build tree and where it is installed.
std::string client_path() {
  auto self = std::filesystem::read_symlink("/proc/self/exe");
  return self.parent_path() / ".." / "lib" / "libtroupe_client.so";
}

int run_client(int argc, char** argv) {
  auto library = dlopen(client_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  auto entry = library ? reinterpret_cast<client_main_function*>(
                 dlsym(library, client_main_name))
                       : nullptr;
  if (!entry) {
    std::fprintf(stderr, "error: internal_error: %s (effect: none)\n",
                 dlerror());
    return exit_failed;
  }
  return entry(argc, argv);
}

int run(int argc, char** argv) {
  if (argc < 2)
    return refuse("a command is missing");
  std::string command{argv[1]};
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(help_text, stdout);
    return end_output(exit_done);
  }
  if (command == "--version") {
    std::puts("troupe " TROUPE_VERSION);
    return end_output(exit_done);
  }
  if (command == "node")
    return run_node_command(argv[0], {argv + 2, argv + argc});
  if (command == "store")
    return end_output(run_store_command({argv + 2, argv + argc}));
  if (command == "certs")
    return end_output(run_certs_command({argv + 2, argv + argc}));
  return run_client(argc, argv);
}

} // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: internal_error: %s (effect: unknown)\n",
                 e.what());
    return exit_failed;
  }
}
