#include "apps/troupe/certs.hpp"

#include <cstdio>
#include <sstream>

#include <boost/program_options.hpp>

#include "apps/troupe/exit_status.hpp"
#include "nodes/link/certificates.hpp"

namespace troupe::cli {

namespace {

namespace po = boost::program_options;

constexpr const char* help_text = R"(Usage: troupe certs [NODE...] [options]

Makes the certificates that the nodes of a cluster show each other: ca.pem and
ca.key if there is no CA in the folder yet, and NODE.pem and NODE.key for each
NODE. A node gets ca.pem and its own two files; ca.key stays where no node is:
whoever has it can make nodes. Nothing that is there is overwritten.

)";

po::options_description described() {
  constexpr unsigned width = 80;
  po::options_description result{"Options", width};
  // Said in the texts, as everywhere.
  auto days = [](int value) {
    return po::value<int>()->value_name("N")->default_value(value, "");
  };
  auto add = result.add_options();
  add(
    "dir",
    po::value<std::string>()->value_name("FOLDER")->default_value("certs", ""),
    "Where they are. Default: certs.");
  add("days", days(825),
      "How long a node's certificate is valid. Default: 825.");
  add("ca-days", days(3650), "How long the CA is valid. Default: 3650.");
  add("force", "Overwrite the certificates of the nodes that are named.");
  add("new-ca", "Overwrite the CA: every node needs a new certificate then.");
  add("help,h", "Print this text.");
  return result;
}

struct request {
  po::variables_map options;
  std::vector<std::string> nodes;

  bool has(const char* name) const { return options.count(name) > 0; }

  link::validity days(const char* name) const {
    link::validity result;
    result.until = std::chrono::hours{24} * options[name].as<int>();
    return result;
  }
};

/// @throws po::error
request parse(const std::vector<std::string>& arguments) {
  using style = po::command_line_style::style_t;
  request result;
  po::options_description all;
  all.add(described())
    .add_options()("nodes", po::value<std::vector<std::string>>(&result.nodes));
  po::positional_options_description nodes;
  nodes.add("nodes", -1);
  po::store(po::command_line_parser(arguments)
              .options(all)
              .positional(nodes)
              .style(style::unix_style & ~style::allow_guessing)
              .run(),
            result.options);
  po::notify(result.options);
  for (auto name : {"days", "ca-days"})
    if (auto days = result.options[name].as<int>(); days < 1 || days > 36'500)
      throw po::error{std::string{"--"} + name + " must be 1 to 36500"};
  for (auto& x : result.nodes)
    if (!link::is_certificate_name(x))
      throw po::error{"'" + x + "' cannot be the name of a node's files"};
  return result;
}

void print(const link::tls_files& files) {
  std::printf("%s\n%s\n", files.certificate.c_str(), files.key.c_str());
}

void make(const request& x) {
  link::certificate_folder folder{x.options["dir"].as<std::string>()};
  auto overwrites_ca = x.has("new-ca");
  // Before anything is written.
  for (auto& node : x.nodes)
    if (folder.has(node) && !x.has("force"))
      throw link::certificate_error{"there is a certificate of '" + node
                                    + "' already; see --force"};
  if (!folder.has_ca() || overwrites_ca || x.nodes.empty()) {
    folder.make_ca(x.days("ca-days"), overwrites_ca);
    print(folder.files("ca"));
  }
  for (auto& node : x.nodes) {
    folder.make(node, x.days("days"), x.has("force"));
    print(folder.files(node));
  }
}

} // namespace

int run_certs_command(const std::vector<std::string>& arguments) {
  request what;
  try {
    what = parse(arguments);
  } catch (const po::error& e) {
    std::fprintf(stderr, "troupe certs: %s\nTry 'troupe certs --help'.\n",
                 e.what());
    return exit_usage;
  }
  if (what.has("help")) {
    std::ostringstream options;
    options << described();
    std::printf("%s%s", help_text, options.str().c_str());
    return exit_done;
  }
  try {
    make(what);
    return exit_done;
  } catch (const link::certificate_error& e) {
    std::fprintf(stderr, "error: bad_request: %s (effect: none)\n", e.what());
    return exit_failed;
  }
}

} // namespace troupe::cli
