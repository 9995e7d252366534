#include "cli/doctor/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

constexpr char kName[] = "certificate";
constexpr char kUri[] = "spiffe://lvrpo/";
constexpr absl::Duration kSoon = absl::Hours(24);

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using Trusted = std::unique_ptr<X509_STORE, Deleter<X509_STORE, X509_STORE_free>>;
using Verification = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX, X509_STORE_CTX_free>>;

Bio Read(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Certificate ReadCertificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(Read(pem).get(), nullptr, nullptr, nullptr));
}

Check Wrong(const std::string& what) {
  return Failure(kName, what,
                 "make a new one with `lvrpo certs`, or look at the cert-manager Certificate's status");
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

// The one URI that says a role; empty: none, or several.
std::string RoleUri(X509* certificate) {
  std::string found;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  int count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                           static_cast<size_t>(ASN1_STRING_length(uri)));
    if (!absl::StartsWith(text, kUri)) continue;
    found = text;
    ++count;
  }
  GENERAL_NAMES_free(names);
  return count == 1 ? found : "";
}

// Empty, or why the CA does not vouch for it at this time.
std::string ChainProblem(X509* certificate, X509* ca, absl::Time now) {
  const Trusted trusted(X509_STORE_new());
  const Verification verification(X509_STORE_CTX_new());
  X509_STORE_add_cert(trusted.get(), ca);
  X509_STORE_CTX_init(verification.get(), trusted.get(), certificate, nullptr);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(verification.get()), absl::ToTimeT(now));
  if (X509_verify_cert(verification.get()) == 1) return "";
  return X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification.get()));
}

Check CheckRole(X509* certificate, const std::string& role) {
  const std::string uri = RoleUri(certificate);
  if (uri.empty()) {
    return Wrong(absl::StrCat("tls.crt has not exactly one URI that begins with ", kUri,
                              ": nobody can tell what role it is for"));
  }
  const std::string found = uri.substr(uri.rfind('/') + 1);
  const std::string shown = OneLine(uri, 120);
  if (!role.empty() && found != role)
    return Wrong(absl::StrCat("tls.crt is for ", shown, ", not for the role ", role));
  return Ok("certificate role", shown);
}

}  // namespace

std::vector<Check> CheckCertificates(const CertificateFiles& files, absl::Time now, const std::string& role) {
  const Certificate ca = ReadCertificate(files.ca), certificate = ReadCertificate(files.certificate);
  const Key key(PEM_read_bio_PrivateKey(Read(files.key).get(), nullptr, nullptr, nullptr));
  if (ca == nullptr) return {Wrong("ca.crt is no certificate in PEM")};
  if (certificate == nullptr) return {Wrong("tls.crt is no certificate in PEM")};
  if (key == nullptr) return {Wrong("tls.key is no private key in PEM")};
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return {Wrong("tls.key is not the key of tls.crt")};
  const absl::Time ends = TimeOf(X509_get0_notAfter(certificate.get()));
  const std::string until = absl::FormatTime("valid until %Y-%m-%d %H:%M UTC", ends, absl::UTCTimeZone());
  if (const std::string problem = ChainProblem(certificate.get(), ca.get(), now); !problem.empty())
    return {Wrong(absl::StrCat("ca.crt does not vouch for tls.crt: ", problem, "; ", until))};
  std::vector<Check> checks = {
      ends - now < kSoon ? Warning(kName, until, "see that it is renewed: a run goes on with renewed files")
                         : Ok(kName, until)};
  checks.push_back(CheckRole(certificate.get(), role));
  return checks;
}

}  // namespace lvrpo
