#include "nodes/secrets_folder.hpp"

#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace troupe {

namespace {

bool is_plain_name(const std::string& text) {
  return text != "." && text != ".." && text.find('/') == text.npos
         && text.find('\0') == text.npos;
}

} // namespace

expected<void> secrets_folder::check() const {
  std::error_code ignored;
  if (path_.empty() || std::filesystem::is_directory(path_, ignored))
    return {};
  return error{errc::bad_request,
               "secrets-folder: there is no folder '" + path_ + "'"};
}

broker_address secrets_folder::resolve(broker_address to) const {
  struct field {
    const char* name;
    std::string& file;
  };
  for (auto& [name, file] :
       {field{"password-file", to.password_file}, field{"ca", to.ca},
        field{"cert", to.certificate}, field{"cert-key", to.key}}) {
    if (file.empty())
      continue;
    if (path_.empty())
      throw std::invalid_argument{
        std::string{name}
        + ": at run time a file is one of the folder that nodes are started "
          "with, and there is none: --secrets-folder"};
    if (!is_plain_name(file))
      throw std::invalid_argument{
        std::string{name}
        + ": at run time a file is the name of one in --secrets-folder, "
          "without a path"};
    file = (std::filesystem::path{path_} / file).string();
  }
  return to;
}

std::string without_paths(std::string text, const broker_address& to) {
  for (auto file : {&to.password_file, &to.ca, &to.certificate, &to.key}) {
    if (file->find('/') == file->npos)
      continue;
    auto name = std::filesystem::path{*file}.filename().string();
    size_t at = 0;
    while ((at = text.find(*file, at)) != text.npos) {
      text.replace(at, file->size(), name);
      at += name.size();
    }
  }
  return text;
}

} // namespace troupe
