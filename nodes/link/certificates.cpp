#include "nodes/link/certificates.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace troupe::link {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using extension_ptr =
  std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;

[[noreturn]] void fail(const std::string& what) {
  auto text = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  throw certificate_error{text ? what + ": " + text : what};
}

void require(bool done, const char* what) {
  if (!done)
    fail(what);
}

void add_extension(X509* to, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  extension_ptr x{X509V3_EXT_conf_nid(nullptr, &context, kind, value)};
  require(x && X509_add_ext(to, x.get(), -1) == 1,
          "an extension cannot be added");
}

/// A certificate that nobody has signed yet.
certificate_ptr draft(const std::string& name, EVP_PKEY* key, validity when) {
  certificate_ptr x{X509_new()};
  unsigned char serial[16];
  require(x && RAND_bytes(serial, sizeof(serial)) == 1, "no random numbers");
  serial[0] &= 0x7f; // a positive number
  std::unique_ptr<BIGNUM, freed_by<BN_free>> number{
    BN_bin2bn(serial, sizeof(serial), nullptr)};
  require(number
            && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x.get())),
          "no serial number");
  X509_set_version(x.get(), 2);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), when.from.count());
  X509_gmtime_adj(X509_getm_notAfter(x.get()), when.until.count());
  auto text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x.get()), "CN",
                             MBSTRING_UTF8, text, -1, -1, 0);
  require(X509_set_pubkey(x.get(), key) == 1, "the key does not fit");
  return x;
}

void sign(X509* x, X509* issuer, EVP_PKEY* key) {
  require(X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1
            && X509_sign(x, key, EVP_sha256()) > 0,
          "it cannot be signed");
}

key_ptr new_key() {
  key_ptr result{EVP_EC_gen("P-256")};
  require(result != nullptr, "no key can be made");
  return result;
}

std::string text_of(BIO* from) {
  char* bytes = nullptr;
  auto n = BIO_get_mem_data(from, &bytes);
  return {bytes, static_cast<size_t>(std::max<long>(n, 0))};
}

std::string pem(X509* x) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(out.get(), x) == 1, "it cannot be written");
  return text_of(out.get());
}

std::string pem(EVP_PKEY* x) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), x, nullptr, nullptr, 0,
                                        nullptr, nullptr)
            == 1,
          "the key cannot be written");
  return text_of(out.get());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return ::fsync(fd) == 0;
}

/// All of it or nothing. @pre nothing is there, or may be overwritten
void write_file(const std::filesystem::path& to, const std::string& bytes,
                mode_t mode) {
  auto draft = to;
  draft += ".new";
  ::unlink(draft.c_str());
  auto fd =
    ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  auto done = fd >= 0 && write_all(fd, bytes);
  auto reason = errno;
  if (fd >= 0)
    ::close(fd);
  if (done && ::rename(draft.c_str(), to.c_str()) == 0)
    return;
  if (done)
    reason = errno;
  ::unlink(draft.c_str());
  throw certificate_error{"'" + to.string()
                          + "' cannot be written: " + std::strerror(reason)};
}

template <class Pointer, class Read>
Pointer read_file(const std::filesystem::path& from, Read read) {
  bio_ptr in{BIO_new_file(from.c_str(), "r")};
  Pointer result{in ? read(in.get(), nullptr, nullptr, nullptr) : nullptr};
  if (!result)
    fail("'" + from.string() + "' cannot be read");
  return result;
}

} // namespace

bool is_certificate_name(const std::string& name) {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name != "ca"
         && name.front() != '.' && std::all_of(name.begin(), name.end(), fits);
}

certificate_folder::certificate_folder(std::filesystem::path where)
  : where_(std::move(where)) {
  std::error_code failed;
  std::filesystem::create_directories(where_, failed);
  if (failed)
    throw certificate_error{"'" + where_.string()
                            + "' cannot be made: " + failed.message()};
}

std::filesystem::path certificate_folder::path(const std::string& name,
                                               const char* type) const {
  return where_ / (name + type);
}

bool certificate_folder::has_ca() const {
  return has("ca");
}

bool certificate_folder::has(const std::string& node) const {
  std::error_code ignored;
  return std::filesystem::exists(path(node, ".pem"), ignored)
         || std::filesystem::exists(path(node, ".key"), ignored);
}

void certificate_folder::make_ca(validity when, bool overwrite) {
  if (has_ca() && !overwrite)
    throw certificate_error{"there is a CA in '" + where_.string()
                            + "' already"};
  auto key = new_key();
  auto x = draft("Troupe cluster CA", key.get(), when);
  auto issuer = x.get();
  sign(x.get(), issuer, key.get()); // names the issuer, for what follows
  add_extension(x.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(x.get(), issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(x.get(), issuer, NID_subject_key_identifier, "hash");
  sign(x.get(), issuer, key.get());
  write_file(path("ca", ".key"), pem(key.get()), 0600);
  write_file(path("ca", ".pem"), pem(x.get()), 0644);
}

void certificate_folder::make(const std::string& node, validity when,
                              bool overwrite) {
  if (!is_certificate_name(node))
    throw certificate_error{"'" + node + "' is no name for a node's files"};
  if (has(node) && !overwrite)
    throw certificate_error{"there is a certificate of '" + node + "' in '"
                            + where_.string() + "' already"};
  auto ca = read_file<certificate_ptr>(path("ca", ".pem"), PEM_read_bio_X509);
  auto ca_key = read_file<key_ptr>(path("ca", ".key"), PEM_read_bio_PrivateKey);
  auto key = new_key();
  auto x = draft(node, key.get(), when);
  add_extension(x.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(x.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(x.get(), ca.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(x.get(), ca.get(), NID_subject_alt_name,
                ("DNS:" + node).c_str());
  add_extension(x.get(), ca.get(), NID_authority_key_identifier, "keyid");
  sign(x.get(), ca.get(), ca_key.get());
  write_file(path(node, ".key"), pem(key.get()), 0600);
  write_file(path(node, ".pem"), pem(x.get()), 0644);
}

tls_files certificate_folder::files(const std::string& node) const {
  return {path("ca", ".pem").string(), path(node, ".pem").string(),
          path(node, ".key").string()};
}

} // namespace troupe::link
